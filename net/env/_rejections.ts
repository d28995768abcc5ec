// Copyright 2026 the Sluice authors. MIT license.

import process from "node:process";
import { setImmediate } from "node:timers";
import { fieldOf, isInstance, isWarnedIfUnhandled } from "../../base/internal.ts";
import { isSilent } from "../../flow/internal.ts";
import { mayBeStray, strayListener } from "../../switch/internal.ts";
import { Cancelled, MultipleErrors } from "../../switch/mod.ts";
import { rejectionsHaveContext } from "../backends/internal.ts";

/** A property of this listener, by which other copies of the library recognize it. */
const mark = Symbol.for("@sluice/io rejections");

/** How many guards are active. */
let guards = 0;

/**
 * Keeps a promise that a program forgot to await from ending the process, until the returned
 * function is called. An unhandled rejection with {@linkcode Cancelled} or `ClosedError` is
 * ignored; one in a connection handler goes to its server's `onError`; any other one with an error
 * of this library is shown as a warning. For all other reasons, the platform's behaviour and other
 * listeners are unaffected.
 *
 * Bun does not report the context of a rejected promise: while a server runs there, every other
 * rejection is shown as a warning.
 */
export function guardRejections(): () => void {
  if (guards++ === 0) process.on("unhandledRejection", onRejection);
  // Rejections are reported after the microtasks of a turn, so the guard stays for two more turns.
  return () =>
    void setImmediate(() =>
      setImmediate(() => {
        if (--guards === 0) process.off("unhandledRejection", onRejection);
      })
    );
}

/** Failures of programs themselves, as reasons and as promises. */
const ownFailures = new WeakSet<object>();

/**
 * Marks a failure of the program itself, which must end the process even if it is an error of this
 * library. `reason` is marked too, for promises that await `promise`, unless it is a
 * {@linkcode Cancelled}, which many promises share.
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
  if (!own) {
    if (isSilent(reason)) return;
    const listener = strayListener();
    if (listener !== undefined) return listener.stray(reason);
    if (isWarned(reason) || (!rejectionsHaveContext && mayBeStray())) return warn(reason);
  }
  // A listener of the program gets the event too, instead of the platform.
  if (process.listeners("unhandledRejection").every((listener) => mark in listener)) passOn(reason);
}

Object.defineProperty(onRejection, mark, { value: true });

function isWarned(reason: unknown): boolean {
  const errors = fieldOf(reason, MultipleErrors, "errors") ?? [reason];
  return errors.every((error) => isSilent(error) || isWarnedIfUnhandled(error));
}

function warn(reason: unknown): void {
  const name = fieldOf(reason, Error, "name");
  process.emitWarning(`A promise that nothing awaits was rejected with ${name}: ${fieldOf(reason, Error, "message")}`, {
    type: "SluiceWarning",
    detail: String(fieldOf(reason, Error, "stack")),
  });
}

/**
 * Rejects again with `reason` while the listener is removed, so that the platform handles it as it
 * would without this guard.
 */
function passOn(reason: unknown): void {
  // Later: other rejections of this turn are still to be reported.
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
