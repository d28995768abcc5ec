// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `flow/web/`. Not for users: see `mod.ts`. */
export {
  type ControlledReadable,
  controlledReadable,
  type ControlledWritable,
  controlledWritable,
} from "./_controlled.ts";
