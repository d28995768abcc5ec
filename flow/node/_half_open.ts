// Copyright 2026 the Sluice authors. MIT license.

import type { Duplex } from "node:stream";
import { nextTick } from "node:process";
import { endedByPeerError } from "./_node_error.ts";

/**
 * Makes a stream whose `allowHalfOpen` is false end with its peer as a socket of `node:net` does: a
 * later write fails with `EPIPE`, and not as a write after `end()`, which its user did not call.
 *
 * A stream under a `TLSSocket` must not end with its peer: the `TLSSocket` ends it after writing
 * its close_notify. On an ended stream that write would fail, and the `'error'` event of the
 * `TLSSocket` would end the process; a stream that closed itself would destroy the `TLSSocket` with
 * undelivered data. A `TLSSocket` is detected when it reads `allowHalfOpen`, which it does after it
 * has attached its listeners.
 */
export function endWithPeer(duplex: Duplex): void {
  let allowed = duplex.allowHalfOpen;
  let underTls = false;
  let ended = false;
  Object.defineProperty(duplex, "allowHalfOpen", {
    configurable: true,
    enumerable: true,
    get() {
      if (ended) return allowed || underTls;
      underTls ||= duplex.listenerCount("data") > 0 && duplex.listenerCount("end") > 1;
      return allowed;
    },
    set(value: boolean) {
      allowed = value;
    },
  });
  duplex.once("end", () => {
    ended = true;
    if (!duplex.allowHalfOpen) duplex.write = refuse(duplex);
  });
}

function refuse(duplex: Duplex): Duplex["write"] {
  const { write } = duplex;
  return function (...args: unknown[]): boolean {
    if (!duplex.writableEnded) return Reflect.apply(write, duplex, args);
    const error = endedByPeerError();
    const done = args.find((arg) => typeof arg === "function") as ((error: Error) => void) | undefined;
    if (done !== undefined) nextTick(done, error);
    duplex.destroy(error);
    return false;
  };
}
