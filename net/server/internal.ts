// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `net/server/`. Users import `mod.ts`. */
export { Alarm, DeadlineAlarm, turnsToPoll } from "./_alarm.ts";
export { Deadlines } from "./_deadlines.ts";
export {
  addRemoteServers,
  noteDropped,
  noteFailed,
  type RemoteLog,
  type RemoteServers,
  serverMonitor,
} from "./monitor.ts";
