// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `net/backends/shared/`. Not for users: nothing of it is. */
export { AcceptBacklog } from "./_accept_backlog.ts";
export { closedBySystem, hostText, isAny, systemIp, tcpEnd, unnamed } from "./_peer.ts";
export type { Permit } from "./_permit.ts";
