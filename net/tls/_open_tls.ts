// Copyright 2026 the Sluice authors. MIT license.

import { BridgeScope, ignore, operation } from "../../flow/internal.ts";
import type { TwoWay } from "../../flow/mod.ts";
import { asOperation, checkIsSwitch, refusedFor } from "../../switch/internal.ts";
import { type Clock, interruptible, type Switch, withTimeout } from "../../switch/mod.ts";
import { ownerGone } from "../internal.ts";
import { checkCommon, checkTlsOptions } from "./_checks.ts";
import { handshakeErrorOf } from "./_failure.ts";
import { type Open, Session } from "./_session.ts";
import { checkCarrier } from "./_wrapped_flow.ts";
import { TlsError } from "./errors.ts";
import type { TlsOptions } from "./options.ts";
import { contextOf, isClosing, secure, SecureFlow, type TlsConnection } from "./tls_connection.ts";

/** How one side opens a connection. */
export interface TlsPlan {
  /** The name that the peer's certificate must have, if it is checked. */
  readonly expectedName: string | undefined;
  /** The label of the connection in dumps. */
  readonly label: string;
  /**
   * Prepares the handshake: returns the function that starts it, and the server's name. It is
   * cancelled with the attempt.
   */
  prepare(session: Session): Promise<{ open: Open; serverName: string | undefined }>;
}

/**
 * Performs a handshake over a flow, which then belongs to the connection, also on failure. `plan`
 * checks the options of one side before anything is opened.
 */
export function openTls<O extends TlsOptions>(
  sw: Switch,
  flow: TwoWay,
  options: O,
  plan: (options: O) => TlsPlan,
): Promise<TlsConnection> {
  const opening = operation(async () => {
    checkIsSwitch(sw, "start TLS");
    checkTlsOptions(options);
    const { label, expectedName, prepare } = plan(options);
    const { handshakeTimeout, needsCloseNotify, ...terms } = checkCommon(options);
    checkCarrier(flow);
    const refusal = refusedFor(sw, "start TLS");
    if (refusal !== undefined) return await refusal;
    const scope = new BridgeScope(sw);
    const session = new Session(flow, scope, needsCloseNotify);
    const tls = new SecureFlow(session, flow, { ...terms, owner: sw, label, expectedName });
    const handshake = async () => {
      const { open, serverName } = await scope.run(() => prepare(session));
      secure(tls, await session.handshake(open), serverName);
    };
    try {
      const handshaking = handshake();
      await handshakeWithin(terms.clock, handshakeTimeout, () => interruptible(handshaking));
      return tls;
    } catch (cause) {
      const ownerEnded = isClosing(tls); // closed by its switch
      if (ownerEnded) opening.catch(ignore);
      const failure = ownerEnded ? ownerGone(sw, "start TLS") : handshakeErrorOf(cause, contextOf(tls));
      // If TLS itself failed, the alert that tells the peer why gets time to arrive.
      if (!(failure instanceof TlsError) || failure.code === "handshake_timeout") tls.abort(failure);
      await tls.close();
      throw failure;
    }
  });
  return opening;
}

async function handshakeWithin(clock: Clock, ms: number, fn: () => Promise<void>): Promise<void> {
  await (ms === Infinity ? fn() : asOperation("start TLS", () => withTimeout(clock, ms, fn)));
}
