// Copyright 2026 the Sluice authors. MIT license.

/** What the rest of the library imports from this room. Users import `mod.ts`. */
export { clockOf } from "./clock.ts";
export type { Engine, EngineHost, Halt, ScheduledEvent } from "./engine.ts";
export { installEngine } from "./install.ts";
