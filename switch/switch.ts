// Copyright 2026 the Sluice authors. MIT license.

/** Switches, and what the rest of the library does with them. */

export { Switch } from "./core.ts";
export {
  adopt,
  checkSwitch,
  isSwitchCancelled,
  own,
  ownHere,
  refusedFor,
  runUnder,
  type ScopeSwitch,
  switchOver,
} from "./ownership.ts";
export type { SwitchOptions, SwitchRunOptions } from "./switch_options.ts";
