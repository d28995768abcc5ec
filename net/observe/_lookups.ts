// Copyright 2026 the Sluice authors. MIT license.

import { errorType } from "./_attributes.ts";
import { isFailure } from "./_observed.ts";
import { nextId, type Reporter } from "./_reporter.ts";

/** A lookup that is observed: it is reported once, at its end. */
class Lookup {
  readonly #reporter: Reporter;
  readonly #operation: string;
  readonly #name: string;
  readonly #began: number;
  readonly #answers: string[] = [];
  #ended = false;

  constructor(reporter: Reporter, operation: string, name: string) {
    this.#reporter = reporter;
    this.#operation = operation;
    this.#name = name;
    this.#began = reporter.now();
  }

  answered(answers: readonly unknown[]): void {
    this.#answers.push(...answers.map(String));
  }

  end(failure?: { readonly error: unknown }): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reporter.report("lookup", nextId(), {
      operation: this.#operation,
      duration: this.#reporter.now() - this.#began,
      "dns.question.name": this.#name,
      "dns.answers": Object.freeze(this.#answers),
      ...(failure !== undefined && isFailure(failure.error) && { "error.type": errorType(failure.error) }),
    });
  }
}

/** Observes a lookup with one answer, which `textsOf` returns as texts. */
export async function observeLookup<T>(
  reporter: Reporter,
  operation: string,
  name: string,
  ask: () => Promise<T>,
  textsOf: (answer: T) => readonly unknown[],
): Promise<T> {
  const lookup = new Lookup(reporter, operation, name);
  try {
    const answer = await ask();
    lookup.answered(textsOf(answer));
    lookup.end();
    return answer;
  } catch (error) {
    lookup.end({ error });
    throw error;
  }
}

/** Observes a lookup whose answers come one by one. It begins when the first is asked for. */
export function observeAnswers<T>(
  reporter: Reporter,
  operation: string,
  name: string,
  answers: AsyncIterable<readonly T[]>,
): AsyncIterable<readonly T[]> {
  return Object.freeze({
    [Symbol.asyncIterator](): AsyncIterator<readonly T[]> {
      const iterator = answers[Symbol.asyncIterator]();
      let lookup: Lookup | undefined;
      return Object.freeze({
        async next(): Promise<IteratorResult<readonly T[]>> {
          lookup ??= new Lookup(reporter, operation, name);
          try {
            const result = await iterator.next();
            if (result.done === true) lookup.end();
            else lookup.answered(result.value);
            return result;
          } catch (error) {
            lookup.end({ error });
            throw error;
          }
        },
        async return(): Promise<IteratorResult<readonly T[]>> {
          const result = await iterator.return?.() ?? { done: true, value: undefined };
          lookup?.end();
          return result;
        },
      });
    },
  });
}
