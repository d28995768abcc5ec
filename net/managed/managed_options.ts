// Copyright 2026 the Sluice authors. MIT license.

import { checkClock, checkMilliseconds, checkOptions, checkWhole } from "../../base/internal.ts";
import { payloadOf } from "../../flow/internal.ts";
import type { Clock } from "../../switch/internal.ts";

/**
 * Options of a managed connection.
 *
 * @typeParam D The type of the data.
 */
export interface ManagedOptions<D> {
  /** The clock of the timeouts, such as `net.clock`. */
  clock: Clock;
  /** Data of the program: what `data` of the connection returns. */
  data: D;
  /**
   * For how long nothing may be received, in milliseconds: then the connection is reset, with the
   * reason `"timeout"`. It runs from the start, and so limits connecting too; and it runs on while
   * the receive buffer is full. Sending does not extend it.
   *
   * @default {Infinity}
   */
  timeout?: number | undefined;
  /**
   * What is sent, once, when nothing was received for half of `timeout`, so that the peer answers.
   * It is not sent before the connection is established. Without `timeout` it is ignored.
   */
  ping?: Uint8Array | string | undefined;
  /**
   * The size of the receive buffer, in bytes: a whole number >= 1, or `Infinity`. A full buffer
   * stops reading, and so the peer.
   *
   * @default {65536}
   */
  maxReceiveBuffer?: number | undefined;
  /**
   * The size of the send buffer, in bytes: a whole number >= 1, or `Infinity`. A `send` that would
   * exceed it queues nothing.
   *
   * @default {Infinity}
   */
  maxSendBuffer?: number | undefined;
}

/** Checked options. */
export interface ManagedTerms<D> extends ManagedOptions<D> {
  readonly ping: Uint8Array | undefined;
  readonly maxReceiveBuffer: number;
  readonly maxSendBuffer: number;
}

/** Checks options, reads each once, and copies the ping. */
export function checkManagedOptions<D>(action: string, options: ManagedOptions<D>): ManagedTerms<D> {
  const given = checkOptions(action, options);
  const { clock, data, timeout, ping, maxReceiveBuffer = 65_536, maxSendBuffer = Infinity } = given;
  checkClock(action, clock);
  if (timeout !== undefined) checkMilliseconds(action, "timeout", timeout);
  checkWhole(action, "maxReceiveBuffer", maxReceiveBuffer, 1, true);
  checkWhole(action, "maxSendBuffer", maxSendBuffer, 1, true);
  const copied = ping === undefined ? undefined : new Uint8Array(payloadOf("ping", ping));
  return { clock: clock as Clock, data: data as D, timeout, ping: copied, maxReceiveBuffer, maxSendBuffer };
}
