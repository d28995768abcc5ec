// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `net/serve/`. Users import `net/server/mod.ts`. */
export { serverClock } from "./_server_clock.ts";
export { type Outcome, watchStop } from "./_stop_watch.ts";
export {
  acceptFrom,
  checkCallbacks,
  checkListener,
  type ConnectionHandler,
  type ConnectionInfo,
  infoOf,
  setInfo,
} from "./accept_fork.ts";
export type { ConnectionScope } from "./connection_scope.ts";
export {
  checkServer,
  isFinal,
  longestBackoff,
  runServer,
  runSharedServer,
  shortestBackoff,
  type Slots,
  slotsOf,
} from "./run_server.ts";
export {
  checkMonitor,
  type ConnectionLog,
  logServer,
  type MonitoredConnection,
  registerMonitor,
  type ServerLog,
  type ServerMonitor,
  type ServerReport,
} from "./server_monitor.ts";
