// Copyright 2026 the Sluice authors. MIT license.

import { netErrorFrom, settle } from "../internal.ts";
import type { Attempt } from "../internal.ts";

/** A question to a resolver, as its errors describe it. */
export interface Question {
  readonly operation: "lookup";
  /** The name, or the address as text. */
  readonly address: string;
  readonly service?: string | undefined;
}

/** Asks a resolver. Cancelling abandons the question; a late answer is ignored. */
export function query<T>(question: Question, begin: () => Attempt<T>): Promise<T> {
  return settle<T>({
    operation: "lookup",
    subject: { label: question.address },
    begin,
    discard() {},
    failure: (cause) => netErrorFrom(cause, question),
  });
}
