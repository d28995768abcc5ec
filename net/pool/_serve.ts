// Copyright 2026 the Sluice authors. MIT license.

import { isInstance, onAbort } from "../../base/internal.ts";
import { Cancelled, currentScope, Failures } from "../../switch/internal.ts";
import { protect } from "../../switch/mod.ts";
import { addContext, type Connection, describeAddress } from "../internal.ts";
import { type ConnectionInfo, serverClock } from "../serve/internal.ts";
import { noteFailed } from "../server/internal.ts";
import { PoolChannel } from "./_channel.ts";
import { PooledConnection } from "./_pooled_connection.ts";
import { Turns } from "./_turns.ts";
import type { PoolConnection } from "./pool_connection.ts";
import type { PoolTerms } from "./pool_options.ts";

/** Called with each error of a connection. */
export type Report = (error: unknown, info: ConnectionInfo) => unknown;

/**
 * Serves one connection until `closed` has returned. Errors are reported. Throws those that were
 * not: all without `report`, what `report` itself throws, and the cancellation.
 */
export async function serveOne(
  terms: PoolTerms,
  report: Report | undefined,
  connection: Connection,
  stopping: AbortSignal,
): Promise<void> {
  const errors = new Errors(report, connection);
  await errors.catch(() => runCallbacks(terms, errors, connection, stopping));
  errors.throwRest();
}

async function runCallbacks(
  terms: PoolTerms,
  errors: Errors,
  connection: Connection,
  stopping: AbortSignal,
): Promise<void> {
  const state = terms.state();
  const channel = new PoolChannel(connection, terms.clock ?? serverClock(), terms);
  const c = new PooledConnection(channel);
  const turns = new Turns(terms.handler, state, channel, stopping, terms.receiveTimeout);
  const forgetStop = onAbort(stopping, () => channel.ring());
  try {
    await turns.run(c);
    channel.end();
  } catch (error) {
    channel.end();
    await fail(turns, c, error, errors);
  }
  forgetStop();
  await errors.catch(() => protect(async () => void await turns.handler.closed?.(c, turns.state)));
  channel.dispose();
}

async function fail({ handler, state }: Turns, c: PoolConnection, error: unknown, errors: Errors): Promise<void> {
  const all = [error];
  if (!isInstance(error, Cancelled)) {
    try {
      await handler.failed?.(c, error, state);
    } catch (second) {
      all.push(second);
    }
  }
  for (const each of all) await errors.add(each);
}

/** Reports the errors of one connection, and keeps those that are not reported. */
class Errors {
  readonly #report: Report | undefined;
  readonly #info: ConnectionInfo;
  readonly #rest: Failures = new Failures();

  constructor(report: Report | undefined, { peer, local }: ConnectionInfo) {
    this.#report = report;
    this.#info = { peer, local };
  }

  /** Runs `fn`, and adds what it throws. */
  async catch(fn: () => unknown): Promise<void> {
    try {
      await fn();
    } catch (error) {
      await this.add(error);
    }
  }

  async add(error: unknown): Promise<void> {
    if (this.#report === undefined || isInstance(error, Cancelled)) return this.#rest.add(error);
    noteFailed(currentScope());
    addContext(error, `handling connection from ${describeAddress(this.#info.peer)}`);
    try {
      await this.#report(error, this.#info);
    } catch (second) {
      this.#rest.add(second);
    }
  }

  throwRest(): void {
    if (this.#rest.any) throw this.#rest.error;
  }
}
