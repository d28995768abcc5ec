// Copyright 2026 the Sluice authors. MIT license.

import { follow } from "../../base/internal.ts";
import { Waiter } from "../../switch/internal.ts";
import { netErrorFrom } from "../internal.ts";
import type { Attempt } from "../internal.ts";

/** What a resolver is asked for, as an error says it. */
export interface Query {
  readonly operation: "lookup";
  /** The name, or the address as text. */
  readonly address: string;
  readonly service?: string | undefined;
}

/** Waits for a resolver's answer. Cancelling gives the question up; an answer that comes later is dropped, for it holds nothing. */
export async function ask<T>(query: Query, begin: () => Attempt<T>): Promise<T> {
  let attempt: Attempt<T>;
  try {
    attempt = begin();
  } catch (cause) {
    throw netErrorFrom(cause, query);
  }
  const waiter: Waiter<T> = new Waiter("lookup", (_, reason) => {
    attempt.cancel();
    waiter.reject(reason);
  }, { label: query.address });
  follow(
    attempt.result,
    (answer) => waiter.resolve(answer),
    (cause) => waiter.fail(() => netErrorFrom(cause, query)),
  );
  return await waiter.promise;
}
