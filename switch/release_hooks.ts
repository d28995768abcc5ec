// Copyright 2026 the Sluice authors. MIT license.

import { type Linked, List } from "./list.ts";

/** What {@linkcode Switch.onRelease} gives: the way to take a release hook back. */
export interface ReleaseHook {
  /**
   * Takes the hook back, because what it would release is gone already.
   *
   * @returns True exactly once; false if the hook was taken back before, or has been run.
   */
  remove(): boolean;
}

/** What tells a dump its name, when a dump is made. */
export interface Labelled {
  readonly label: string;
}

/** What a switch can own. */
export interface Releasable extends Labelled {
  /** Releases it. What it gives is awaited; what it throws fails the switch. */
  release(): unknown;
}

/** One hook: the only object that owning something costs. */
export class Hook implements ReleaseHook, Linked<Hook> {
  /** What is released. Its owner may put another thing in its place. */
  resource: Releasable;
  /** The list it is in, until it is taken back or run. */
  list: List<Hook> | undefined;
  newer: Hook | undefined;
  older: Hook | undefined;

  constructor(list: List<Hook>, resource: Releasable) {
    this.list = list;
    this.resource = resource;
    list.add(this);
  }

  remove(): boolean {
    if (this.list === undefined) return false;
    this.list.remove(this);
    this.list = undefined;
    return true;
  }
}

/** The release hooks of one switch: a linked list, so that a hook of a long-lived switch is taken back in constant time. */
export class ReleaseHooks {
  readonly #hooks: List<Hook> = new List();

  /** Adds a hook. It is run before all that were added earlier. */
  add(resource: Releasable): Hook {
    return new Hook(this.#hooks, resource);
  }

  /** Takes out the newest hook, and gives what the caller is to release. */
  pop(): Releasable | undefined {
    const hook = this.#hooks.newest;
    hook?.remove();
    return hook?.resource;
  }

  /** What the hooks release, oldest first. */
  labels(): string[] {
    return this.#hooks.toArray().map(({ resource }) => resource.label);
  }
}
