// Copyright 2026 the Sluice authors. MIT license.

/** A member of a {@linkcode List}, with its links. */
export interface Linked<T> {
  /** The member added after this one. */
  newer: T | undefined;
  /** The member added before this one. */
  older: T | undefined;
}

/**
 * An intrusive doubly linked list, in insertion order: adding and removing take constant time and
 * no memory. A member is in one list at a time.
 */
export class List<T extends Linked<T>> {
  /** The first member. */
  oldest: T | undefined;
  /** The last member. */
  newest: T | undefined;

  /** Appends `member`. */
  add(member: T): void {
    member.older = this.newest;
    if (this.newest === undefined) this.oldest = member;
    else this.newest.newer = member;
    this.newest = member;
  }

  /** Removes `member`, which must be in this list. */
  remove(member: T): void {
    if (member.older === undefined) this.oldest = member.newer;
    else member.older.newer = member.newer;
    if (member.newer === undefined) this.newest = member.older;
    else member.newer.older = member.older;
    member.older = member.newer = undefined;
  }

  /** Returns the members, oldest first. */
  toArray(): T[] {
    const members: T[] = [];
    for (let member = this.oldest; member !== undefined; member = member.newer) members.push(member);
    return members;
  }
}
