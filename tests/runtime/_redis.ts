// Copyright 2026 the Sluice authors. MIT license.

/** Debian's Redis, empty. */
import { type Daemon, startDaemon } from "./_daemon.ts";

let shared: Promise<Daemon> | undefined;

/** One for all tests of a file. */
export function redis(): Promise<Daemon> {
  return shared ??= startRedis();
}

/** Starts one of its own, in some milliseconds. */
export function startRedis(): Promise<Daemon> {
  return startDaemon({
    script: `exec redis-server --bind 127.0.0.1 --port $port --dir "$folder" --save "" --appendonly no`,
    ready: /Ready to accept connections/,
    signal: "TERM",
    user: "redis",
  });
}
