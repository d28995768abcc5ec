// Copyright 2026 the Sluice authors. MIT license.

/** Running servers. Users import it by `net/server/mod.ts`, and the most common of it by the root. */
export { acceptFork, type AcceptForkOptions, type ConnectionHandler, type ConnectionInfo } from "./accept_fork.ts";
export type { ConnectionScope } from "./connection_scope.ts";
export { runServer, type RunServerOptions } from "./run_server.ts";
export type { MonitoredConnection, ServerMonitor, ServerReport } from "./server_monitor.ts";
