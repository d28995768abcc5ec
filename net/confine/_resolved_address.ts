// Copyright 2026 the Sluice authors. MIT license.

import { type HostAddress, IpAddress } from "../internal.ts";

/** An address that is being dialled for a name. */
interface Dialled {
  readonly host: HostAddress;
  /** The answer of the lookup, as the network inside has returned it. */
  readonly answer: IpAddress;
}

/**
 * Marks of the addresses that are being dialled for a name. A confined network looks up a name
 * itself, and dials the addresses that it allows. If the network inside is confined too, the mark
 * tells it the name, which it judges instead of the bare address. A marked address is a copy, which
 * passes through other wrappers; its mark is removed when the dialling ends, so that no code can
 * keep it.
 *
 * Any code can make marks, by confining a network of its own. So a network accepts only marks of
 * its own {@linkcode Answers}.
 */
const dialled: WeakMap<IpAddress, Dialled> = new WeakMap();

/** Calls `dial` with a copy of an answer that is marked as one of `host` until `dial` settles. */
export async function asAddressOf<T>(
  host: HostAddress,
  answer: IpAddress,
  dial: (ip: IpAddress) => Promise<T>,
): Promise<T> {
  const marked = new IpAddress(answer.bytes, answer.zone);
  dialled.set(marked, Object.freeze({ host, answer }));
  try {
    return await dial(marked);
  } finally {
    dialled.delete(marked);
  }
}

/** The answers that a confined network has returned from its lookups, by their identity. */
export class Answers {
  readonly #names: WeakMap<IpAddress, Set<string>> = new WeakMap();

  /** Remembers an answer for a canonical name. */
  add(name: string, answer: IpAddress): void {
    const names = this.#names.get(answer);
    if (names === undefined) this.#names.set(answer, new Set([name]));
    else names.add(name);
  }

  /**
   * Returns the name and port that an address is being dialled for, if it is one of the answers.
   */
  hostOf(ip: IpAddress): HostAddress | undefined {
    const { host, answer } = dialled.get(ip) ?? {};
    return host !== undefined && answer !== undefined && this.#names.get(answer)?.has(host.name) ? host : undefined;
  }
}
