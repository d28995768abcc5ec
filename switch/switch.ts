// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, checkName, checkOptions, className, describe, freezeClass } from "../base/internal.ts";
import { isAborted, isInstance, isSignal, List, onAbort, open, reasonOf, rejectionOf } from "../base/internal.ts";
import { retrace, setKind, withCallerFrames } from "../base/internal.ts";
import { type FiberEnd, startFiber } from "./_fiber.ts";
import { currentScope, dumpScope, endForgotten, failureIn, ownerOf, reportOf, runIn, Scope } from "./_scope.ts";
import { Cancelled, cancelledBy, Failures, noLongerNeeded, scopeEnded } from "./errors.ts";
import { finishLateRelease, Hook, type Releasable, ReleaseFunction, type ReleaseHook } from "./release_hook.ts";

/** Options for {@linkcode Switch.runProtected}. */
export interface SwitchOptions {
  /** A name for {@linkcode Switch.dump}. */
  name?: string | undefined;
}

/** Options for {@linkcode Switch.run}. */
export interface SwitchRunOptions extends SwitchOptions {
  /**
   * Cancels the switch when it is aborted. Its reason is the cause of the {@linkcode Cancelled}.
   */
  signal?: AbortSignal | undefined;
}

/** Access to private members of a switch, for the rest of the library. */
export interface SwitchInternals {
  /** Returns the scope of `sw`, or `undefined` if it is not a switch. */
  scopeOf(sw: unknown): Scope | undefined;
  /** Returns the labels of the resources of `sw`. */
  resources(sw: object): string[];
  /** Reports whether `sw` accepts release hooks. */
  takesHooks(sw: Switch): boolean;
  /** Registers a release hook, or throws without releasing anything. */
  addHook(sw: Switch, action: string, resource: Releasable): Hook;
  /** Makes `sw` wait for `work`, and fail if it rejects. */
  adopt(sw: Switch, work: Promise<unknown>): void;
  /** Creates a switch in a borrowed scope, which it does not finish. */
  create(scope: Scope, name: string | undefined): Switch;
  /** Runs a switch in a borrowed scope, with `main` as its main function. */
  runToEnd(sw: Switch, main: () => unknown): Promise<unknown>;
}

export let internals: SwitchInternals;
let fiberFailed: (sw: Switch, error: unknown) => void;
let fiberEnded: (sw: Switch) => void;

/** Permits the construction of a switch. */
const key: unique symbol = Symbol("Switch.run");

/**
 * A scope that owns fibers and resources. When it ends, it waits for its fibers, and then runs its
 * release hooks, newest first, one at a time, each awaited and shielded from cancellation. So all
 * that was opened under it is closed, and any error in it is thrown to its caller.
 *
 * A switch has no public constructor: {@linkcode Switch.run} creates one and passes it to a
 * function.
 *
 * Source: Eio's `Switch`.
 *
 * @example A resource that is always released
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
      takesHooks: (sw) => sw.#state === "running",
      addHook: (sw, action, resource) => {
        if (sw.#state !== "running") throw new TypeError(`Cannot ${action}: the switch is ${sw.#state}`);
        return new Hook(sw.#hooks, resource);
      },
      adopt: (sw, work) => {
        sw.#checkNotFinished("leave work to a switch");
        sw.#adopt(work);
      },
      create: (scope, name) => new Switch(key, name, scope),
      runToEnd: (sw, main) => sw.#runToEnd(main, undefined, true),
    };
    fiberFailed = (sw, error) => sw.#fail(error);
    fiberEnded = (sw) => sw.#fiberEnded();
    setKind(this, "Switch");
    freezeClass(this);
  }

  /** The name given to {@linkcode Switch.run}. */
  readonly name: string | undefined;

  readonly #scope: Scope;
  readonly #hooks: List<Hook> = new List();
  #failures: Failures | undefined;
  #state: "running" | "releasing" | "finished" = "running";
  #fibers = 1; // the main function
  #daemons = 0;
  #daemonScope: Scope | undefined;
  #forks: Forks | undefined;
  /** Called when no fiber is left, or no daemon. */
  #onIdle: (() => void) | undefined;

  /**
   * Private: use {@linkcode Switch.run}.
   *
   * @param permit A value that only this module has.
   * @param name A name for {@linkcode Switch.dump}.
   * @param scope The scope of the switch.
   * @throws {TypeError} If called by a user.
   */
  constructor(permit: unknown, name: string | undefined, scope: Scope) {
    if (permit !== key) throw new TypeError("Cannot construct a Switch: use Switch.run");
    this.name = name;
    this.#scope = scope;
    scope.owner = this;
    Object.freeze(this);
  }

  /**
   * Runs `fn` with a new switch, waits for its fibers, runs its release hooks, and returns the
   * value of `fn`.
   *
   * If `fn`, a fiber or a hook throws, or {@linkcode Switch.fail} is called, everything in the
   * switch is cancelled, awaited and released, and the error is thrown. Cancelling the caller
   * cancels the switch too; if `fn` returns a value nevertheless, that is returned.
   *
   * Nothing that was begun in the switch outlives it. Once the main function and all fibers have
   * ended, a call that was not awaited, such as a `Switch.run` or a `withTimeout`, is cancelled and
   * awaited (or only awaited, if it is shielded), and the switch fails with an error that names it.
   * A fiber does the same for its calls when it ends. An operation that was not awaited is
   * cancelled without an error.
   *
   * @typeParam T The type of the value of `fn`.
   * @param fn The main function. It is called synchronously, up to its first `await`.
   * @param options A name, and a signal that cancels the switch.
   * @returns The value of `fn`.
   * @throws {Cancelled} If the caller is cancelled or the signal is aborted; if so from the start,
   * `fn` is not called.
   * @throws {MultipleErrors} If there are several errors. A single error is thrown as it is.
   * @throws {Error} If a call in the switch was not awaited.
   * @throws {TypeError} If `fn` is not a function, or an option has the wrong type.
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
   * Like {@linkcode Switch.run}, but shielded from cancellation of the caller: `fn` is called even
   * in a cancelled scope. {@linkcode Switch.fail} cancels the switch as usual.
   *
   * @typeParam T The type of the value of `fn`.
   * @param fn The main function. It is called synchronously, up to its first `await`.
   * @param options A name.
   * @returns The value of `fn`.
   * @throws {MultipleErrors} If there are several errors. A single error is thrown as it is.
   * @throws {Error} If a call in the switch was not awaited.
   * @throws {TypeError} If `fn` is not a function, or an option has the wrong type.
   *
   * @example A shutdown that always completes
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
    return scope.outcome = new Switch(key, name, scope).#runToEnd(fn, signal);
  }

  /**
   * Runs the switch from start to end, in one function, because each async function costs a promise
   * and a frame. A borrowed scope is not finished.
   */
  async #runToEnd<T>(fn: (sw: Switch) => T | Promise<T>, signal?: AbortSignal, borrowed = false): Promise<T> {
    const scope = this.#scope;
    const detach = signal === undefined ? undefined : this.#cancelWith(signal);
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
      const hook = this.#state === "running" ? undefined : this.#hooks.newest;
      if (hook !== undefined) {
        hook.remove();
        shield ??= new Scope(scope, "release hook", true);
        try {
          await runIn(shield, () => hook.resource.release());
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
        else if (this.#state === "running") this.#state = "releasing";
        else break;
      }
      if (this.#fibers > 0 || this.#daemons > 0) await new Promise<void>((resolve) => this.#onIdle = resolve);
    }
    this.#state = "finished";
    this.#daemonScope?.finish();
    if (borrowed) scope.owner = undefined;
    else scope.finish();
    const aborted = detach?.();
    if (this.#failures === undefined) return value!;
    const { error } = this.#failures;
    // An error of a signal's listener or of a fiber lacks the frames of the caller.
    if (aborted !== undefined && error === aborted) throw retrace(aborted);
    throw error === thrown ? error : withCallerFrames(error);
  }

  /** Cancels the calls that were not awaited and still run, and waits for them as for fibers. */
  #awaitForgotten(): void {
    const forgotten = this.#scope.forgotten();
    const report = this.#scope.reason === undefined ? reportOf(this.#scope, forgotten) : undefined;
    if (report !== undefined) this.#fail(report);
    for (const child of forgotten) {
      if (!child.shielded) child.cancel(scopeEnded()); // not cancelled yet, if there was no report
      this.#fibers++;
      child.outcome?.then(() => this.#fiberEnded(), (error) => {
        if (!isInstance(error, Cancelled)) this.#fail(error);
        this.#fiberEnded();
      });
    }
  }

  /**
   * Cancels the switch when `signal` is aborted. Returns a function that detaches it from the
   * signal and returns the cancellation, if the signal caused one.
   */
  #cancelWith(signal: AbortSignal): () => Cancelled | undefined {
    let reason: Cancelled | undefined;
    const remove = onAbort(signal, () => this.#scope.cancel(reason = new Cancelled(reasonOf(signal))));
    return () => (remove(), reason);
  }

  /**
   * A signal that is aborted when the switch fails or is cancelled, with the {@linkcode Cancelled}
   * as its reason. Created on demand.
   *
   * @returns The signal of this switch.
   */
  get signal(): AbortSignal {
    return this.#scope.signal;
  }

  /**
   * Starts a fiber that the switch waits for.
   * `fn` is called synchronously, up to its first `await`; an error in it fails the switch. The
   * fiber belongs to the switch, whatever code calls `fork`. If the switch has failed or was
   * cancelled, or is ending its daemons, `fn` is not called.
   *
   * @param fn The function to run. Its result is awaited and discarded.
   * @throws {TypeError} If the switch is finished, or `fn` is not a function.
   *
   * @example A fiber that runs concurrently with the main function
   * ```ts
   * import { Switch } from "@sluice/io";
   *
   * await Switch.run((sw) => sw.fork(() => Promise.resolve()));
   * ```
   */
  fork(fn: () => unknown): void {
    this.#checkNotFinished("fork a fiber");
    checkFunction("fork a fiber", fn);
    if (this.#refusal !== undefined) return;
    this.#fibers++;
    startFiber(this.#scope, "fiber", fn, this.#forks ??= new Forks(this));
  }

  /**
   * Like {@linkcode Switch.fork}, but returns a promise of the outcome of `fn`, and an error does
   * not fail the switch. An error that is not awaited is lost, and is not an unhandled rejection.
   *
   * @typeParam T The type of the value of `fn`.
   * @param fn The function to run.
   * @returns The value of `fn`. The promise rejects with {@linkcode Cancelled} if the switch has
   * failed or was cancelled, or is ending its daemons, and with `TypeError` if it is finished or
   * `fn` is not a function; nothing is thrown synchronously.
   *
   * @example A value to await later
   * ```ts
   * import { Switch } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(await Switch.run((sw) => sw.forkPromise(() => 1)), 1);
   * ```
   */
  forkPromise<T>(fn: () => T | Promise<T>): Promise<T> {
    const promise = new Promise<T>((resolve, reject) => {
      this.#checkNotFinished("fork a fiber");
      checkFunction("fork a fiber", fn);
      const refusal = this.#refusal;
      if (refusal !== undefined) return resolve(refusal.refuse());
      this.#fibers++;
      startFiber(this.#scope, "fiber", fn, {
        value: (value) => {
          resolve(value);
          this.#fiberEnded();
        },
        error: (error) => {
          reject(error);
          this.#fiberEnded();
        },
      });
    });
    promise.catch(() => {});
    return promise;
  }

  /**
   * Like {@linkcode Switch.fork}, but does not keep the switch from ending: once only daemons are
   * left, they are cancelled and awaited. Any error of a daemon other than that cancellation fails
   * the switch. If the switch is releasing, `fn` is not called.
   *
   * @param fn The function to run while the switch has other work. Its result is discarded.
   * @throws {TypeError} If the switch is finished, or `fn` is not a function.
   *
   * @example Background work that does not delay the end
   * ```ts
   * import { awaitCancel, Switch } from "@sluice/io";
   *
   * await Switch.run((sw) => sw.forkDaemon(() => awaitCancel()));
   * ```
   */
  forkDaemon(fn: () => unknown): void {
    this.#checkNotFinished("fork a daemon");
    checkFunction("fork a daemon", fn);
    // A separate scope, so that ending the daemons does not cancel the switch.
    const scope = this.#daemonScope ??= new Scope(this.#scope, "daemons");
    if (scope.reason !== undefined || this.#state !== "running") return;
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
   * Registers a release hook. Hooks run after all fibers have ended, newest first, one at a time,
   * each awaited and shielded from cancellation; an error in one fails the switch, and the others
   * still run.
   *
   * @param fn The function to call when the switch ends. Its result is awaited and discarded.
   * @returns A handle that removes the hook.
   * @throws {TypeError} If `fn` is not a function, or if the switch is releasing or finished: then
   * `fn` is called at once. If it throws, that error is the cause; if its promise rejects, the
   * caller's switch fails.
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
   * Makes the switch the owner of `resource`, which is disposed of when the switch ends, by
   * `Symbol.asyncDispose` if it has that method.
   *
   * @typeParam R The type of the resource.
   * @param resource A resource with `Symbol.asyncDispose` or `Symbol.dispose`.
   * @returns The same resource.
   * @throws {TypeError} If `resource` has neither method, or if the switch is releasing or
   * finished: then the resource is disposed of at once.
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
   * Fails the switch: everything in it is cancelled before this method returns, and `error` is
   * thrown to the caller of {@linkcode Switch.run} once all has ended. The code that calls `fail`
   * runs on to its next operation. Later errors are added.
   *
   * @param error The error.
   * @throws {TypeError} If the switch is finished.
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
    this.#checkNotFinished("fail a switch");
    this.#fail(error);
  }

  /**
   * Throws if nothing can be opened under the switch any more.
   *
   * @throws {Cancelled} If the switch has failed or was cancelled.
   * @throws {TypeError} If the switch is finished.
   */
  check(): void {
    this.#checkNotFinished("use a switch");
    if (this.#scope.reason !== undefined) throw this.#scope.reason;
  }

  /**
   * Returns the tree of live scopes, fibers, pending operations and resources under this switch, as
   * text for debugging. The format may change.
   *
   * @returns A line for each, indented by depth.
   */
  dump(): string {
    return dumpScope(this.#scope, internals.resources);
  }

  #fail(error: unknown): void {
    (this.#failures ??= new Failures()).add(error);
    if (this.#scope.reason === undefined) {
      this.#scope.cancel(isInstance(error, Cancelled) ? error : cancelledBy(error));
    }
  }

  #addHook(resource: Releasable): Hook {
    if (this.#state === "running") return new Hook(this.#hooks, resource);
    throw this.#releaseLate(resource);
  }

  /** Releases a resource at once, because the switch has ended, and returns the error to throw. */
  #releaseLate(resource: Releasable): TypeError {
    const problem = `Cannot register a release hook: the switch is ${this.#state}`;
    const shield = new Scope(currentScope(), "release hook", true);
    try {
      const work = finishLateRelease(shield, runIn(shield, () => resource.release()));
      const owner = ownerOf(currentScope()) as Switch | undefined;
      if (owner !== undefined) owner.#adopt(work);
      else work.catch(() => {}); // nothing is left to report it to
      return new TypeError(problem);
    } catch (error) {
      shield.finish();
      return new TypeError(problem, { cause: error });
    }
  }

  /** Waits for work that has begun already, as for a fiber. */
  #adopt(work: Promise<unknown>): void {
    this.#fibers++;
    open.fibers++;
    const ended = () => {
      open.fibers--;
      this.#fiberEnded();
    };
    work.then(ended, (error) => {
      this.#fail(error);
      ended();
    });
  }

  /**
   * The cancelled scope that prevents a fork: that of the switch, or that of its daemons while they
   * are ending.
   */
  get #refusal(): Scope | undefined {
    if (this.#scope.reason !== undefined) return this.#scope;
    return this.#daemons > 0 && this.#daemonScope?.reason !== undefined ? this.#daemonScope : undefined;
  }

  #checkNotFinished(action: string): void {
    if (this.#state === "finished") throw new TypeError(`Cannot ${action}: the switch is finished`);
  }

  #daemonEnded(): void {
    this.#daemons--;
    if (this.#fibers === 0) this.#onIdle?.();
  }

  #fiberEnded(): void {
    if (--this.#fibers === 0) this.#onIdle?.();
  }
}

/** Receiver of the outcome of all fibers of {@linkcode Switch.fork} of a switch. */
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

/**
 * Throws `TypeError` unless a switch can run with these arguments. Returns a copy of the options:
 * each is read once.
 */
function checkRun(fn: unknown, options: SwitchRunOptions | undefined): SwitchRunOptions {
  checkFunction("run a switch", fn);
  const { name, signal } = checkOptions("run a switch", options);
  checkName("run a switch", name);
  if (signal === undefined || isSignal(signal)) return { name, signal };
  throw new TypeError(`Cannot run a switch as signal must be an AbortSignal: current value is ${describe(signal)}`);
}
