// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `net/backends/unix/`. Not for users: nothing of it is. */
export { bindError, SocketFile } from "./_path.ts";
export { type DeadTest, findDeadSocket, isOutOfDescriptors, isRefused, isRefusedOnBun, noFileLeft } from "./_probe.ts";
export { sweepRooms } from "./_room.ts";
