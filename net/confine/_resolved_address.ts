// Copyright 2026 the Sluice authors. MIT license.

import { hasPlainZone, IpAddress } from "../internal.ts";

/** An address that a lookup has found for a name. */
export interface Found {
  /** The name, in its canonical form. */
  readonly name: string;
  /** The address, as the network inside has returned it. */
  readonly answer: IpAddress;
}

/**
 * The addresses that the lookups of a confined network have found, by their identity: a rule for a
 * name grants them too, so that code can look a name up and connect to what it has got. An equal
 * address that was made otherwise is not one of them.
 *
 * Each is a copy. The answer itself was judged and is what is dialled, so that a confined network
 * inside, which also knows its own copies, recognizes it.
 */
export class Answers {
  readonly #found: WeakMap<IpAddress, Found> = new WeakMap();

  /** Returns the copy of an answer for a canonical name that is returned to the caller. */
  add(name: string, answer: IpAddress): IpAddress {
    if (!hasPlainZone(answer)) return answer;
    const copy = new IpAddress(answer.bytes, answer.zone);
    this.#found.set(copy, Object.freeze({ name, answer }));
    return copy;
  }

  /** Returns what an address was found for, if it is one of the copies. */
  get(ip: IpAddress): Found | undefined {
    return this.#found.get(ip);
  }
}
