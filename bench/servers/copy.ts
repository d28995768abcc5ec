// Copyright 2026 the Sluice authors. MIT license.

/** `copy.ts PORT`: gives back what it gets, by {@linkcode copy}. */
import { copy } from "../../mod.ts";
import { serveCommand } from "./_serve.ts";

await serveCommand((flow) => copy(flow, flow));
