// Copyright 2026 the Sluice authors. MIT license.

/**
 * What a {@linkcode List} holds: each member carries its own links, so that adding it and taking it
 * out cost no search and no memory.
 */
export interface Linked<T> {
  /** The member that was added next. */
  newer: T | undefined;
  /** The member that was added before. */
  older: T | undefined;
}

/** A doubly linked list in order of addition. A member is in one list at a time. */
export class List<T extends Linked<T>> {
  /** The first member that is still there. */
  oldest: T | undefined;
  /** The last member. */
  newest: T | undefined;

  /** Adds `member` as the newest. */
  add(member: T): void {
    member.older = this.newest;
    if (this.newest === undefined) this.oldest = member;
    else this.newest.newer = member;
    this.newest = member;
  }

  /** Takes out `member`, which must be in this list. */
  remove(member: T): void {
    if (member.older === undefined) this.oldest = member.newer;
    else member.older.newer = member.newer;
    if (member.newer === undefined) this.newest = member.older;
    else member.newer.older = member.older;
    member.older = member.newer = undefined;
  }

  /** The members, oldest first. */
  toArray(): T[] {
    const members: T[] = [];
    for (let member = this.oldest; member !== undefined; member = member.newer) members.push(member);
    return members;
  }
}
