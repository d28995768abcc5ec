// Copyright 2026 the Sluice authors. MIT license.

/** What the rest of the library imports from `net/backends/unix/`. Not public. */
export { bindError, SocketFile } from "./_path.ts";
export {
  type DeadTest,
  descriptorLimitError,
  findDeadSocket,
  isOutOfDescriptors,
  isRefused,
  isRefusedOnBun,
} from "./_probe.ts";
export { removeStaleFiles } from "./_stale_files.ts";
