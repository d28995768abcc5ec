// Copyright 2026 the Sluice authors. MIT license.

import { Home, ignore, operation } from "../../flow/internal.ts";
import type { TwoWay } from "../../flow/mod.ts";
import { asOperation, checkIsSwitch, refusedFor } from "../../switch/internal.ts";
import { type Clock, interruptible, type Switch, withTimeout } from "../../switch/mod.ts";
import { ownerGone } from "../internal.ts";
import { checkCommon, checkOptions } from "./_checks.ts";
import { handshakeErrorOf } from "./_failure.ts";
import { type Open, Session } from "./_session.ts";
import { checkFlow } from "./_wrapped_flow.ts";
import { TlsError } from "./errors.ts";
import type { TlsOptions } from "./options.ts";
import { contextOf, isClosing, secure, SecureFlow, type TlsConnection } from "./tls_connection.ts";

/** How a connection is opened. */
export interface TlsPlan {
  /** Whom the certificate of the other side is to name, if that is checked. */
  readonly expectedName: string | undefined;
  /** What the connection is called in dumps. */
  readonly label: string;
  /** Prepares the handshake: what begins it, and the server's name. Cancelled when the attempt is given up. */
  prepare(session: Session): Promise<{ open: Open; serverName: string | undefined }>;
}

/**
 * Performs a handshake over a flow, which belongs to the connection from then on, whatever comes of it. `plan` checks what
 * is special to one side, before anything is done.
 */
export function openTls<O extends TlsOptions>(
  sw: Switch,
  flow: TwoWay,
  options: O,
  plan: (options: O) => TlsPlan,
): Promise<TlsConnection> {
  const opening = operation(async () => {
    checkIsSwitch(sw, "start TLS");
    checkOptions(options);
    const { label, expectedName, prepare } = plan(options);
    const { handshakeTimeout, needsCloseNotify, ...terms } = checkCommon(options);
    checkFlow(flow);
    const refusal = refusedFor(sw, "start TLS");
    if (refusal !== undefined) return await refusal;
    const home = new Home(sw);
    const session = new Session(flow, home, needsCloseNotify);
    const tls = new SecureFlow(session, flow, { ...terms, owner: sw, label, expectedName });
    const handshake = async () => {
      const { open, serverName } = await home.run(() => prepare(session));
      secure(tls, await session.handshake(open), serverName);
    };
    try {
      const handshaking = handshake();
      await handshakeWithin(terms.clock, handshakeTimeout, () => interruptible(handshaking));
      return tls;
    } catch (cause) {
      const given = isClosing(tls); // by its switch, which has ended
      if (given) opening.catch(ignore);
      const failure = given ? ownerGone(sw, "start TLS") : handshakeErrorOf(cause, contextOf(tls));
      // Where TLS itself failed, what tells the other side why is on its way, and has its time to get there.
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
