// Copyright 2026 the Sluice authors. MIT license.

import { isInstance } from "../../base/internal.ts";
import { ignore, onCancel } from "../../flow/internal.ts";
import {
  adopt,
  Cancelled,
  type ChildSwitch,
  hasEnded,
  isCancelled,
  isSwitchCancelled,
  registerOwner,
  type Releasable,
  type Switch,
  switchUnder,
} from "../../switch/internal.ts";
import { addContext, NetError, ownerGone } from "../internal.ts";
import type { Connection } from "../mod.ts";
import { connectionWith } from "../wrap/internal.ts";
import type { Dial } from "./_dial.ts";
import type { EndpointConnection } from "./endpoint_connection.ts";
import { describeEndpoint } from "./endpoint_text.ts";

/**
 * Tries endpoints in order. If all fail, a single failure is thrown as it is; several are the cause
 * of an error that has the code of the last one.
 */
export async function connectInOrder(sw: Switch, dials: readonly Dial[]): Promise<EndpointConnection> {
  const failures: unknown[] = [];
  for (const dial of dials) {
    try {
      return await attempt(sw, dial);
    } catch (error) {
      if (isCancelled() || hasEnded(sw) || isInstance(error, Cancelled)) throw error;
      failures.push(error);
    }
  }
  throw failures.length === 1 ? failures[0] : combine(failures);
}

function combine(failures: readonly unknown[]): NetError {
  const target = `any of ${failures.length} endpoints`;
  const last = failures[failures.length - 1];
  const cause = new AggregateError(failures, `All ${failures.length} endpoints failed`);
  if (isInstance(last, NetError)) {
    return new NetError(last.code, { operation: "connect", address: target, remedy: last.remedy, cause });
  }
  const remedy = isInstance(last, Error) ? last.message.replace(/^Cannot/, "cannot") : undefined;
  return new NetError("unknown", { operation: "connect", address: target, remedy, cause });
}

/**
 * Opens an endpoint in a switch of its own, so that nothing is left of a failed attempt. The
 * connection keeps the switch: it ends when the connection is closed, or with `sw`.
 */
async function attempt(sw: Switch, dial: Dial): Promise<EndpointConnection> {
  let ownerEnded = false;
  let settle = ignore;
  const settled = new Promise<void>((resolve) => settle = resolve);
  const owned = (release: () => unknown): Releasable => ({
    release,
    get label() {
      return describeEndpoint(dial.endpoint);
    },
  });
  const hook = registerOwner(
    sw,
    "connect",
    owned(() => {
      ownerEnded = true;
      own.cancel(new Cancelled(ownerGone(sw, "connect")));
      return settled;
    }),
  );
  const own: ChildSwitch = switchUnder(sw, "connection");
  const stopWatching = onCancel("connect", own.cancel);
  try {
    const inner = await own.run(() => dial.open(own.sw));
    own.sw.check(); // cancelled in the turn in which it succeeded
    return keep(sw, own, inner, dial, (release) => {
      // The next release hooks do not wait: the peer may be owned by one of them.
      hook.resource = owned(() => adopt(sw, release()));
      return () => hook.remove();
    });
  } catch (error) {
    const failure = await own.end({ error }).then(() => error, (error) => error);
    hook.remove();
    throw ownerEnded ? ownerGone(sw, "connect") : describeFailure(failure, dial);
  } finally {
    stopWatching();
    settle();
  }
}

/** Adds the whole endpoint to an error that names a part of it. */
function describeFailure(error: unknown, { endpoint }: Dial): unknown {
  const { transport } = endpoint;
  const isWhole = transport !== "tls" && transport !== "custom";
  return isWhole ? error : addContext(error, `connecting to ${describeEndpoint(endpoint)}`);
}

/**
 * Returns the connection of a successful attempt, which ends the switch of the attempt.
 *
 * @param register Registers what to do when `sw` ends, and returns a function that undoes that.
 */
function keep(
  sw: Switch,
  own: ChildSwitch,
  inner: Connection,
  { endpoint }: Dial,
  register: (release: () => Promise<void>) => () => void,
): EndpointConnection {
  const { protocol } = inner as { readonly protocol?: unknown };
  const stopWatching = own.run(() =>
    onCancel("failure", (reason) => {
      if (!isSwitchCancelled(sw)) inner.abort?.(reason.cause); // a fiber of a connector has failed
    })
  );
  let ending: Promise<void> | undefined;
  const end = () => {
    if (ending !== undefined) return ending;
    stopWatching();
    unregister();
    return ending = own.end();
  };
  const fields = { endpoint, protocol: typeof protocol === "string" ? protocol : undefined };
  const connection = connectionWith(inner, { closed: end }, undefined, fields);
  // Ending the switch closes the connection too, but waits for fibers, which may carry its bytes.
  const unregister = register(() => own.hasFibers ? connection.close() : end());
  return connection;
}
