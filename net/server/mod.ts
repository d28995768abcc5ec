// Copyright 2026 the Sluice authors. MIT license.

/** Servers. */
export { acceptFork, type AcceptForkOptions, type ConnectionHandler, type ConnectionInfo } from "./accept_fork.ts";
export type { ConnectionScope } from "./connection_scope.ts";
export { runServer, type RunServerOptions } from "./run_server.ts";
