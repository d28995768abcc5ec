// Copyright 2026 the Sluice authors. MIT license.

import { isInstance } from "../../base/internal.ts";
import { BrokenPipeError, EndOfFlow } from "../../flow/mod.ts";
import { TimeoutError } from "../../switch/mod.ts";
import { addContext, NetError } from "../mod.ts";
import { TlsError, type TlsErrorContext, TlsFailure } from "./errors.ts";

/** The action of each operation, followed by the peer in messages. */
const actions: Readonly<Record<string, string>> = {
  "start TLS": "start TLS with",
  read: "read from",
  write: "write to",
};

/**
 * Returns the error that an operation throws for the cause of a broken connection. Each operation
 * creates its own, so that its stack has the caller's frames. Errors of foreign flows are returned
 * unchanged.
 */
export function errorOf(operation: string, cause: unknown, context: TlsErrorContext): unknown {
  if (isInstance(cause, TlsFailure)) {
    const { certificateNames } = cause;
    return new TlsError(cause.code, actions[operation] ?? operation, cause.cause, { ...context, certificateNames });
  }
  if (isInstance(cause, BrokenPipeError)) return new BrokenPipeError(operation, causeOf(cause));
  if (!isInstance(cause, NetError)) return cause;
  const same = new NetError(cause.code, cause); // created here, as V8 keeps ten frames
  cause.context.slice(same.context.length).forEach((step) => same.addContext(step));
  return same;
}

/** Returns the error that a failed handshake throws. */
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
