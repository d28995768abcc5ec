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

interface Entry extends Linked<Entry> {
  readonly fn: () => unknown;
  readonly subject: Labelled;
  listed: boolean;
}

/** The release hooks of one switch: a linked list, so that a hook of a long-lived switch is taken back in constant time. */
export class ReleaseHooks {
  readonly #entries: List<Entry> = new List();

  /** Adds a hook. It is run before all that were added earlier. */
  add(fn: () => unknown, subject: Labelled): ReleaseHook {
    const remove = () => this.#remove(entry);
    const entry: Entry = { fn, subject, listed: true, older: undefined, newer: undefined };
    this.#entries.add(entry);
    return { remove };
  }

  /** Takes out the newest hook, which the caller runs. */
  pop(): (() => unknown) | undefined {
    const entry = this.#entries.newest;
    if (entry !== undefined) this.#remove(entry);
    return entry?.fn;
  }

  /** What the hooks release, oldest first. */
  labels(): string[] {
    return this.#entries.toArray().map((entry) => entry.subject.label);
  }

  #remove(entry: Entry): boolean {
    if (!entry.listed) return false;
    entry.listed = false;
    this.#entries.remove(entry);
    return true;
  }
}
