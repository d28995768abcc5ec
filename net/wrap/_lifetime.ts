// Copyright 2026 the Sluice authors. MIT license.

import { type Closable, ignore, jointOf } from "../../flow/internal.ts";
import { adopt, type Hook, registerOwner, type Releasable, type Switch } from "../../switch/internal.ts";
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

/**
 * Calls a `closed` hook exactly once, however its resource ends: closed, aborted, with its switch,
 * or, if a switch owns it, because the peer has broken it or a wrapper inside has closed it.
 */
export class Lifetime implements Releasable {
  readonly #closed: () => unknown;
  readonly #name: (() => string) | undefined;
  readonly #owner: Switch | undefined;
  #hook: Hook | undefined;
  #wrapper: Closable | undefined;
  #ended = false;
  #end: Promise<void> | undefined;
  /** Called at the end, for wrappers around this one. */
  #followers: Set<() => void> | undefined;
  #unfollow: (() => void) | undefined;

  /** Returns the lifetime of a resource without an owner, if there is a hook to call. */
  static of({ closed }: { closed?: (() => unknown) | undefined }): Lifetime | undefined {
    return closed && new Lifetime(closed);
  }

  /** @param name Returns the name in dumps. */
  constructor(closed: () => unknown, name?: () => string, owner?: Switch) {
    this.#closed = closed;
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

  /** Ends this lifetime when `inner` ends without it. */
  follow(inner: object): void {
    const end = () => void this.end().catch(ignore); // close() reports it
    const forget = [jointOf(inner)?.onGone(end), lifetimes.get(inner)?.onEnd(end)];
    this.#unfollow = () => forget.forEach((each) => each?.());
    if (this.#ended) this.#unfollow();
  }

  /** Calls `follower` when this has ended. Returns a function that forgets it. */
  onEnd(follower: () => void): () => void {
    if (this.#ended) follower();
    else (this.#followers ??= new Set()).add(follower);
    return () => this.#followers?.delete(follower);
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
    this.#unfollow?.();
    this.#followers?.forEach((follower) => follower());
    const closed = this.#closed; // called without `this`
    await closed();
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
    readonly closed: (() => unknown) | undefined;
    open(): Promise<T>;
    wrap(opened: T, lifetime: Lifetime | undefined): T;
  },
): Promise<T> {
  const { operation, closed, name } = plan;
  const lifetime = closed && new Lifetime(closed, name, sw);
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
