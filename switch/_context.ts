// Copyright 2026 the Sluice authors. MIT license.

/**
 * Which scope governs the running code, and how to let other work run: the only file of `switch/`
 * that names a runtime's module. The store follows every kind of `await`; it can be lost in raw
 * socket callbacks on Deno, so nothing reads it in one.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { clearImmediate, setImmediate } from "node:timers";

/** Holds the scope in which the running code was started, finished or not. */
export const storage: AsyncLocalStorage<unknown> = new AsyncLocalStorage();

/**
 * Calls `fn` in a later turn of the event loop, after pending input has had its chance. Returns
 * what takes it back.
 */
export function macrotask(fn: () => void): () => void {
  const handle = setImmediate(fn);
  return () => clearImmediate(handle);
}
