// Copyright 2026 the Sluice authors. MIT license.

import { functionName, type Linked, type List } from "../base/internal.ts";
import { endForgotten, type Scope } from "./_scope.ts";

/** A release hook that {@linkcode Switch.onRelease} has registered. */
export interface ReleaseHook {
  /**
   * Removes the hook, so that it is not called. Use it once the resource is released.
   *
   * @returns True the first time; false if the hook was removed before, or has run.
   */
  remove(): boolean;
}

/** An object with a label. Only dumps read the label. */
export interface Labelled {
  readonly label: string;
}

/** A resource that a switch can own. */
export interface Releasable extends Labelled {
  /** Releases the resource. The result is awaited; an error fails the switch. */
  release(): unknown;
}

/** A hook in the list of its switch: the only allocation per owned resource. */
export class Hook implements ReleaseHook, Linked<Hook> {
  /** The resource to release, which its creator may replace. */
  resource: Releasable;
  /** The list that holds this hook, until it is removed or run. */
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

/** A user's function as a resource. It is called without arguments and without `this`. */
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

/**
 * Waits for a release that began after the end of its switch, and ends the calls that the release
 * did not await.
 */
export async function finishLateRelease(shield: Scope, release: unknown): Promise<void> {
  try {
    await release;
    const failures = await endForgotten(shield);
    if (failures.any) throw failures.error;
  } finally {
    shield.finish();
  }
}
