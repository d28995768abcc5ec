// Copyright 2026 the Sluice authors. MIT license.

import { isInstance } from "../../base/internal.ts";
import { BrokenPipeError, EndOfFlow } from "../../flow/mod.ts";
import { TimeoutError } from "../../switch/mod.ts";
import { addContext, NetError } from "../mod.ts";
import { TlsError, type TlsErrorContext, TlsFailure } from "./errors.ts";

/** What each operation does to the peer. */
const actions: Readonly<Record<string, string>> = {
  "start TLS": "start TLS with",
  read: "read from",
  write: "write to",
};

/**
 * Makes the error that an operation throws for what broke the connection. It is a new one each time, made by the operation
 * that throws it, so that its stack has the frames of the caller. An error of a foreign flow is thrown as it is.
 */
export function errorOf(operation: string, cause: unknown, context: TlsErrorContext): unknown {
  if (isInstance(cause, TlsFailure)) {
    const { certificateNames } = cause;
    return new TlsError(cause.code, actions[operation] ?? operation, cause.cause, { ...context, certificateNames });
  }
  if (isInstance(cause, BrokenPipeError)) return new BrokenPipeError(operation, causeOf(cause));
  if (!isInstance(cause, NetError)) return cause;
  const same = new NetError(cause.code, cause); // made here, since V8 keeps ten frames
  cause.context.slice(same.context.length).forEach((step) => same.addContext(step));
  return same;
}

/** The same for a handshake that has failed. */
export function handshakeErrorOf(cause: unknown, context: TlsErrorContext): unknown {
  const failure = isInstance(cause, TimeoutError)
    ? new TlsFailure("handshake_timeout", cause)
    : isInstance(cause, EndOfFlow)
    ? new TlsFailure("truncated", cause)
    : cause;
  return addContext(errorOf("start TLS", failure, context), "starting TLS");
}

function causeOf({ cause }: Error): ErrorOptions | undefined {
  return cause === undefined ? undefined : { cause };
}
