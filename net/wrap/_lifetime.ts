// Copyright 2026 the Sluice authors. MIT license.

import { type Closable, ignore } from "../../flow/internal.ts";
import { adopt, type Hook, registerOwner, type Releasable, type Switch } from "../../switch/internal.ts";
import { ownerGone } from "../internal.ts";

/** A resource that may have an `abort` method. */
interface Abortable extends Closable {
  abort?(reason?: unknown): void;
}

/**
 * Calls a `closed` hook exactly once, however its resource ends: closed, aborted, or with its
 * switch.
 */
export class Lifetime implements Releasable {
  readonly #closed: () => unknown;
  readonly #name: (() => string) | undefined;
  readonly #owner: Switch | undefined;
  #hook: Hook | undefined;
  #wrapper: Closable | undefined;
  #end: Promise<void> | undefined;

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
    return this.#end ??= this.#finish();
  }

  async #finish(): Promise<void> {
    this.#hook?.remove();
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
  if (lifetime === undefined || lifetime.attach(wrapper)) return wrapper;
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
