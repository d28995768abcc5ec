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
  own,
  refusedFor,
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

/** What to open, and for whom. */
export interface OpenPlan<P, T extends Closable> {
  /** The owner. */
  readonly sw: Switch;
  /** What is done, for dumps: "connect", "listen". */
  readonly operation: string;
  /** To what, for dumps. */
  readonly subject: Labelled;
  /** Begins. Not called in a cancelled scope, nor for a switch that may own nothing new. */
  begin(): Attempt<P>;
  /** Makes of what the provider gave what the user gets. Should it throw, what was given is discarded. */
  wrap(given: P, hook: Hook): T;
  /** Gives back at once what came too late. */
  discard(given: P): void;
  /** What is thrown for the provider's error. */
  failure(cause: unknown): unknown;
}

/**
 * Opens something under a switch. The switch owns it from the first moment: should it end while the attempt is under way, the attempt is given up. What
 * comes too late is aborted.
 */
export async function openUnder<P, T extends Closable>(plan: OpenPlan<P, T>): Promise<T> {
  const { sw, operation, subject } = plan;
  const refusal = refusedFor(sw, operation);
  if (refusal !== undefined) return await refusal;
  let opened: T | undefined;
  let attempt: Attempt<P> | undefined;
  const giveUp = (reason: unknown) => {
    hook.remove();
    attempt?.cancel();
    waiter.reject(reason);
  };
  const fail = (cause: unknown) => {
    hook.remove();
    attempt?.cancel();
    waiter.fail(() => plan.failure(cause));
  };
  const release = () => opened === undefined ? giveUp(ownerGone(sw, operation)) : opened.close();
  const hook = own(sw, operation, releasable(release, subject));
  const waiter: Waiter<T> = new Waiter(operation, (_, reason) => giveUp(reason), subject);
  try {
    attempt = plan.begin();
    follow(attempt.result, (given) => {
      if (waiter.settled || isSwitchCancelled(sw)) {
        plan.discard(given);
        giveUp(ownerGone(sw, operation));
      } else {
        try {
          waiter.resolve(opened = plan.wrap(given, hook));
        } catch (cause) {
          plan.discard(given);
          fail(cause);
        }
      }
    }, fail);
  } catch (cause) {
    fail(cause);
  }
  return await waiter.promise;
}

/** Runs `fn` for as long as `sw` can own what comes of it: when the switch ends, `fn` is cancelled. */
export async function whileOwned<T>(
  sw: Switch,
  operation: string,
  subject: Labelled,
  fn: () => Promise<T>,
): Promise<T> {
  const gone = new AbortController();
  const hook = own(sw, operation, releasable(() => gone.abort(), subject));
  try {
    return await asOperation(operation, () => Switch.run(fn, { signal: gone.signal }));
  } catch (error) {
    // A switch that fails cancels what runs in it before it releases anything.
    const { aborted, reason } = gone.signal;
    throw aborted && isInstance(error, Cancelled) && error.cause === reason ? ownerGone(sw, operation) : error;
  } finally {
    hook.remove();
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
