// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `net/server/`. Users import `mod.ts`. */
export { type Outcome, watchStop } from "./_stop_watch.ts";
export type { ConnectionHandler, ConnectionInfo } from "./accept_fork.ts";
export {
  addRemoteServers,
  checkMonitor,
  type ConnectionLog,
  logServer,
  type MonitoredConnection,
  type RemoteLog,
  type RemoteServers,
  type ServerLog,
  type ServerMonitor,
  serverMonitor,
} from "./monitor.ts";
export { runSharedServer, type Slots } from "./run_server.ts";
