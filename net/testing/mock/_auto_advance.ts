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
  isSystemTime,
  macrotask,
  observeScopes,
  Scope,
} from "../../../switch/internal.ts";
import { DeadlockError } from "./deadlock_error.ts";

/** Turns without activity before time moves: foreign code may need some to go on. */
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
  /** Whether it was made outside any scope in this turn of the event loop. */
  fresh: boolean;
}

const watches: Map<AutoClock, Watch> = new Map();
/**
 * The scope of sleeps on these clocks, and of operations of mocks, that begin outside any scope.
 */
let outside = new Scope(undefined, "outside any switch");
/** Scopes that were failed already. */
const failed: WeakSet<Scope> = new WeakSet();
let looking = false;
let quiet = 0;

/** Begins to move `clock` when nothing else can run. */
export function advanceWhenIdle(clock: AutoClock): void {
  observeScopes({ began, waits: look });
  const made = currentScope() === undefined;
  const watch = { clock, scopes: new Set<Scope>(), adopts: made, fresh: made };
  watches.set(clock, watch);
  if (made) macrotask(() => watch.fresh = false);
  noteScope(clock);
}

/** Notes that the running code sleeps on `clock`, and returns the scope in which it waits. */
export function sleepScope(clock: AutoClock): Scope {
  const watch = watches.get(clock);
  if (watch !== undefined) watch.adopts = false;
  noteScope(clock);
  return currentScope() ?? outside;
}

function noteScope(clock: AutoClock): Watch {
  const watch = watches.get(clock) ?? { clock, scopes: new Set(), adopts: false, fresh: false };
  watches.set(clock, watch);
  const scope = currentScope();
  if (scope !== undefined) watch.scopes.add(rootOf(scope));
  else if (!watch.adopts) watch.scopes.add(outside);
  look();
  return watch;
}

/**
 * Returns the scope in which an operation of a mock waits. Outside any scope, that is a scope of
 * this module, but only in the turn of the event loop in which a clock was made there: later
 * operations may belong to another test.
 */
export function mockScope(): Scope | undefined {
  const scope = currentScope();
  if (scope !== undefined || ![...watches.values()].some(({ fresh }) => fresh)) return scope;
  began(outside);
  return outside;
}

/** An outermost scope begins. All that begin in one turn of the event loop belong together. */
function began(root: Scope): void {
  for (const watch of watches.values()) {
    if (!watch.adopts) continue;
    if (watch.scopes.size === 0) macrotask(() => watch.adopts = false);
    watch.scopes.add(root);
  }
}

/** Looks again, from now on, until nothing changes. In a simulation, time moves by other rules. */
function look(): void {
  quiet = 0;
  if (looking || watches.size === 0 || !isSystemTime()) return;
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
    for (const scope of scopes) if (scope.finished || (scope === outside && scope.isEmpty)) scopes.delete(scope);
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
      const error = new DeadlockError(clock.now(), "everything waits, and no sleep is pending", dumpOf(scope));
      if (scope === outside) outside = renewed(scope);
      failScope(scope, error);
    }
  }
}

/** Returns a scope like `scope`, for what waits after it was failed. No clock watches it yet. */
function renewed({ kind }: Scope): Scope {
  const adopting = [...watches.values()].filter(({ adopts }) => adopts);
  for (const watch of adopting) watch.adopts = false; // it is not one of theirs
  const scope = new Scope(undefined, kind);
  for (const watch of adopting) watch.adopts = true;
  return scope;
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

/**
 * Returns the innermost switch in `root` that holds every operation that waits there, or `root`.
 */
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
