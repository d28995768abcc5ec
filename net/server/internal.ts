// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `net/server/`. Users import `mod.ts`. */
export { Alarm, DeadlineAlarm, turnsToPoll } from "./_alarm.ts";
export { Deadlines } from "./_deadlines.ts";
export { serverClock } from "./_server_clock.ts";
export { type Outcome, watchStop } from "./_stop_watch.ts";
export {
  acceptFrom,
  checkCallbacks,
  checkListener,
  type ConnectionHandler,
  type ConnectionInfo,
} from "./accept_fork.ts";
export {
  addRemoteServers,
  checkMonitor,
  type ConnectionLog,
  logServer,
  type MonitoredConnection,
  noteDropped,
  noteFailed,
  type RemoteLog,
  type RemoteServers,
  type ServerLog,
  type ServerMonitor,
  serverMonitor,
} from "./monitor.ts";
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
