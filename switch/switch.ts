// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, className, describe, freezeClass, isAborted, isInstance, List } from "../base/internal.ts";
import { onAbort, open, reasonOf, rejectionOf, retrace, setKind } from "../base/internal.ts";
import { withCallerFrames } from "./_caller_frames.ts";
import { runIn } from "./_scope.ts";
import { dumpScope } from "./_scope.ts";
import { endForgotten, reportOf } from "./_forgotten.ts";
import { currentScope, failureIn, ownerOf, Scope } from "./_scope.ts";
import { checkRun, type SwitchOptions, type SwitchRunOptions } from "./_switch_options.ts";
import { Cancelled, Failures, noLongerNeeded, scopeEnded } from "./errors.ts";
import { type FiberEnd, startFiber } from "./fiber.ts";
import { Hook, type Releasable, ReleaseFunction, type ReleaseHook, releaseLate } from "./release_hooks.ts";

const key: unique symbol = Symbol("Switch.run");
let fiberFailed: (sw: Switch, error: unknown) => void;
let fiberEnded: (sw: Switch) => void;

/** What the rest of the library may do with a switch, and users may not. */
export interface SwitchInternals {
  /** The scope of `sw`; undefined if it is not a switch. */
  scopeOf(sw: unknown): Scope | undefined;
  /** The labels of what it owns. */
  resources(sw: object): string[];
  /** Whether it takes release hooks. */
  takesHooks(sw: Switch): boolean;
  /** Registers a release hook, or throws without releasing anything. */
  addHook(sw: Switch, action: string, resource: Releasable): Hook;
  /** Makes it wait for `work`, whose rejection fails it. */
  adopt(sw: Switch, work: Promise<unknown>): void;
  /** Makes a switch of a scope that it borrows. */
  over(scope: Scope, name: string | undefined): Switch;
  /** Lives the life of a switch with a borrowed scope, of which `main` is the main function. */
  live(sw: Switch, main: () => unknown): Promise<unknown>;
}

export let internals: SwitchInternals;

/**
 * A scope that owns fibers and resources. When it ends, first its fibers end, then its release
 * hooks run, newest first, one at a time, each awaited and shielded from cancellation. What was
 * opened under it is closed, and what failed in it is thrown to its caller.
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
    internals = {
      scopeOf: (sw) => typeof sw === "object" && sw !== null && #scope in sw ? sw.#scope : undefined,
      resources: (sw) => (sw as Switch).#hooks.toArray().map(({ resource }) => resource.label),
      takesHooks: (sw) => sw.#state === "on",
      addHook: (sw, action, resource) => {
        if (sw.#state !== "on") throw new TypeError(`Cannot ${action}: the switch is ${sw.#state}`);
        return new Hook(sw.#hooks, resource);
      },
      adopt: (sw, work) => {
        sw.#refuseFinished("leave work to a switch");
        sw.#adopt(work);
      },
      over: (scope, name) => new Switch(key, name, scope),
      live: (sw, main) => sw.#live(main, undefined, true),
    };
    fiberFailed = (sw, error) => sw.#fail(error);
    fiberEnded = (sw) => sw.#ended();
    setKind(this, "Switch");
    freezeClass(this);
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
   * @param scope The scope of the switch.
   * @throws {TypeError} When called from outside.
   */
  constructor(permit: unknown, name: string | undefined, scope: Scope) {
    if (permit !== key) throw new TypeError("Cannot construct a Switch: use Switch.run");
    this.name = name;
    this.#scope = scope;
    scope.owner = this;
    Object.freeze(this);
  }

  /**
   * Runs `fn` with a new switch, waits for every fiber of it, runs its release hooks, and returns
   * what `fn` returned.
   *
   * When `fn`, a fiber or a hook throws, or something calls {@linkcode Switch.fail}, everything in
   * the switch is cancelled, waited for and released, and what failed is thrown. Cancelling the
   * caller cancels the switch too; a value that is there all the same is returned.
   *
   * Nothing that was begun in the switch outlives it. A call that was not awaited, such as a
   * `Switch.run` or a `withTimeout`, is cancelled and waited for when the main function and all
   * fibers have ended (a fiber does the same for its own when it ends), and the switch fails with
   * an error that names it. What is shielded is only waited for. An operation that was not awaited
   * is cancelled without a report.
   *
   * @typeParam T What `fn` returns.
   * @param fn The main function. It is called at once, up to its first `await`.
   * @param options A name, and a signal that cancels the switch.
   * @returns What `fn` returned.
   * @throws {Cancelled} When the caller or the signal cancels it; if they did so before, `fn` is
   * not called.
   * @throws {MultipleErrors} When several things fail. A single failure is thrown as it is.
   * @throws {Error} When a call in it was not awaited.
   * @throws {TypeError} When `fn` is not a function, or an option is of the wrong type.
   *
   * @example A scope with a value
   * ```ts
   * import { Switch } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(await Switch.run(() => 1), 1);
   * ```
   */
  static run<T>(fn: (sw: Switch) => T | Promise<T>, options?: SwitchRunOptions): Promise<T> {
    let checked: SwitchRunOptions = {};
    const problem = rejectionOf(() => checked = checkRun(fn, options));
    if (problem !== undefined) return problem;
    const parent = currentScope();
    if (parent?.reason !== undefined) return parent.refuse();
    const { name, signal } = checked;
    if (signal !== undefined && isAborted(signal)) return Promise.reject(new Cancelled(reasonOf(signal)));
    return Switch.#run(fn, name, parent, false, signal);
  }

  /**
   * {@linkcode Switch.run}, but cancelling the caller does not reach the switch, and `fn` is called
   * even in a cancelled scope. Calling {@linkcode Switch.fail} cancels it as usual.
   *
   * @typeParam T What `fn` returns.
   * @param fn The main function. It is called at once, up to its first `await`.
   * @param options A name.
   * @returns What `fn` returned.
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
  static runProtected<T>(fn: (sw: Switch) => T | Promise<T>, options?: SwitchOptions): Promise<T> {
    let checked: SwitchOptions = {};
    return rejectionOf(() => checked = checkRun(fn, options)) ?? Switch.#run(fn, checked.name, currentScope(), true);
  }

  static #run<T>(
    fn: (sw: Switch) => T | Promise<T>,
    name: string | undefined,
    parent: Scope | undefined,
    shielded: boolean,
    signal?: AbortSignal,
  ): Promise<T> {
    const scope = new Scope(parent, "switch", shielded);
    return scope.outcome = new Switch(key, name, scope).#live(fn, signal);
  }

  /**
   * The whole life of the switch, in one function, because each asynchronous one costs a promise
   * and a frame. A borrowed scope is not finished.
   */
  async #live<T>(fn: (sw: Switch) => T | Promise<T>, signal?: AbortSignal, borrowed = false): Promise<T> {
    const scope = this.#scope;
    const ignoreSignal = signal === undefined ? undefined : this.#cancelWith(signal);
    let value: T;
    let thrown: unknown;
    try {
      value = await runIn(scope, fn, this);
    } catch (error) {
      thrown = failureIn(scope, error);
      this.#fail(thrown);
    }
    this.#fibers--;
    let shield: Scope | undefined;
    for (;;) {
      const hook = this.#state === "on" ? undefined : this.#hooks.newest;
      if (hook !== undefined) {
        hook.remove();
        shield ??= new Scope(scope, "release hook", true);
        try {
          await runIn(shield, release, hook);
        } catch (error) {
          this.#fail(error);
        }
        if (shield.hasForgotten) {
          const { any, error } = await endForgotten(shield);
          if (any) this.#fail(error);
          shield.finish();
          shield = undefined;
        }
        continue;
      }
      shield?.finish();
      shield = undefined;
      if (this.#fibers === 0 && scope.hasForgotten) this.#awaitForgotten();
      if (this.#fibers === 0) {
        if (this.#daemons > 0) this.#daemonScope?.cancel(noLongerNeeded());
        else if (this.#state === "on") this.#state = "releasing";
        else break;
      }
      if (this.#fibers > 0 || this.#daemons > 0) await new Promise<void>((resolve) => this.#idle = resolve);
    }
    this.#state = "finished";
    this.#daemonScope?.finish();
    if (borrowed) scope.owner = undefined;
    else scope.finish();
    const made = ignoreSignal?.();
    if (this.#failures === undefined) return value!;
    const { error } = this.#failures;
    // Neither a listener of the signal nor a fiber leaves frames of the caller on what it throws.
    throw made !== undefined && error === made ? retrace(made) : error === thrown ? error : withCallerFrames(error);
  }

  /**
   * Cancels the calls that were not awaited and still run, although all fibers have ended, and
   * waits for them as for a fiber.
   */
  #awaitForgotten(): void {
    const forgotten = this.#scope.forgotten();
    const report = this.#scope.reason === undefined ? reportOf(this.#scope, forgotten) : undefined;
    if (report !== undefined) this.#fail(report);
    for (const child of forgotten) {
      if (!child.shielded) child.cancel(scopeEnded()); // a part of an operation of the library
      this.#fibers++;
      child.outcome?.then(() => this.#ended(), (error) => {
        if (!isInstance(error, Cancelled)) this.#fail(error);
        this.#ended();
      });
    }
  }

  #cancelWith(signal: AbortSignal): () => Cancelled | undefined {
    let reason: Cancelled | undefined;
    const forget = onAbort(signal, () => this.#scope.cancel(reason = new Cancelled(reasonOf(signal))));
    return () => (forget(), reason);
  }

  /**
   * Aborted when the switch fails or is cancelled, with the {@linkcode Cancelled} as its reason.
   * Made only when something asks.
   *
   * @returns The signal of this switch.
   */
  get signal(): AbortSignal {
    return this.#scope.signal;
  }

  /**
   * Starts a fiber that the switch waits for. `fn` is called at once, up to its first `await`; a
   * throw in it fails the switch. The fiber is governed by the switch, whatever calls `fork`. On a
   * switch that failed or was cancelled, or whose daemons are being ended, `fn` is not started.
   *
   * @param fn What to run beside the main function. What it returns is awaited and dropped.
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
    if (this.#refusal !== undefined) return;
    this.#fibers++;
    startFiber(this.#scope, "fiber", fn, this.#forks ??= new Forks(this));
  }

  /**
   * {@linkcode Switch.fork}, but what `fn` returns or throws goes to the promise and does not fail
   * the switch. An error that nothing awaits is lost, and is never an unhandled rejection.
   *
   * @typeParam T What `fn` returns.
   * @param fn What to run beside the main function.
   * @returns What `fn` returns. It is rejected with {@linkcode Cancelled} when the switch has
   * failed or was cancelled, or its daemons are being ended, and with `TypeError` when it is
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
      const refusal = this.#refusal;
      if (refusal !== undefined) return resolve(refusal.refuse());
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
   * {@linkcode Switch.fork}, but the switch does not wait for the fiber: when only daemons are left
   * they are cancelled and awaited. That cancellation is no error; anything else that a daemon
   * throws fails the switch. Once the switch is releasing no daemon is started.
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
   * Registers what to do when the switch ends. Hooks run after all fibers have ended, newest first,
   * one at a time, each awaited and shielded from cancellation; what one throws fails the switch,
   * and the others still run.
   *
   * @param fn What to do. What it returns is awaited and dropped.
   * @returns The way to take the hook back.
   * @throws {TypeError} When the switch is releasing or finished: `fn` has been called at once
   * then, and what it threw is the cause. What its promise rejects with fails the caller's own
   * switch.
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
    return Object.freeze({ remove: () => hook.remove() });
  }

  /**
   * Makes the switch the owner of `resource`: it is disposed of when the switch ends,
   * asynchronously where it can be.
   *
   * @typeParam R The resource.
   * @param resource What has `Symbol.asyncDispose` or `Symbol.dispose`.
   * @returns The same resource.
   * @throws {TypeError} When the switch is releasing or finished (the resource has been disposed of
   * at once then), or the resource has neither method.
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
      const problem = "a resource without Symbol.asyncDispose or Symbol.dispose: current value is";
      throw new TypeError(`Cannot use ${problem} ${describe(resource)}`);
    }
    this.#addHook({ release: () => dispose.call(resource), label: className(resource) ?? "resource" });
    return resource;
  }

  /**
   * Fails the switch: everything in it is cancelled in this very turn, and `error` is thrown to its
   * owner once all has ended. The caller goes on until its next operation. Later errors are added.
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
   * The tree of live scopes, fibers (and what each waits in) and resources under this switch, as
   * text for people: its form may change.
   *
   * @returns One line for each, indented by depth.
   */
  dump(): string {
    return dumpScope(this.#scope, internals.resources);
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

  /** Releases at once what came too late, and returns what to throw. */
  #releaseLate(resource: Releasable): TypeError {
    const problem = `Cannot register a release hook: the switch is ${this.#state}`;
    const shield = new Scope(currentScope(), "release hook", true);
    try {
      const work = releaseLate(shield, runIn(shield, () => resource.release()));
      const owner = ownerOf(currentScope()) as Switch | undefined;
      if (owner !== undefined) owner.#adopt(work);
      else work.catch(() => {}); // nothing is left that could be told
      return new TypeError(problem);
    } catch (error) {
      shield.finish();
      return new TypeError(problem, { cause: error });
    }
  }

  /** Waits for work that is under way already, as for a fiber. */
  #adopt(work: Promise<unknown>): void {
    this.#fibers++;
    open.fibers++;
    const ended = () => {
      open.fibers--;
      this.#ended();
    };
    work.then(ended, (error) => {
      this.#fail(error);
      ended();
    });
  }

  /**
   * The cancelled scope because of which nothing is forked: that of the switch, or that of its
   * daemons while they are being ended.
   */
  get #refusal(): Scope | undefined {
    if (this.#scope.reason !== undefined) return this.#scope;
    return this.#daemons > 0 && this.#daemonScope?.reason !== undefined ? this.#daemonScope : undefined;
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

/**
 * What is told how the fibers of {@linkcode Switch.fork} end: one for all of a switch, so that a
 * fiber needs none.
 */
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
