// Copyright 2026 the Sluice authors. MIT license.

/** Finds the flaw of `register_flawed.ts`: `deno task sim --seeds=1000 examples/sim/check_flawed.ts`. */
import { scenarioOf } from "./check.ts";
import { read } from "./register_flawed.ts";

export { options } from "./check.ts";
export default scenarioOf(read);
