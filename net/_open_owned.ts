// Copyright 2026 the Sluice authors. MIT license.

/** How everything that a switch owns is opened: the one place where ownership, cancellation and late success meet. */
import { follow, isInstance } from "../base/internal.ts";
import { type Closable, silent } from "../flow/internal.ts";
import {
  asOperation,
  Cancelled,
  hasEnded,
  type Hook,
  isSwitchCancelled,
  type Labelled,
  refused,
  refusedFor,
  registerOwner,
  type Releasable,
  Switch,
  Waiter,
} from "../switch/internal.ts";
import { type Address, describeAddress, type HostAddress } from "./address.ts";

/** Something under way in a provider, which may be given up. */
export interface Attempt<T> {
  /** What comes of it. Its rejection is the runtime's own error. */
  readonly result: Promise<T>;
  /**
   * Gives it up and frees what it holds, as far as the runtime can. `result` may settle or not; what it still gives is aborted by whoever called.
   */
  cancel(): void;
}

/** How to wait for an attempt. */
export interface AttemptPlan<P> {
  /** What is done, for dumps: "connect", "listen". */
  readonly operation: string;
  /** To what, for dumps. */
  readonly subject: Labelled;
  /** Begins. What it throws is the failure of the attempt. */
  begin(): Attempt<P>;
  /** Frees at once what came too late. */
  discard(came: P): void;
  /** Makes the error that is thrown of the provider's own. */
  failure(cause: unknown): unknown;
}

/** What to open, and for whom. */
export interface OpenPlan<P, T extends Closable> extends AttemptPlan<P> {
  /** The owner. */
  readonly sw: Switch;
  /**
   * Makes what the user gets of what the provider opened; `hook` releases it from then on. If it throws, what was opened
   * is discarded, and the attempt has failed.
   */
  wrap(opened: P, hook: Hook): T;
}

/**
 * Waits for an attempt. Cancelling gives it up, and what comes of it later is discarded.
 *
 * @throws {Cancelled} When the current scope is cancelled.
 */
export async function settle<P>(plan: AttemptPlan<P>): Promise<P> {
  return await (refused() ?? new Pending<P, P>(plan, undefined, undefined, (came) => came).waiter.promise);
}

/**
 * Opens something under a switch. The switch owns it from the first moment: if it ends while the attempt is under way, the
 * attempt is given up. What comes too late is discarded.
 */
export async function openOwned<P, T extends Closable>(plan: OpenPlan<P, T>): Promise<T> {
  const { sw, operation, subject } = plan;
  const refusal = refusedFor(sw, operation);
  if (refusal !== undefined) return await refusal;
  let opened: T | undefined;
  const release = () => opened === undefined ? pending.giveUp(ownerGone(sw, operation)) : opened.close();
  const hook = registerOwner(sw, operation, releasable(release, subject));
  const pending: Pending<P, T> = new Pending(plan, sw, hook, (came) => opened = plan.wrap(came, hook));
  return await pending.waiter.promise;
}

/** An attempt that is waited for. */
class Pending<P, T> {
  readonly waiter: Waiter<T>;
  readonly #plan: AttemptPlan<P>;
  readonly #owner: Switch | undefined;
  readonly #hook: Hook | undefined;
  readonly #wrap: (came: P) => T;
  #attempt: Attempt<P> | undefined;

  /** Begins. `hook` is that of the owner, and removed if nothing comes of the attempt. */
  constructor(plan: AttemptPlan<P>, owner: Switch | undefined, hook: Hook | undefined, wrap: (came: P) => T) {
    this.#plan = plan;
    this.#owner = owner;
    this.#hook = hook;
    this.#wrap = wrap;
    this.waiter = new Waiter(plan.operation, (_, reason) => this.giveUp(reason), plan.subject);
    try {
      this.#attempt = plan.begin();
      follow(this.#attempt.result, (came) => this.#came(came), (cause) => this.#fail(cause));
    } catch (cause) {
      this.#fail(cause);
    }
  }

  /** Gives the attempt up, and rejects with `reason`. */
  giveUp(reason: unknown): void {
    this.#hook?.remove();
    this.#attempt?.cancel();
    this.waiter.reject(reason);
  }

  #fail(cause: unknown): void {
    this.#hook?.remove();
    this.#attempt?.cancel();
    this.waiter.fail(() => this.#plan.failure(cause));
  }

  #came(came: P): void {
    const owner = this.#owner;
    if (this.waiter.settled || (owner !== undefined && isSwitchCancelled(owner))) {
      this.#plan.discard(came);
      return this.giveUp(owner === undefined ? undefined : ownerGone(owner, this.#plan.operation));
    }
    try {
      this.waiter.resolve(this.#wrap(came));
    } catch (cause) {
      this.#plan.discard(came);
      this.#fail(cause);
    }
  }
}

/** What can be closed at once. */
interface Abortable {
  abort(reason?: unknown): void;
}

/**
 * Runs `fn` for as long as `sw` can own what it opens: when the switch ends, `fn` is cancelled. `fn` may leave `hook` to
 * what it opens, by putting that in the place of its resource.
 */
export async function whileOwned<T extends Abortable>(
  sw: Switch,
  operation: string,
  subject: Labelled,
  fn: (hook: Hook) => Promise<T>,
): Promise<T> {
  const gone = new AbortController();
  const pending = releasable(() => gone.abort(), subject);
  const hook = registerOwner(sw, operation, pending);
  let opened: T | undefined;
  const open = async () => opened = await fn(hook);
  try {
    return await asOperation(operation, () => Switch.run(open, { signal: gone.signal }));
  } catch (error) {
    opened?.abort(error); // it was cancelled in the turn in which it succeeded
    // A switch that fails cancels what runs in it before it releases anything.
    const { aborted, reason } = gone.signal;
    throw aborted && isInstance(error, Cancelled) && error.cause === reason ? ownerGone(sw, operation) : error;
  } finally {
    if (hook.resource === pending) hook.remove();
  }
}

/** What to throw when the switch that was to own something cannot any more. */
export function ownerGone(sw: Switch, operation: string): unknown {
  try {
    sw.check();
  } catch (reason) {
    if (reason instanceof Cancelled) return reason;
  }
  return silent(new TypeError(`Cannot ${operation}: the switch is finished`));
}

/** Why nothing can be done with what `sw` owns and this side has closed. */
export function closedState(sw: Switch): string {
  return hasEnded(sw) ? "its switch has ended" : "closed by this side";
}

/** What `release` releases, under the name of `subject`, which is asked for only when a dump is made. */
function releasable(release: () => unknown, subject: Labelled): Releasable {
  return {
    release,
    get label() {
      return subject.label;
    },
  };
}

/** What calls `address` by its name in dumps. */
export function labelled(address: Address | HostAddress): Labelled {
  return {
    get label() {
      return describeAddress(address);
    },
  };
}
