// Copyright 2026 the Sluice authors. MIT license.

/**
 * Clocks that move by themselves. One loop looks, once in each turn of the event loop, whether
 * anything else can run; it runs only from when a wait begins until nothing has changed.
 */
import { open } from "../../../base/internal.ts";
import {
  currentScope,
  dumpOf,
  failScope,
  hasMacrotasks,
  macrotask,
  observeScopes,
  type Scope,
} from "../../../switch/internal.ts";
import { DeadlockError } from "./deadlock_error.ts";

/** Turns in which nothing may happen before time moves: code of others may take some. */
const quietTurns = 4;

/** A clock that moves by itself. */
export interface AutoClock {
  now(): number;
  /** Moves to the next timer, if there is one. */
  tryAdvance(): boolean;
}

/** A clock in use. */
interface Watch {
  readonly clock: AutoClock;
  /** The outermost scopes in which it was made or used. */
  readonly scopes: Set<Scope>;
  /** Whether the next outermost scope that begins is its own: it was made outside any. */
  adopts: boolean;
}

const watches: Map<AutoClock, Watch> = new Map();
/** Scopes that were failed already. */
const failed: WeakSet<Scope> = new WeakSet();
let looking = false;
let quiet = 0;

/** Begins to move `clock` when nothing else can run. */
export function advanceWhenIdle(clock: AutoClock): void {
  observeScopes({ began, waits: look });
  watches.set(clock, { clock, scopes: new Set(), adopts: currentScope() === undefined });
  noteScope(clock);
}

/** Notes that the running code uses `clock`. */
export function noteUse(clock: AutoClock): void {
  noteScope(clock).adopts = false;
}

function noteScope(clock: AutoClock): Watch {
  const watch = watches.get(clock) ?? { clock, scopes: new Set(), adopts: false };
  watches.set(clock, watch);
  const scope = currentScope();
  if (scope !== undefined) watch.scopes.add(rootOf(scope));
  look();
  return watch;
}

/** An outermost scope begins. All that begin in one turn of the event loop belong together. */
function began(root: Scope): void {
  for (const watch of watches.values()) {
    if (!watch.adopts) continue;
    if (watch.scopes.size === 0) macrotask(() => watch.adopts = false);
    watch.scopes.add(root);
  }
}

/** Looks again, from now on, until nothing changes. */
function look(): void {
  quiet = 0;
  if (looking || watches.size === 0) return;
  looking = true;
  macrotask(lookNow);
}

function lookNow(): void {
  looking = false;
  if (hasMacrotasks()) return look();
  if (++quiet < quietTurns) {
    looking = true;
    macrotask(lookNow);
    return;
  }
  if (advanceAll()) return look();
  for (const { clock, scopes, adopts } of watches.values()) {
    for (const scope of scopes) if (scope.finished) scopes.delete(scope);
    if (scopes.size === 0 && !adopts) watches.delete(clock);
  }
  if (open.timers === 0) reportDeadlock(); // else a timer of the real clock may wake something
}

function advanceAll(): boolean {
  return [...watches.keys()].filter((clock) => clock.tryAdvance()).length > 0;
}

/** Fails the innermost switch around everything that waits, for each outermost scope. */
function reportDeadlock(): void {
  for (const { clock, scopes } of [...watches.values()]) {
    for (const root of scopes) {
      if (!waitsIn(root)) continue;
      const scope = innermost(root);
      if (failed.has(scope)) continue;
      failed.add(scope);
      failScope(scope, new DeadlockError(clock.now(), "everything waits, and no sleep is pending", dumpOf(scope)));
    }
  }
}

/** Reports whether an operation waits in `scope` or under it. */
function waitsIn(scope: Scope): boolean {
  const scopes = [scope];
  for (const each of scopes) {
    if (each.hasOperation) return true;
    scopes.push(...each.children());
  }
  return false;
}

/** Returns the innermost switch in `root` that holds every operation that waits there, or `root`. */
function innermost(root: Scope): Scope {
  let found = root;
  for (let scope = root;;) {
    if (scope.owner !== undefined) found = scope;
    if (scope.hasOperation) return found;
    const busy = scope.children().filter(waitsIn);
    if (busy.length !== 1) return found;
    scope = busy[0];
  }
}

function rootOf(from: Scope): Scope {
  let scope = from;
  while (scope.parent !== undefined) scope = scope.parent;
  return scope;
}
