// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, checkMilliseconds, checkShape, describe, fieldOf, quoteText } from "../../base/internal.ts";
import { ignore } from "../../flow/internal.ts";
import { type Clock, currentScope, strayListener, Switch } from "../../switch/internal.ts";
import { type Connection, NetError, type StreamAddress, type StreamSocket } from "../internal.ts";
import type { ConnectionHandler, ConnectionScope } from "../serve/internal.ts";
import { wrapConnection } from "../wrap/mod.ts";
import { Alarm } from "./_alarm.ts";
import { Deadlines, type LimitName, limitNames, type Limits } from "./_deadlines.ts";
import { noteFailed } from "./monitor.ts";

/** The limits of {@linkcode timeLimits}, in milliseconds: each is > 0, or `Infinity` for none. */
export interface TimeLimits {
  /**
   * From the start of the handler until it has read the first byte. What the handler sends before,
   * such as a greeting, does not count.
   *
   * @default {Infinity}
   */
  firstByte?: number | undefined;
  /**
   * How long nothing is read and nothing is written. Does not expire while input has arrived that
   * the handler has not read.
   *
   * @default {Infinity}
   */
  idle?: number | undefined;
  /**
   * How long one write, or a `shutdown`, makes no progress. A peer that reads slowly makes progress,
   * as far as the system shows it.
   *
   * @default {Infinity}
   */
  write?: number | undefined;
  /**
   * How long the peer may keep its direction open after `shutdown("send")` of this side. Input does
   * not extend it.
   *
   * @default {Infinity}
   */
  halfClosed?: number | undefined;
  /**
   * How long the handler may take in all.
   *
   * @default {Infinity}
   */
  lifetime?: number | undefined;
}

/**
 * Returns a connection handler that calls `handler` with time limits. When one expires, the handler
 * and everything in its switch are cancelled, and the connection is reset. Then the handler is
 * awaited, and the call fails with a {@linkcode NetError} `connection_timeout` that names the limit,
 * even if `handler` ignores its cancellation. In a server, that error is reported after a second at
 * the latest, even if `handler` still runs.
 *
 * The limits hold until the handler and the fibers of its switch have ended, or the connection is
 * closed. The handler has a switch of its own, `scope.sw`, which is not that of the caller. Its
 * connection is a wrapper with the same fast paths and socket options, but without the members of a
 * TLS connection.
 *
 * A connection has one timer, which is set again only when it rings, or a shorter limit begins. If
 * the event loop was blocked, input that has arrived meanwhile is read before a limit expires. A
 * write of which a part has gone out has made progress at the moment when the timer rings, and so
 * may stall for up to twice the limit.
 *
 * @param clock The clock that measures the time.
 * @param limits The limits, which are read once.
 * @param handler Serves the connection. Its result is awaited.
 * @returns A handler, for `runServer`, `acceptFork`, and other functions from handler to handler. It
 * throws `connection_timeout`, what `handler` throws, or a {@linkcode MultipleErrors} of both.
 * @throws {TypeError} If an argument is of the wrong type, or a limit is unknown.
 * @throws {RangeError} If a limit is not > 0.
 *
 * @example A client that says nothing
 * ```ts
 * import { copy, NetError, readAll, run, runServer, Switch, tcp } from "@sluice/io";
 * import { timeLimits } from "@sluice/io/net/server";
 * import { assert, assertRejects } from "@std/assert";
 *
 * await run(async ({ net, clock }) => {
 *   const errors: unknown[] = [];
 *   await Switch.run(async (sw) => {
 *     const listener = await net.listen(sw, tcp("127.0.0.1", 0));
 *     const echo = timeLimits(clock, { firstByte: 10, idle: 60_000 }, (connection) => copy(connection, connection));
 *     sw.forkDaemon(() => runServer(listener, echo, { onError: (error) => errors.push(error) }));
 *     const silent = await net.connect(sw, listener.address);
 *     await readAll(silent).catch(() => {}); // reset
 *   });
 *   assert(errors[0] instanceof NetError && errors[0].code === "connection_timeout");
 * });
 * ```
 */
export function timeLimits(
  clock: Clock,
  limits: TimeLimits,
  handler: ConnectionHandler<Connection>,
): ConnectionHandler<Connection>;
/** Returns a handler of sockets, whose socket options `handler` uses. */
export function timeLimits(
  clock: Clock,
  limits: TimeLimits,
  handler: ConnectionHandler<StreamSocket>,
): ConnectionHandler<StreamSocket>;
export function timeLimits(
  clock: Clock,
  limits: TimeLimits,
  handler: ConnectionHandler<StreamSocket>,
): ConnectionHandler<StreamSocket> {
  checkShape("set time limits", "clock", "a Clock", clock, "now", "sleep");
  const checked = checkLimits(limits);
  checkFunction("set time limits", handler);
  return (connection, peer, scope) => serveInTime(clock, checked, handler, connection, peer, scope);
}

/** How long a cancelled handler may keep running before it is reported, in milliseconds. */
const cancelTimeout = 1000;

async function serveInTime(
  clock: Clock,
  limits: Limits,
  handler: ConnectionHandler<StreamSocket>,
  connection: StreamSocket,
  peer: StreamAddress,
  scope: ConnectionScope,
): Promise<void> {
  const fiber = currentScope();
  const reporter = strayListener();
  let timeout: NetError | undefined;
  let deadlines: Deadlines | undefined;
  let isReported = false;
  const report = () => {
    isReported = true;
    noteFailed(fiber);
    reporter?.stray(timeout);
  };
  let late: Alarm | undefined;
  try {
    await Switch.run(async (sw) => {
      const end = (error: unknown) => {
        sw.fail(error);
        connection.abort(error);
      };
      deadlines = new Deadlines(clock, limits, connection, {
        expired(limit) {
          end(timeout = timeoutOf(limit, limits, peer));
          if (reporter !== undefined) late = new Alarm(clock, cancelTimeout, report, ignore);
        },
        failed: end,
      });
      const own: ConnectionScope = Object.freeze({
        sw,
        get stopping() {
          return scope.stopping;
        },
      });
      try {
        await handler(wrapConnection(connection, deadlines.hooks), peer, own);
      } catch (error) {
        // The error of an operation on the connection that was reset says nothing new.
        if (timeout === undefined || fieldOf(error, Error, "cause") !== timeout) throw error;
      }
    }, { name: "timeLimits" });
  } catch (error) {
    if (!isReported || error !== timeout) throw error;
  } finally {
    deadlines?.stop();
    late?.stop();
  }
}

/** What has not happened in time. */
const problems: Readonly<Record<LimitName, string>> = {
  firstByte: "no byte was read",
  idle: "nothing was read or written",
  write: "a write made no progress",
  halfClosed: "the peer did not end",
  lifetime: "the handler did not end",
};

function timeoutOf(limit: LimitName, limits: Limits, peer: StreamAddress): NetError {
  const remedy = `${problems[limit]} for ${limits[limit]} ms, the limit ${limit}`;
  return new NetError("connection_timeout", { operation: "serve", address: peer, remedy });
}

function checkLimits(limits: unknown): Limits {
  const action = "set time limits";
  if (typeof limits !== "object" || limits === null) {
    throw new TypeError(`Cannot ${action} as limits must be an object: current value is ${describe(limits)}`);
  }
  for (const name in limits) { // also what it inherits
    if (limitNames.some((known) => known === name)) continue;
    throw new TypeError(`Cannot ${action} as limits has an unknown field: current value is ${quoteText(name)}`);
  }
  const checked = {} as Record<LimitName, number>;
  for (const name of limitNames) {
    const { [name]: ms = Infinity } = limits as TimeLimits;
    checkMilliseconds(action, name, ms);
    if (ms === 0) throw new RangeError(`Cannot ${action} as ${name} must be > 0 milliseconds: current value is 0`);
    checked[name] = ms;
  }
  return checked;
}
