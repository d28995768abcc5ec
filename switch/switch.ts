// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, isInstance, textOf } from "./check.ts";
import { runIn } from "./context.ts";
import { open } from "./counter.ts";
import { Cancelled, Failures, noLongerNeeded } from "./errors.ts";
import { type FiberEnd, startFiber } from "./fiber.ts";
import { List } from "./list.ts";
import { Hook, type Releasable, ReleaseFunction, type ReleaseHook } from "./release_hooks.ts";
import { currentScope, failureIn, refused, Scope } from "./scope.ts";

/** Options for {@linkcode Switch.runProtected}. */
export interface SwitchOptions {
  /** A name for {@linkcode Switch.dump}. */
  name?: string | undefined;
}

/** Options for {@linkcode Switch.run}. */
export interface SwitchRunOptions extends SwitchOptions {
  /** Cancels the switch when it is aborted. The cause of the {@linkcode Cancelled} is the signal's reason. */
  signal?: AbortSignal | undefined;
}

const key: unique symbol = Symbol("Switch.run");
let scopeOf: (sw: Switch) => Scope | undefined;
let describe: (sw: Switch) => string[];
let takesHooks: (sw: Switch) => boolean;
let addHook: (sw: Switch, action: string, resource: Releasable) => Hook;
let fiberFailed: (sw: Switch, error: unknown) => void;
let fiberEnded: (sw: Switch) => void;

/**
 * A scope that owns fibers and resources. When it ends, first its fibers end, then its release hooks run, newest first, one at a time, each awaited and
 * shielded from cancellation. What was opened under it is closed, and what failed in it is thrown to its caller.
 *
 * A switch has no public constructor: {@linkcode Switch.run} makes one and hands it to a function.
 *
 * Source: Eio's `Switch`.
 *
 * @example A resource that is released whatever happens
 * ```ts
 * import { Switch } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const log: string[] = [];
 * await Switch.run((sw) => {
 *   sw.onRelease(() => log.push("released"));
 *   sw.fork(() => log.push("forked"));
 * });
 * assertEquals(log, ["forked", "released"]);
 * ```
 */
export class Switch {
  static {
    scopeOf = (sw) => typeof sw === "object" && sw !== null && #scope in sw ? sw.#scope : undefined;
    describe = (sw) => sw.#hooks.toArray().map(({ resource }) => resource.label);
    takesHooks = (sw) => sw.#state === "on";
    addHook = (sw, action, resource) => {
      if (sw.#state !== "on") throw new TypeError(`Cannot ${action}: the switch is ${sw.#state}`);
      return new Hook(sw.#hooks, resource);
    };
    fiberFailed = (sw, error) => sw.#fail(error);
    fiberEnded = (sw) => sw.#ended();
    Object.freeze(this.prototype);
    Object.freeze(this);
  }

  /** The name given to {@linkcode Switch.run}. */
  readonly name: string | undefined;

  readonly #scope: Scope;
  readonly #hooks: List<Hook> = new List();
  #failures: Failures | undefined;
  #state: "on" | "releasing" | "finished" = "on";
  #fibers = 1; // the main function
  #daemons = 0;
  #daemonScope: Scope | undefined;
  #forks: Forks | undefined;
  /** Tells that no fiber is left, or no daemon. */
  #idle: (() => void) | undefined;

  /**
   * Not for users: {@linkcode Switch.run} makes a switch.
   *
   * @param permit What only this module has.
   * @param name A name for {@linkcode Switch.dump}.
   * @param parent What cancels it.
   * @param shielded Whether that does not reach it.
   * @throws {TypeError} When called from outside.
   */
  constructor(permit: unknown, name: string | undefined, parent: Scope | undefined, shielded: boolean) {
    if (permit !== key) throw new TypeError("Cannot construct a Switch: use Switch.run");
    this.name = name;
    this.#scope = new Scope(parent, "switch", shielded, this);
    Object.freeze(this);
  }

  /**
   * Runs `fn` with a new switch, waits for every fiber of it, runs its release hooks, and gives what `fn` gave.
   *
   * When `fn`, a fiber or a hook throws, or somebody calls {@linkcode Switch.fail}, everything in the switch is cancelled, waited for and released, and
   * what failed is thrown. Cancelling the caller cancels the switch too; a value that is there all the same is returned.
   *
   * @typeParam T What `fn` gives.
   * @param fn The main function. It is called at once, up to its first `await`.
   * @param options A name, and a signal that cancels the switch.
   * @returns What `fn` gave.
   * @throws {Cancelled} When the caller or the signal cancels it; if they did so before, `fn` is not called.
   * @throws {MultipleErrors} When several things fail. A single failure is thrown as it is.
   * @throws {TypeError} When `fn` is not a function.
   *
   * @example A scope with a value
   * ```ts
   * import { Switch } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(await Switch.run(() => 1), 1);
   * ```
   */
  static run<T>(fn: (sw: Switch) => T | Promise<T>, options: SwitchRunOptions = {}): Promise<T> {
    const { name, signal } = options;
    if (signal !== undefined && !isInstance(signal, AbortSignal)) {
      return Promise.reject(new TypeError(`Cannot run a switch as signal must be an AbortSignal: ${textOf(signal)}`));
    }
    const parent = currentScope();
    if (parent?.reason !== undefined) return parent.refuse();
    if (signal?.aborted) return Promise.reject(new Cancelled(signal.reason));
    return Switch.#run(fn, name, parent, false, signal);
  }

  /**
   * {@linkcode Switch.run}, but cancelling the caller does not reach the switch, and `fn` is called even in a cancelled scope. Calling
   * {@linkcode Switch.fail} cancels it as usual.
   *
   * @typeParam T What `fn` gives.
   * @param fn The main function. It is called at once, up to its first `await`.
   * @param options A name.
   * @returns What `fn` gave.
   * @throws {MultipleErrors} When several things fail. A single failure is thrown as it is.
   * @throws {TypeError} When `fn` is not a function.
   *
   * @example A shutdown that is always completed
   * ```ts
   * import { Switch, yieldNow } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(await Switch.runProtected(async () => (await yieldNow(), "saved")), "saved");
   * ```
   */
  static runProtected<T>(fn: (sw: Switch) => T | Promise<T>, options: SwitchOptions = {}): Promise<T> {
    return Switch.#run(fn, options.name, currentScope(), true);
  }

  static async #run<T>(
    fn: (sw: Switch) => T | Promise<T>,
    name: string | undefined,
    parent: Scope | undefined,
    shielded: boolean,
    signal?: AbortSignal,
  ): Promise<T> {
    checkFunction("run a switch", fn);
    const sw = new Switch(key, name, parent, shielded);
    const ignoreSignal = signal === undefined ? undefined : sw.#cancelWith(signal);
    let value: T;
    try {
      value = await runIn(sw.#scope, fn, sw);
    } catch (error) {
      sw.#fail(failureIn(sw.#scope, error));
    }
    sw.#fibers--;
    // The rest of its life, in this one function, as each asynchronous one costs a promise and a frame.
    let shield: Scope | undefined;
    for (;;) {
      const hook = sw.#state === "on" ? undefined : sw.#hooks.newest;
      if (hook !== undefined) {
        hook.remove();
        shield ??= new Scope(sw.#scope, "release", true);
        try {
          await runIn(shield, release, hook);
        } catch (error) {
          sw.#fail(error);
        }
        continue;
      }
      shield?.finish();
      if (sw.#fibers === 0) {
        if (sw.#daemons > 0) sw.#daemonScope?.cancel(noLongerNeeded());
        else if (sw.#state === "on") sw.#state = "releasing";
        else break;
      }
      if (sw.#fibers > 0 || sw.#daemons > 0) await new Promise<void>((resolve) => sw.#idle = resolve);
    }
    sw.#state = "finished";
    sw.#daemonScope?.finish();
    sw.#scope.finish();
    ignoreSignal?.();
    if (sw.#failures !== undefined) throw sw.#failures.error;
    return value!;
  }

  #cancelWith(signal: AbortSignal): () => void {
    const cancel = () => this.#scope.cancel(new Cancelled(signal.reason));
    signal.addEventListener("abort", cancel, { once: true });
    return () => signal.removeEventListener("abort", cancel);
  }

  /**
   * Aborted when the switch fails or is cancelled, with the {@linkcode Cancelled} as its reason. Made only when somebody asks.
   *
   * @returns The signal of this switch.
   */
  get signal(): AbortSignal {
    return this.#scope.signal;
  }

  /**
   * Starts a fiber that the switch waits for. `fn` is called at once, up to its first `await`; a throw in it fails the switch. The fiber is governed by
   * the switch, whoever calls `fork`. On a switch that failed or was cancelled `fn` is not started.
   *
   * @param fn What to run beside the main function. What it gives is awaited and dropped.
   * @throws {TypeError} When the switch is finished, or `fn` is not a function.
   *
   * @example A fiber beside the main function
   * ```ts
   * import { Switch } from "@sluice/io";
   *
   * await Switch.run((sw) => sw.fork(() => Promise.resolve()));
   * ```
   */
  fork(fn: () => unknown): void {
    this.#refuseFinished("fork a fiber");
    checkFunction("fork a fiber", fn);
    if (this.#scope.reason !== undefined) return;
    this.#fibers++;
    startFiber(this.#scope, "fiber", fn, this.#forks ??= new Forks(this));
  }

  /**
   * {@linkcode Switch.fork}, but what `fn` gives or throws goes to the promise and does not fail the switch. An error that nobody awaits is lost, and is
   * never an unhandled rejection.
   *
   * @typeParam T What `fn` gives.
   * @param fn What to run beside the main function.
   * @returns What `fn` gives. It is rejected with {@linkcode Cancelled} when the switch has failed or was cancelled, and with `TypeError` when it is
   * finished or `fn` is not a function; it is never thrown.
   *
   * @example A value for later
   * ```ts
   * import { Switch } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(await Switch.run((sw) => sw.forkPromise(() => 1)), 1);
   * ```
   */
  forkPromise<T>(fn: () => T | Promise<T>): Promise<T> {
    const promise = new Promise<T>((resolve, reject) => {
      this.#refuseFinished("fork a fiber");
      checkFunction("fork a fiber", fn);
      if (this.#scope.reason !== undefined) return resolve(this.#scope.refuse());
      this.#fibers++;
      startFiber(this.#scope, "fiber", fn, {
        value: (value) => {
          resolve(value);
          this.#ended();
        },
        error: (error) => {
          reject(error);
          this.#ended();
        },
      });
    });
    promise.catch(() => {});
    return promise;
  }

  /**
   * {@linkcode Switch.fork}, but the switch does not wait for the fiber: when only daemons are left they are cancelled and awaited. That cancellation is
   * no error; anything else that a daemon throws fails the switch. Once the switch is releasing no daemon is started.
   *
   * @param fn What to run for as long as the switch has other work.
   * @throws {TypeError} When the switch is finished, or `fn` is not a function.
   *
   * @example Background work that holds nothing up
   * ```ts
   * import { awaitCancel, Switch } from "@sluice/io";
   *
   * await Switch.run((sw) => sw.forkDaemon(() => awaitCancel()));
   * ```
   */
  forkDaemon(fn: () => unknown): void {
    this.#refuseFinished("fork a daemon");
    checkFunction("fork a daemon", fn);
    // A scope of their own, so that ending the daemons does not look like a failure of the switch.
    const scope = this.#daemonScope ??= new Scope(this.#scope, "daemons");
    if (scope.reason !== undefined || this.#state !== "on") return;
    this.#daemons++;
    startFiber(scope, "daemon", fn, {
      value: () => this.#daemonEnded(),
      error: (error) => {
        if (!isInstance(error, Cancelled) || scope.reason === undefined) this.#fail(error);
        this.#daemonEnded();
      },
    });
  }

  /**
   * Registers what to do when the switch ends. Hooks run after all fibers have ended, newest first, one at a time, each awaited and shielded from
   * cancellation; what one throws fails the switch, and the others still run.
   *
   * @param fn What to do. What it gives is awaited and dropped.
   * @returns The way to take the hook back.
   * @throws {TypeError} When the switch is releasing or finished: `fn` has been called at once then, and what it threw is the cause. What its promise
   * rejects with fails the caller's own switch.
   *
   * @example Early release
   * ```ts
   * import { Switch } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * await Switch.run((sw) => {
   *   const hook = sw.onRelease(() => {});
   *   assertEquals([hook.remove(), hook.remove()], [true, false]);
   * });
   * ```
   */
  onRelease(fn: () => unknown): ReleaseHook {
    checkFunction("register a release hook", fn);
    const hook = this.#addHook(new ReleaseFunction(fn));
    return { remove: () => hook.remove() };
  }

  /**
   * Makes the switch the owner of `resource`: it is disposed of when the switch ends, asynchronously where it can be.
   *
   * @typeParam R The resource.
   * @param resource What has `Symbol.asyncDispose` or `Symbol.dispose`.
   * @returns The same resource.
   * @throws {TypeError} When the switch is releasing or finished (the resource has been disposed of at once then), or the resource has neither method.
   *
   * @example Owning a pipe
   * ```ts
   * import { pipe, Switch } from "@sluice/io";
   *
   * await Switch.run((sw) => pipe().map((end) => sw.use(end)));
   * ```
   */
  use<R extends Disposable | AsyncDisposable>(resource: R): R {
    const methods = resource as Partial<Disposable & AsyncDisposable> | null | undefined;
    const dispose = methods?.[Symbol.asyncDispose] ?? methods?.[Symbol.dispose];
    if (typeof dispose !== "function") {
      throw new TypeError(`Cannot use a resource without Symbol.asyncDispose or Symbol.dispose: ${textOf(resource)}`);
    }
    this.#addHook({ release: () => dispose.call(resource), label: resource.constructor?.name || "resource" });
    return resource;
  }

  /**
   * Fails the switch: everything in it is cancelled in this very turn, and `error` is thrown to its owner once all has ended. The caller goes on until
   * its next operation. Later errors are added.
   *
   * @param error What failed.
   * @throws {TypeError} When the switch is finished.
   *
   * @example Failing from a fiber
   * ```ts
   * import { Switch } from "@sluice/io";
   * import { assertRejects } from "@std/assert";
   *
   * await assertRejects(() => Switch.run((sw) => sw.fail(new Error("Cannot go on"))), Error, "Cannot go on");
   * ```
   */
  fail(error: unknown): void {
    this.#refuseFinished("fail a switch");
    this.#fail(error);
  }

  /**
   * Throws unless something may still be opened under the switch.
   *
   * @throws {Cancelled} When the switch has failed or was cancelled.
   * @throws {TypeError} When the switch is finished.
   */
  check(): void {
    this.#refuseFinished("use a switch");
    if (this.#scope.reason !== undefined) throw this.#scope.reason;
  }

  /**
   * The tree of live scopes, fibers (and what each waits in) and resources under this switch, as text for people: its form may change.
   *
   * @returns One line for each, indented by depth.
   */
  dump(): string {
    return dumpScope(this.#scope, 0).join("\n");
  }

  #fail(error: unknown): void {
    (this.#failures ??= new Failures()).add(error);
    if (this.#scope.reason === undefined) {
      this.#scope.cancel(isInstance(error, Cancelled) ? error : new Cancelled(error));
    }
  }

  #addHook(resource: Releasable): Hook {
    if (this.#state === "on") return new Hook(this.#hooks, resource);
    throw this.#releaseLate(resource);
  }

  /** Releases at once what came too late, and gives what to throw. */
  #releaseLate(resource: Releasable): TypeError {
    const problem = `Cannot register a release hook: the switch is ${this.#state}`;
    const shield = new Scope(currentScope(), "release", true);
    try {
      const work = Promise.resolve(runIn(shield, () => resource.release()));
      const owner = ownerOf(currentScope());
      if (owner !== undefined) owner.#adopt(work, shield);
      else work.catch(() => {}).then(() => shield.finish()); // nobody is left who could be told
      return new TypeError(problem);
    } catch (error) {
      shield.finish();
      return new TypeError(problem, { cause: error });
    }
  }

  /** Waits for work that is under way already, as for a fiber. */
  #adopt(work: Promise<unknown>, scope: Scope): void {
    this.#fibers++;
    open.fibers++;
    const ended = () => {
      open.fibers--;
      scope.finish();
      this.#ended();
    };
    work.then(ended, (error) => {
      this.#fail(error);
      ended();
    });
  }

  #refuseFinished(action: string): void {
    if (this.#state === "finished") throw new TypeError(`Cannot ${action}: the switch is finished`);
  }

  #daemonEnded(): void {
    this.#daemons--;
    if (this.#fibers === 0) this.#idle?.();
  }

  #ended(): void {
    if (--this.#fibers === 0) this.#idle?.();
  }
}

/** What is told how the fibers of {@linkcode Switch.fork} end: one for all of a switch, so that a fiber needs none. */
class Forks implements FiberEnd<unknown> {
  readonly #sw: Switch;

  constructor(sw: Switch) {
    this.#sw = sw;
  }

  value(): void {
    fiberEnded(this.#sw);
  }

  error(error: unknown): void {
    fiberFailed(this.#sw, error);
    fiberEnded(this.#sw);
  }
}

function release({ resource }: Hook): unknown {
  return resource.release();
}

/**
 * Registers a release hook for what is about to be opened. Unlike {@linkcode Switch.onRelease} it releases nothing when it is too late.
 *
 * @throws {TypeError} When `sw` is not a switch, or is releasing or finished.
 */
export function own(sw: Switch, action: string, resource: Releasable): Hook {
  checkSwitch(sw, action);
  return addHook(sw, action, resource);
}

/**
 * Registers a release hook with the switch that governs the running code, or the nearest one around it that still takes hooks; `undefined` where there
 * is none.
 */
export function ownHere(resource: Releasable): Hook | undefined {
  for (let sw = ownerOf(currentScope()); sw !== undefined; sw = ownerOf(scopeOf(sw)?.parent)) {
    if (takesHooks(sw)) return addHook(sw, "register a release hook", resource);
  }
  return undefined;
}

/** Throws unless `sw` is a switch under which something may be opened: `TypeError`, or {@linkcode Cancelled}. */
export function checkSwitch(sw: Switch, action: string): void {
  if (scopeOf(sw) === undefined) {
    throw new TypeError(`Cannot ${action} as the owner must be a Switch: current value is ${textOf(sw)}`);
  }
  sw.check();
}

/**
 * The check with which everything starts that opens something under `sw`: nothing where it may go on, else the promise to return.
 *
 * @throws {TypeError} When `sw` is not a switch, or is finished.
 */
export function refusedFor(sw: Switch, action: string): Promise<never> | undefined {
  const scope = scopeOf(sw);
  if (scope?.reason === undefined || scope.finished) checkSwitch(sw, action);
  return scope?.reason === undefined ? refused() : scope.refuse();
}

/** Whether `sw` has failed or was cancelled. */
export function isSwitchCancelled(sw: Switch): boolean {
  return scopeOf(sw)?.reason !== undefined;
}

function ownerOf(from: Scope | undefined): Switch | undefined {
  let scope = from;
  while (scope !== undefined && scope.owner === undefined) scope = scope.parent;
  return scope?.owner as Switch | undefined;
}

function dumpScope(scope: Scope, depth: number): string[] {
  const indent = "  ".repeat(depth);
  const sw = scope.owner as Switch | undefined;
  const state = scope.reason === undefined ? "" : " (cancelled)";
  const lines = [`${indent}${scope.kind}${sw?.name === undefined ? "" : ` ${JSON.stringify(sw.name)}`}${state}`];
  for (const operation of scope.waiting()) lines.push(`${indent}  waiting: ${operation}`);
  if (sw !== undefined) { for (const label of describe(sw)) lines.push(`${indent}  resource: ${label}`); }
  for (const child of scope.children()) lines.push(...dumpScope(child, depth + 1));
  return lines;
}

/** Calls `fn`, governed by `sw` instead of by the caller's scope. */
export function runUnder<T>(sw: Switch, fn: () => T): T {
  return runIn(scopeOf(sw), fn);
}
