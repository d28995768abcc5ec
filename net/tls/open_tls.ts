// Copyright 2026 the Sluice authors. MIT license.

import { Home } from "../../flow/home.ts";
import { EndOfFlow, type TwoWay } from "../../flow/mod.ts";
import { systemClock } from "../../switch/clock.ts";
import { asOperation } from "../../switch/forgotten.ts";
import { type Clock, interruptible, type Switch, TimeoutError, withTimeout } from "../../switch/mod.ts";
import { refusedFor } from "../../switch/switch.ts";
import { ownerGone } from "../open.ts";
import { checkMilliseconds } from "../options.ts";
import { TlsError } from "./errors.ts";
import type { TlsOptions } from "./options.ts";
import { type Open, Session } from "./session.ts";
import { SecureFlow, type TlsFlow } from "./tls_flow.ts";

/** What to open. */
export interface TlsPlan {
  readonly sw: Switch;
  readonly flow: TwoWay;
  readonly options: TlsOptions;
  /** What the connection is called in dumps. */
  readonly label: string;
  /** Prepares the handshake, and gives what begins it and the server's name. Cancelled when the attempt is given up. */
  prepare(session: Session): Promise<{ open: Open; serverName: string | undefined }>;
}

const defaultHandshakeTimeout = 10_000;
const defaultLinger = 1000;

/** Performs a handshake over a flow, which belongs to the connection from then on, whatever comes of it. */
export async function openTls({ sw, flow, options, label, prepare }: TlsPlan): Promise<TlsFlow> {
  const { clock = systemClock, handshakeTimeout = defaultHandshakeTimeout, linger = defaultLinger } = options;
  checkMilliseconds("start TLS", "handshakeTimeout", handshakeTimeout);
  checkMilliseconds("start TLS", "linger", linger);
  checkFlow(flow);
  const refusal = refusedFor(sw, "start TLS");
  if (refusal !== undefined) return await refusal;
  const home = new Home(sw);
  const session = new Session(flow, home);
  const tls = new SecureFlow(session, { owner: sw, clock, linger, label });
  const handshake = async () => {
    const { open, serverName } = await home.run(() => prepare(session));
    tls.secured(await session.handshake(open), serverName);
  };
  try {
    const shaking = handshake();
    await within(clock, handshakeTimeout, () => interruptible(shaking));
    return tls;
  } catch (error) {
    const failure = tls.closing ? ownerGone(sw, "start TLS") : failureOf(error);
    // Where TLS itself failed, what tells the other side why is on its way, and has its time to get there.
    if (!(failure instanceof TlsError) || failure.code === "handshake_timeout") tls.abort();
    await tls.close();
    throw failure;
  }
}

async function within(clock: Clock, ms: number, fn: () => Promise<void>): Promise<void> {
  await (ms === Infinity ? fn() : asOperation("start TLS", () => withTimeout(clock, ms, fn)));
}

function failureOf(error: unknown): unknown {
  if (error instanceof TimeoutError) return new TlsError("handshake_timeout", "start TLS", error);
  return error instanceof EndOfFlow ? new TlsError("truncated", "start TLS", error) : error;
}

function checkFlow(flow: Partial<TwoWay> | null | undefined): void {
  const { read, write, shutdown } = flow ?? {};
  if ([read, write, shutdown].every((method) => typeof method === "function")) return;
  throw new TypeError(`Cannot start TLS over ${String(flow)}: it must be a flow that goes both ways`);
}
