// Copyright 2026 the Sluice authors. MIT license.

/** Servers. */
export { acceptFork, type AcceptForkOptions, type ConnectionHandler, type ConnectionInfo } from "./accept_fork.ts";
export type { ConnectionScope } from "./connection_scope.ts";
export { type MonitoredConnection, type ServerMonitor, serverMonitor, type ServerReport } from "./monitor.ts";
export { perPeer, type PerPeerOptions } from "./per_peer.ts";
export { runServer, type RunServerOptions } from "./run_server.ts";
export { type TimeLimits, timeLimits } from "./time_limits.ts";
