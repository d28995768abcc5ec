// Copyright 2026 the Sluice authors. MIT license.

import { functionName, type Linked, type List } from "../base/internal.ts";
import { endForgotten } from "./_forgotten.ts";
import type { Scope } from "./_scope.ts";

/** What {@linkcode Switch.onRelease} returns: the way to take a release hook back. */
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
  /** Releases it. What it returns is awaited; what it throws fails the switch. */
  release(): unknown;
}

/**
 * One hook in the list of its switch: the only object that owning something costs. It is taken back
 * in constant time.
 */
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

/**
 * What {@linkcode Switch.onRelease} registers: a user's function, which is called with no arguments
 * and no `this`.
 */
export class ReleaseFunction implements Releasable {
  readonly #fn: () => unknown;

  constructor(fn: () => unknown) {
    this.#fn = fn;
  }

  get label(): string {
    return functionName(this.#fn) ?? "release hook";
  }

  release(): unknown {
    const fn = this.#fn;
    return fn();
  }
}

/** Waits for a release that came too late for its switch, and ends what it did not await itself. */
export async function releaseLate(shield: Scope, release: unknown): Promise<void> {
  try {
    await release;
    const failures = await endForgotten(shield);
    if (failures.any) throw failures.error;
  } finally {
    shield.finish();
  }
}
