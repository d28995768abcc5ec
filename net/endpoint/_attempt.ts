// Copyright 2026 the Sluice authors. MIT license.

import { onCancel } from "../../flow/internal.ts";
import { adopt, type Hook, isSwitchCancelled, type Switch, switchUnder } from "../../switch/internal.ts";
import { addContext, type Connection } from "../internal.ts";
import { connectionWith } from "../wrap/internal.ts";
import type { Endpoint } from "./endpoint.ts";
import { describeEndpoint } from "./endpoint_text.ts";

/**
 * Opens an endpoint in a switch of its own, so that nothing is left of a failed attempt. The
 * connection keeps the switch: it ends when the connection is closed, or with `sw`.
 *
 * @param hook The registration with `sw`, which the connection takes over.
 * @param open Opens it. What it opens belongs to `own`, also if it fails.
 */
export async function connectOnce(
  sw: Switch,
  hook: Hook,
  endpoint: Endpoint,
  open: (own: Switch) => Promise<Connection>,
): Promise<Connection & { readonly endpoint: Endpoint; readonly protocol: string | undefined }> {
  const label = describeEndpoint(endpoint);
  const own = switchUnder(sw, `connection to ${label}`);
  const stopWatching = onCancel("connect", own.cancel);
  try {
    const inner = await own.run(() => open(own.sw));
    own.sw.check(); // cancelled in the turn in which it succeeded
    const stopAborting = own.run(() =>
      onCancel("failure", (reason) => {
        if (!isSwitchCancelled(sw)) inner.abort?.(reason.cause); // a fiber of a connector has failed
      })
    );
    let ending: Promise<void> | undefined;
    const end = () => {
      stopAborting();
      hook.remove();
      return ending ??= own.end();
    };
    const { protocol } = inner as { readonly protocol?: unknown };
    const fields = { endpoint, protocol: typeof protocol === "string" ? protocol : undefined };
    const connection = connectionWith(inner, { closed: end }, undefined, fields);
    // Ending the switch closes the connection too, but waits for fibers, which may carry its
    // bytes. The next release hooks do not wait: the peer may be owned by one of them.
    hook.resource = { release: () => adopt(sw, own.hasFibers ? connection.close() : end()), label };
    return connection;
  } catch (error) {
    const failure = await own.end({ error }).then(() => error, (error) => error);
    const isPart = endpoint.transport === "tls" || endpoint.transport === "custom"; // the error names a part
    throw isPart ? addContext(failure, `connecting to ${label}`) : failure;
  } finally {
    stopWatching();
  }
}
