// Copyright 2026 the Sluice authors. MIT license.

import { type Closable, ignore } from "../../flow/internal.ts";
import { adopt, type Hook, registerOwner, type Releasable, type Switch } from "../../switch/internal.ts";
import { ownerGone } from "../internal.ts";

/** What may have a fast way to close. */
interface Abortable extends Closable {
  abort?(reason?: unknown): void;
}

/**
 * Calls a `closed` hook exactly once, whichever way its thing ends: closed, aborted, or with its
 * switch.
 */
export class Lifetime implements Releasable {
  readonly #closed: () => unknown;
  readonly #name: (() => string) | undefined;
  readonly #owner: Switch | undefined;
  #hook: Hook | undefined;
  #wrapper: Closable | undefined;
  #end: Promise<void> | undefined;

  /** The lifetime of what has no owner here, if there is a hook to call. */
  static of({ closed }: { closed?: (() => unknown) | undefined }): Lifetime | undefined {
    return closed && new Lifetime(closed);
  }

  /** @param name What dumps call it. */
  constructor(closed: () => unknown, name?: () => string, owner?: Switch) {
    this.#closed = closed;
    this.#name = name;
    this.#owner = owner;
  }

  get label(): string {
    return `${this.#name?.()} (wrapper)`;
  }

  /**
   * Registers with the owner. It comes before what is wrapped does so, and is released after it.
   */
  begin(owner: Switch, operation: string): void {
    this.#hook = registerOwner(owner, operation, this);
  }

  /** From now on there is something to close. Returns whether the owner can still have it. */
  holds(wrapper: Closable): boolean {
    this.#wrapper = wrapper;
    return this.#hook?.list !== undefined;
  }

  /** Nothing was opened. */
  giveUp(): void {
    this.#hook?.remove();
  }

  /** The switch ends. The hooks after this one do not wait for what is still closing. */
  release(): void {
    if (this.#wrapper !== undefined && this.#owner !== undefined) adopt(this.#owner, this.#wrapper.close());
  }

  /** It is closed. */
  end(): Promise<void> {
    return this.#end ??= this.#finish();
  }

  async #finish(): Promise<void> {
    this.#hook?.remove();
    const closed = this.#closed; // not as a method
    await closed();
  }
}

/**
 * Opens something under a switch and wraps it. If there is a `closed` hook, the switch calls it
 * when it ends.
 */
export async function openWrapped<T extends Abortable>(
  sw: Switch,
  plan: {
    readonly operation: string;
    readonly name: () => string;
    readonly closed: (() => unknown) | undefined;
    open(): Promise<T>;
    wrap(opened: T, lifetime: Lifetime | undefined): T;
  },
): Promise<T> {
  const { operation, closed, name } = plan;
  const lifetime = closed && new Lifetime(closed, name, sw);
  lifetime?.begin(sw, operation);
  let opened: T | undefined;
  let wrapper: T;
  try {
    opened = await plan.open();
    wrapper = plan.wrap(opened, lifetime);
  } catch (error) {
    lifetime?.giveUp();
    if (opened !== undefined) discard(opened); // the hooks are not what they must be
    throw error;
  }
  if (lifetime === undefined || lifetime.holds(wrapper)) return wrapper;
  discard(wrapper); // the switch has ended meanwhile, and a foreign network took no notice
  throw ownerGone(sw, operation);
}

/** Closes at once what no caller will get. */
export function discard(opened: Abortable): void {
  if (typeof opened.abort === "function") opened.abort();
  else Promise.resolve(opened.close()).catch(ignore);
}

/**
 * Runs a hook around something that is opened. Should the hook fail, what `next` has opened is
 * closed, now or when it comes.
 */
export async function runAround<T extends Abortable, H>(
  open: (hooks: H | undefined) => Promise<T>,
  hook: (next: (hooks?: H) => Promise<T>) => Promise<T>,
): Promise<T> {
  const opened: T[] = [];
  let failed = false;
  const next = async (hooks?: H) => {
    const one = await open(hooks);
    if (failed) discard(one);
    else opened.push(one);
    return one;
  };
  try {
    return await hook(next);
  } catch (error) {
    failed = true;
    opened.forEach(discard);
    throw error;
  }
}
