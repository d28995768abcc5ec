// Copyright 2026 the Sluice authors. MIT license.

/**
 * Streams that are to break when a signal is aborted. Nobody tells of one that is neither closed nor aborted, as after
 * `pipeTo()` with `preventClose`, so none may stay in memory only because it is listed here. One that is locked is held
 * all the same: somebody may wait for it by a promise, which holds nothing, and must be woken.
 */

/** How many streams are looked at whenever one is added: enough for a list of what has gone to become shorter. */
const looks = 4;

interface Entry {
  readonly stream: WeakRef<WritableStream>;
  /** The stream, if it was locked when it was last looked at. A new one is about to be. */
  locked: WritableStream | undefined;
}

type Breaker = (reason: unknown) => void;

const lists: WeakMap<AbortSignal, Set<Entry>> = new WeakMap();
/** A weak map, since what breaks a stream holds it. */
const breakers: WeakMap<WritableStream, Breaker> = new WeakMap();

/** Calls `breakIt` when the signal is aborted, at once if it is, until the answer is called or the stream is gone. */
export function breakWith(signal: AbortSignal, stream: WritableStream, breakIt: Breaker): () => void {
  if (signal.aborted) {
    breakIt(signal.reason);
    return () => {};
  }
  const list = listOf(signal);
  breakers.set(stream, breakIt);
  return addTo(list, { stream: new WeakRef(stream), locked: stream });
}

function listOf(signal: AbortSignal): Set<Entry> {
  const known = lists.get(signal);
  if (known !== undefined) return known;
  const list: Set<Entry> = new Set();
  lists.set(signal, list);
  signal.addEventListener("abort", () => breakAll(list, signal.reason), { once: true });
  return list;
}

function breakAll(list: Set<Entry>, reason: unknown): void {
  for (const { stream } of [...list]) {
    const there = stream.deref();
    if (there !== undefined) breakers.get(there)?.(reason);
  }
}

function addTo(list: Set<Entry>, entry: Entry): () => void {
  lookAtOldest(list);
  list.add(entry);
  return () => list.delete(entry);
}

/** Forgets those that are gone, lets go of those that are not locked, and puts them behind the others. */
function lookAtOldest(list: Set<Entry>): void {
  let left = looks;
  for (const entry of list) {
    if (left-- === 0) return;
    list.delete(entry);
    const stream = entry.stream.deref();
    if (stream === undefined) continue;
    entry.locked = stream.locked ? stream : undefined;
    list.add(entry);
  }
}
