// Copyright 2026 the Sluice authors. MIT license.

/** What the rest of the library imports from `net/backends/shared/`. Not public. */
export { AcceptBacklog } from "./_accept_backlog.ts";
export { AcceptWatch } from "./_accept_watch.ts";
export { closedBySystem, hostText, isAny, systemIp, tcpEnd, unnamed } from "./_peer.ts";
export type { PermissionCheck } from "./_permission_check.ts";
