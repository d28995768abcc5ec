// Copyright 2026 the Sluice authors. MIT license.

/** Opens resources that a switch owns, and handles ownership, cancellation and late success. */
import { follow, isInstance } from "../base/internal.ts";
import { type Closable, ignore, isSilent, silent } from "../flow/internal.ts";
import {
  asOperation,
  Cancelled,
  hasEnded,
  type Hook,
  isSwitchCancelled,
  type Labelled,
  MultipleErrors,
  refused,
  refusedFor,
  registerOwner,
  type Releasable,
  Switch,
  Waiter,
} from "../switch/internal.ts";
import { type Address, describeAddress, type HostAddress } from "./address.ts";

/** An operation in a provider, which can be cancelled. */
export interface Attempt<T> {
  /** The outcome. It rejects with the runtime's own error. */
  readonly result: Promise<T>;
  /**
   * Cancels the operation and frees its resources, as far as the runtime can. `result` may or may
   * not settle; the caller discards a late result.
   */
  cancel(): void;
}

/** How to wait for an attempt. */
export interface AttemptPlan<P> {
  /** The operation's name in dumps: "connect", "listen". */
  readonly operation: string;
  /** The operation's subject in dumps. */
  readonly subject: Labelled;
  /** Starts the attempt. If it throws, the attempt has failed. */
  begin(): Attempt<P>;
  /** Frees a late result at once. */
  discard(result: P): void;
  /** Returns the error to throw for the provider's own. */
  failure(cause: unknown): unknown;
}

/** How to open a resource that a switch owns. */
export interface OpenPlan<P, T extends Closable> extends AttemptPlan<P> {
  /** The owner. */
  readonly sw: Switch;
  /**
   * Returns the user's object for a provider's resource; `hook` then releases it. If it throws, the
   * resource is discarded, and the attempt has failed.
   */
  wrap(opened: P, hook: Hook): T;
}

/**
 * Waits for an attempt. Cancelling abandons it, and discards a late result.
 *
 * @throws {Cancelled} If the current scope is cancelled.
 */
export async function settle<P>(plan: AttemptPlan<P>): Promise<P> {
  return await (refused() ?? new Pending<P, P>(plan, undefined, undefined, (result) => result).waiter.promise);
}

/**
 * Opens a resource that a switch owns from the start: if the switch ends during the attempt, the
 * attempt is abandoned and a late result discarded.
 */
export async function openOwned<P, T extends Closable>(plan: OpenPlan<P, T>): Promise<T> {
  const { sw, operation, subject } = plan;
  const refusal = refusedFor(sw, operation);
  if (refusal !== undefined) return await refusal;
  let opened: T | undefined;
  const release = () => opened === undefined ? pending.giveUp(ownerGone(sw, operation)) : opened.close();
  const hook = registerOwner(sw, operation, releasable(release, subject));
  const pending: Pending<P, T> = new Pending(plan, sw, hook, (result) => opened = plan.wrap(result, hook));
  return await pending.waiter.promise;
}

/** An attempt in progress. */
class Pending<P, T> {
  readonly waiter: Waiter<T>;
  readonly #plan: AttemptPlan<P>;
  readonly #owner: Switch | undefined;
  readonly #hook: Hook | undefined;
  readonly #wrap: (result: P) => T;
  #attempt: Attempt<P> | undefined;

  /** Starts the attempt. `hook` is its registration with the owner, and is removed if it fails. */
  constructor(plan: AttemptPlan<P>, owner: Switch | undefined, hook: Hook | undefined, wrap: (result: P) => T) {
    this.#plan = plan;
    this.#owner = owner;
    this.#hook = hook;
    this.#wrap = wrap;
    this.waiter = new Waiter(plan.operation, (_, reason) => this.giveUp(reason), plan.subject);
    try {
      this.#attempt = plan.begin();
      follow(this.#attempt.result, (result) => this.#succeeded(result), (cause) => this.#fail(cause));
    } catch (cause) {
      this.#fail(cause);
    }
  }

  /** Abandons the attempt, and rejects with `reason`. */
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

  #succeeded(result: P): void {
    const owner = this.#owner;
    if (this.waiter.settled || (owner !== undefined && isSwitchCancelled(owner))) {
      this.#plan.discard(result);
      return this.giveUp(owner === undefined ? undefined : ownerGone(owner, this.#plan.operation));
    }
    try {
      this.waiter.resolve(this.#wrap(result));
    } catch (cause) {
      this.#plan.discard(result);
      this.#fail(cause);
    }
  }
}

/** A resource that can be closed at once. */
interface Abortable {
  abort(reason?: unknown): void;
}

/**
 * Runs `fn`. If `sw` ends, it cancels `fn` and waits for it. `fn` may hand `hook` over to what it
 * opens, by replacing its resource.
 */
export async function whileOwned<T extends Abortable>(
  sw: Switch,
  operation: string,
  subject: Labelled,
  fn: (hook: Hook) => Promise<T>,
): Promise<T> {
  const gone = new AbortController();
  const release = () => {
    gone.abort();
    return running.catch(ignore);
  };
  const pending = releasable(release, subject);
  const hook = registerOwner(sw, operation, pending);
  let opened: T | undefined;
  const open = async () => opened = await fn(hook);
  const running = asOperation(operation, () => Switch.run(open, { signal: gone.signal }));
  try {
    return await running;
  } catch (error) {
    opened?.abort(error); // cancelled in the turn in which it succeeded
    // A switch that fails cancels its waits before it releases anything.
    const { aborted, reason } = gone.signal;
    const isCancelled = aborted && isInstance(error, Cancelled) && error.cause === reason;
    // Attempts that `sw` owns too have failed one by one.
    const haveLost = hasEnded(sw) && isInstance(error, MultipleErrors) && isSilent(error);
    throw isCancelled || haveLost ? ownerGone(sw, operation) : error;
  } finally {
    if (hook.resource === pending) hook.remove();
  }
}

/** Returns the error for an operation whose owner can no longer own anything. */
export function ownerGone(sw: Switch, operation: string): unknown {
  try {
    sw.check();
  } catch (reason) {
    if (reason instanceof Cancelled) return reason;
  }
  return silent(new TypeError(`Cannot ${operation}: the switch is finished`));
}

/** Returns why a resource of `sw` that this side has closed cannot be used. */
export function closedState(sw: Switch): string {
  return hasEnded(sw) ? "its switch has ended" : "closed by this side";
}

/** Returns a resource with the label of `subject`, which is evaluated only for a dump. */
function releasable(release: () => unknown, subject: Labelled): Releasable {
  return {
    release,
    get label() {
      return subject.label;
    },
  };
}

/** Returns the label of `address` for dumps. */
export function labelled(address: Address | HostAddress): Labelled {
  return {
    get label() {
      return describeAddress(address);
    },
  };
}
