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
export interface AttemptPlan<P, T> {
  /** What is done, for dumps: "connect", "listen". */
  readonly operation: string;
  /** To what, for dumps. */
  readonly subject: Labelled;
  /** Begins. What it throws is the failure of the attempt. */
  begin(): Attempt<P>;
  /** Makes the result of what came. If it throws, what came is discarded, and the attempt has failed. */
  wrap(came: P): T;
  /** Frees at once what came too late. */
  discard(came: P): void;
  /** Makes the error that is thrown of the provider's own. */
  failure(cause: unknown): unknown;
}

/** An attempt that is waited for. */
interface Pending<T> {
  readonly promise: Promise<T>;
  /** Gives it up, and rejects with `reason`. */
  giveUp(reason: unknown): void;
}

/**
 * Waits for an attempt. Cancelling gives it up, and what comes of it later is discarded.
 *
 * @throws {Cancelled} When the current scope is cancelled.
 */
export async function settle<P, T>(plan: AttemptPlan<P, T>): Promise<T> {
  return await (refused() ?? begin(plan).promise);
}

/**
 * Begins an attempt. `refusal` returns the reason why its result cannot be used any more, if there is one; `left` is
 * called when it has failed or was given up.
 */
function begin<P, T>(
  plan: AttemptPlan<P, T>,
  refusal: () => unknown = () => undefined,
  left: () => void = () => {},
): Pending<T> {
  const { operation, subject } = plan;
  let attempt: Attempt<P> | undefined;
  const giveUp = (reason: unknown) => {
    left();
    attempt?.cancel();
    waiter.reject(reason);
  };
  const fail = (cause: unknown) => {
    left();
    attempt?.cancel();
    waiter.fail(() => plan.failure(cause));
  };
  const waiter: Waiter<T> = new Waiter(operation, (_, reason) => giveUp(reason), subject);
  const came = (value: P) => {
    const reason = refusal();
    if (waiter.settled || reason !== undefined) {
      plan.discard(value);
      return giveUp(reason);
    }
    try {
      waiter.resolve(plan.wrap(value));
    } catch (cause) {
      plan.discard(value);
      fail(cause);
    }
  };
  try {
    attempt = plan.begin();
    follow(attempt.result, came, fail);
  } catch (cause) {
    fail(cause);
  }
  return { promise: waiter.promise, giveUp };
}

/** What to open, and for whom. */
export interface OpenPlan<P, T extends Closable> extends Omit<AttemptPlan<P, T>, "wrap"> {
  /** The owner. */
  readonly sw: Switch;
  /** Makes what the user gets of what the provider opened; `hook` releases it from then on. */
  wrap(opened: P, hook: Hook): T;
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
  const wrap = (came: P) => opened = plan.wrap(came, hook);
  const reason = () => isSwitchCancelled(sw) ? ownerGone(sw, operation) : undefined;
  const pending: Pending<T> = begin({ ...plan, wrap }, reason, () => hook.remove());
  return await pending.promise;
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
