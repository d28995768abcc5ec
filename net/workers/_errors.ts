// Copyright 2026 the Sluice authors. MIT license.

/** Errors between threads: what cannot be cloned is left out. */
import { fieldOf, isInstance, textOf } from "../../base/internal.ts";

/** What another thread learns of an error. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: string | number | undefined;
  readonly context: readonly string[] | undefined;
  readonly cause: SentError | undefined;
  readonly errors: readonly SentError[] | undefined;
}

/** How many causes of causes are sent, and how many errors of one that has several. */
const mostCauses = 4;
const mostErrors = 16;

/** An error as programs extend it. */
type AnyError = Error & { code?: unknown; context?: unknown; errors?: unknown };

const errorType = Error as abstract new (...args: never[]) => AnyError;

/** Copies what can be sent of whatever was thrown. Never throws. */
export function sendable(error: unknown, causes: number = mostCauses): SentError {
  const field = (key: keyof AnyError) => fieldOf(error, errorType, key);
  const text = (key: keyof AnyError) => {
    const value = field(key);
    return typeof value === "string" ? value : undefined;
  };
  const [code, context, cause, errors] = [field("code"), field("context"), field("cause"), field("errors")];
  const isList = Array.isArray(context) && context.every((step) => typeof step === "string");
  return {
    name: text("name") ?? "Error",
    message: text("message") ?? textOf(error),
    stack: text("stack"),
    code: typeof code === "string" || typeof code === "number" ? code : undefined,
    context: isList ? [...context] : undefined,
    cause: isInstance(cause, Error) && causes > 0 ? sendable(cause, causes - 1) : undefined,
    errors: Array.isArray(errors) && causes > 0
      ? errors.slice(0, mostErrors).map((each) => sendable(each, causes - 1))
      : undefined,
  };
}

/** Makes an error that shows what was sent. */
export function errorFrom(sent: SentError): Error {
  const { name, message, stack, code, context, cause, errors } = sent;
  const options = cause === undefined ? undefined : { cause: errorFrom(cause) };
  const error = errors === undefined
    ? new Error(textOf(""), options)
    : new AggregateError(errors.map(errorFrom), "", options);
  const fields = {
    name,
    message,
    stack: stack ?? `${name}: ${message}`,
    code,
    context: context && Object.freeze(context),
  };
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    Object.defineProperty(error, key, {
      value,
      configurable: true,
      writable: true,
      enumerable: key === "code" || key === "context",
    });
  }
  return error;
}
