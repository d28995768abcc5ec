// Copyright 2026 the Sluice authors. MIT license.

import { type Closable, ignore, jointOf } from "../../flow/internal.ts";
import { adopt, type Hook, interruptible, registerOwner, type Releasable, type Switch } from "../../switch/internal.ts";
import { ownerGone } from "../internal.ts";

/** A resource that may have an `abort` method. */
interface Abortable extends Closable {
  abort?(reason?: unknown): void;
}

/** The lifetime of each wrapper that has one, or of the nearest one inside it. */
const lifetimes: WeakMap<object, Lifetime> = new WeakMap();

/** Records the lifetime of a wrapper of `inner`, so that a wrapper around it learns of its end. */
export function recordLifetime(wrapper: object, inner: object, lifetime: Lifetime | undefined): void {
  const nearest = lifetime ?? lifetimes.get(inner);
  if (nearest !== undefined) lifetimes.set(wrapper, nearest);
}

/** The hooks of a wrapper that are called at its end. */
interface EndHooks {
  readonly closed?: (() => unknown) | undefined;
  readonly gone?: (() => void) | undefined;
}

/**
 * Calls a `closed` hook exactly once, however its resource ends: closed, aborted, or with its
 * switch; and before that a `gone` hook, which need not wait for the user of the wrapper.
 */
export class Lifetime implements Releasable {
  readonly #closed: EndHooks["closed"];
  readonly #gone: EndHooks["gone"];
  readonly #name: (() => string) | undefined;
  readonly #owner: Switch | undefined;
  #hook: Hook | undefined;
  #wrapper: Closable | undefined;
  #isGone = false;
  #ended = false;
  #end: Promise<void> | undefined;
  /** Called when the resource is gone, for wrappers around this one. */
  #followers: Set<() => void> | undefined;
  #unfollow: (() => void) | undefined;

  /**
   * Returns the lifetime of a resource, if there is a hook to call. `name` returns its name in
   * dumps.
   */
  static of({ closed, gone }: EndHooks, name?: () => string, owner?: Switch): Lifetime | undefined {
    return closed === undefined && gone === undefined ? undefined : new Lifetime({ closed, gone }, name, owner);
  }

  constructor({ closed, gone }: EndHooks, name?: () => string, owner?: Switch) {
    this.#closed = closed;
    this.#gone = gone;
    this.#name = name;
    this.#owner = owner;
  }

  get label(): string {
    return `${this.#name?.()} (wrapper)`;
  }

  /** Registers with the owner before the wrapped resource, and so is released after it. */
  register(owner: Switch, operation: string): void {
    this.#hook = registerOwner(owner, operation, this);
  }

  /** Sets the resource to close. Returns whether the owner can still own it. */
  attach(wrapper: Closable): boolean {
    this.#wrapper = wrapper;
    return this.#hook?.list !== undefined;
  }

  /** Notes that the resource is gone when `inner` is gone without it. */
  follow(inner: object): void {
    const gone = () => this.#noteGone();
    const forget = [jointOf(inner)?.onGone(gone), lifetimes.get(inner)?.onGone(gone)];
    this.#unfollow = () => forget.forEach((each) => each?.());
    if (this.#isGone) this.#unfollow();
  }

  /** Calls `follower` when the resource is gone. Returns a function that removes it. */
  onGone(follower: () => void): () => void {
    if (this.#isGone) follower();
    else (this.#followers ??= new Set()).add(follower);
    return () => this.#followers?.delete(follower);
  }

  #noteGone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#unfollow?.();
    const gone = this.#gone; // called without `this`
    gone?.();
    this.#followers?.forEach((follower) => follower());
  }

  /** Unregisters, because opening failed. */
  unregister(): void {
    this.#hook?.remove();
  }

  /** Called when the switch ends. Later hooks do not wait for the closing. */
  release(): void {
    if (this.#wrapper !== undefined && this.#owner !== undefined) adopt(this.#owner, this.#wrapper.close());
  }

  /** Called when the resource has been closed. */
  end(): Promise<void> {
    if (!this.#ended) {
      this.#ended = true;
      this.#end = this.#finish();
    }
    return this.#end ?? Promise.resolve(); // the hook itself has closed the resource
  }

  async #finish(): Promise<void> {
    this.#hook?.remove();
    this.#noteGone();
    const closed = this.#closed;
    await closed?.();
  }
}

/**
 * Opens a resource under a switch and wraps it. A `closed` hook is also called when the switch
 * ends.
 */
export async function openWrapped<T extends Abortable>(
  sw: Switch,
  plan: {
    readonly operation: string;
    readonly name: () => string;
    readonly hooks: EndHooks;
    open(): Promise<T>;
    wrap(opened: T, lifetime: Lifetime | undefined): T;
  },
): Promise<T> {
  const { operation, hooks, name } = plan;
  const lifetime = Lifetime.of(hooks, name, sw);
  lifetime?.register(sw, operation);
  let opened: T | undefined;
  let wrapper: T;
  try {
    opened = await plan.open();
    wrapper = plan.wrap(opened, lifetime);
  } catch (error) {
    lifetime?.unregister();
    if (opened !== undefined) discard(opened); // the hooks are invalid
    throw error;
  }
  if (lifetime === undefined) return wrapper;
  if (lifetime.attach(wrapper)) {
    lifetime.follow(opened);
    return wrapper;
  }
  discard(wrapper); // the switch ended in the meantime, which a foreign network may ignore
  throw ownerGone(sw, operation);
}

/** Closes at once a resource that no caller will receive. */
export function discard(opened: Abortable): void {
  if (typeof opened.abort === "function") opened.abort();
  else Promise.resolve(opened.close()).catch(ignore);
}

/**
 * Waits for what a user's code opens, which may ignore a cancellation: then it is discarded when it
 * comes, and so is what `check` refuses.
 */
export async function untilOpened<T extends Abortable>(opening: Promise<T>, check: (opened: T) => void): Promise<T> {
  try {
    const opened = await interruptible(opening);
    check(opened);
    return opened;
  } catch (error) {
    opening.then(discard).catch(ignore);
    throw error;
  }
}

/**
 * Runs a hook around the opening of a resource. If the hook fails, whatever `next` opens, even
 * later, is closed.
 */
export async function runAround<T extends Abortable, H>(
  open: (hooks: H | undefined) => Promise<T>,
  hook: (next: (hooks?: H) => Promise<T>) => Promise<T>,
): Promise<T> {
  const opened: T[] = [];
  let failed = false;
  const next = async (hooks?: H) => {
    const resource = await open(hooks);
    if (failed) discard(resource);
    else opened.push(resource);
    return resource;
  };
  try {
    return await hook(next);
  } catch (error) {
    failed = true;
    opened.forEach(discard);
    throw error;
  }
}
