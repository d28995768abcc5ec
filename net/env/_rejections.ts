// Copyright 2026 the Sluice authors. MIT license.

import process from "node:process";
import { setImmediate } from "node:timers";
import { fieldOf, isInstance } from "../../base/internal.ts";
import { isSilent } from "../../flow/internal.ts";
import {
  BrokenPipeError,
  BufferLimitExceeded,
  BusyError,
  EndOfFlow,
  FlushAborted,
  ParseError,
} from "../../flow/mod.ts";
import { mayBeStray, strayListener } from "../../switch/internal.ts";
import { Cancelled, MultipleErrors, TimeoutError } from "../../switch/mod.ts";
import { rejectionsHaveContext } from "../backends/internal.ts";
import { NetError } from "../mod.ts";
import { TlsError } from "../tls/internal.ts";

/** Errors of the world outside, and of flows. */
const shown = [
  NetError,
  TlsError,
  TimeoutError,
  BrokenPipeError,
  EndOfFlow,
  BusyError,
  ParseError,
  BufferLimitExceeded,
  FlushAborted,
];

/** Marks listeners of this kind, those of another copy of the library too. */
const mark = Symbol.for("@sluice/io rejections");

/** How many guards are on. */
let guards = 0;

/**
 * Keeps an async function that a program forgot to await from ending the process, until the answer
 * is called: an unhandled rejection with {@linkcode Cancelled} or `ClosedError` is ignored; one in a
 * connection handler goes to the `onError` of its server; and another one with an error of the
 * library is shown as a warning. What the platform does with any other reason stays as it is, and so
 * do other listeners.
 *
 * Bun does not say in which code a promise was rejected: while a server runs there, every other
 * rejection is shown as a warning.
 */
export function guardRejections(): () => void {
  if (guards++ === 0) process.on("unhandledRejection", onRejection);
  // Rejections are told only after the promise jobs of a turn, so the guard stays for two more.
  return () =>
    void setImmediate(() =>
      setImmediate(() => {
        if (--guards === 0) process.off("unhandledRejection", onRejection);
      })
    );
}

/**
 * What programs have failed with, and the promises that were rejected so: no errors of functions
 * that were forgotten.
 */
const ownFailures = new WeakSet<object>();

/**
 * Marks a failure of the program itself, which must end the process although it may be an error of
 * the library. Not only `promise` is rejected with it, but also what awaits that. A {@linkcode
 * Cancelled} is that of many.
 */
export function markFailure(promise: Promise<unknown>, reason: unknown): void {
  ownFailures.add(promise);
  if (typeof reason === "object" && reason !== null && !isInstance(reason, Cancelled)) ownFailures.add(reason);
}

function isOwnFailure(reason: unknown, promise: Promise<unknown>): boolean {
  return ownFailures.has(promise) || ownFailures.has(reason as object);
}

function onRejection(reason: unknown, promise: Promise<unknown>): void {
  const own = isOwnFailure(reason, promise);
  if (!own && isSilent(reason)) return;
  const listener = own ? undefined : strayListener();
  if (listener !== undefined) listener.stray(reason);
  else if (!own && (isShown(reason) || (!rejectionsHaveContext && mayBeStray()))) warn(reason);
  else if (process.listeners("unhandledRejection").every((listener) => mark in listener)) passOn(reason);
}

Object.defineProperty(onRejection, mark, { value: true });

function isShown(reason: unknown): boolean {
  const errors = fieldOf(reason, MultipleErrors, "errors") ?? [reason];
  return errors.every((error) => isSilent(error) || shown.some((type) => isInstance(error, type)));
}

function warn(reason: unknown): void {
  const name = fieldOf(reason, Error, "name");
  process.emitWarning(`A promise that nothing awaits was rejected with ${name}: ${fieldOf(reason, Error, "message")}`, {
    type: "SluiceWarning",
    detail: String(fieldOf(reason, Error, "stack")),
  });
}

/**
 * Rejects once more with `reason`, with no listener there, so that the platform does what it does
 * without this guard.
 */
function passOn(reason: unknown): void {
  // Not now: other rejections of this turn are still to be told.
  queueMicrotask(() => {
    process.off("unhandledRejection", onRejection);
    Promise.reject(reason);
    setImmediate(() => {
      if (guards > 0 && !process.listeners("unhandledRejection").includes(onRejection)) {
        process.on("unhandledRejection", onRejection);
      }
    });
  });
}
