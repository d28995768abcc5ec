// Copyright 2026 the Sluice authors. MIT license.

/** What {@linkcode Switch.onRelease} gives: the way to take a release hook back. */
export interface ReleaseHook {
  /**
   * Takes the hook back, because what it would release is gone already.
   *
   * @returns True exactly once; false if the hook was taken back before, or has been run.
   */
  remove(): boolean;
}

interface Node extends ReleaseHook {
  readonly fn: () => unknown;
  readonly label: string;
  older: Node | undefined;
  newer: Node | undefined;
  listed: boolean;
}

/** The release hooks of one switch: a linked list, so that a hook of a long-lived switch is taken back in constant time. */
export class ReleaseHooks {
  #newest: Node | undefined;

  /** Adds a hook. It is run before all that were added earlier. */
  add(fn: () => unknown, label: string): ReleaseHook {
    const node: Node = {
      fn,
      label,
      older: this.#newest,
      newer: undefined,
      listed: true,
      remove: () => this.#unlink(node),
    };
    if (this.#newest !== undefined) this.#newest.newer = node;
    this.#newest = node;
    return { remove: node.remove };
  }

  /** Takes out the newest hook, which the caller runs. */
  pop(): (() => unknown) | undefined {
    const node = this.#newest;
    if (node !== undefined) this.#unlink(node);
    return node?.fn;
  }

  /** What the hooks release, oldest first. */
  labels(): string[] {
    const found: string[] = [];
    for (let node = this.#newest; node !== undefined; node = node.older) found.push(node.label);
    return found.reverse();
  }

  #unlink(node: Node): boolean {
    if (!node.listed) return false;
    node.listed = false;
    if (node.newer === undefined) this.#newest = node.older;
    else node.newer.older = node.older;
    if (node.older !== undefined) node.older.newer = node.newer;
    node.older = node.newer = undefined;
    return true;
  }
}
