// Copyright 2026 the Sluice authors. MIT license.

import { escapeText, fieldOf, isInstance } from "../../base/internal.ts";
import { Cancelled } from "../../switch/internal.ts";
import { NetError } from "../internal.ts";
import { SocketError } from "./socket_error.ts";

/** Longer than any message of the library. */
const maxMessage = 1000;

/**
 * Converts an error of the library to one of the proposal. A cancellation is returned unchanged.
 */
export function socketErrorOf(cause: unknown): unknown {
  if (isInstance(cause, Cancelled) || isInstance(cause, SocketError)) return cause;
  const message = fieldOf(cause, Error, "message");
  const shown = typeof message === "string" ? escapeText(message, maxMessage) : "Cannot use the socket: it has failed";
  return new SocketError(shown, { cause });
}

/** Reports whether the peer has reset the connection. */
export function isReset(cause: unknown): boolean {
  return fieldOf(cause, NetError, "code") === "connection_reset";
}
