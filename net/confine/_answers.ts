// Copyright 2026 the Sluice authors. MIT license.

import { operation } from "../../flow/internal.ts";
import { refused } from "../../switch/internal.ts";
import type { IpAddress } from "../internal.ts";

/** How the answers of a lookup are judged. */
export interface AnswerPlan {
  /** Begins the lookup. Throws to refuse it. */
  ask(): AsyncIterable<readonly IpAddress[]>;
  /** Returns the address to pass on instead of an answer; `undefined` if that is denied. */
  pass(ip: IpAddress): IpAddress | undefined;
  /** Returns the error if addresses were found, and none was allowed. */
  noneAllowed(): unknown;
  /** Returns the error to throw instead of that of the lookup. */
  failed(error: unknown): unknown;
}

/** Judges the answers of a lookup as they come, and passes on those that are allowed. */
export function judgedAnswers(plan: AnswerPlan): AsyncIterable<readonly IpAddress[]> {
  return Object.freeze({
    [Symbol.asyncIterator]() {
      const answers = new JudgedAnswers(plan);
      return Object.freeze({ next: () => operation(() => answers.next()), return: () => answers.return() });
    },
  });
}

type Answer = IteratorResult<readonly IpAddress[], undefined>;

const end: Answer = Object.freeze({ done: true, value: undefined });

class JudgedAnswers {
  readonly #plan: AnswerPlan;
  #inner: AsyncIterator<readonly IpAddress[]> | undefined;
  #hasEnded = false;
  #hasAllowed = false;
  #hasDropped = false;

  constructor(plan: AnswerPlan) {
    this.#plan = plan;
  }

  async next(): Promise<Answer> {
    const refusal = refused();
    if (refusal !== undefined) {
      await this.return();
      return await refusal;
    }
    try {
      while (!this.#hasEnded) {
        this.#inner ??= this.#plan.ask()[Symbol.asyncIterator]();
        const { done, value } = await this.#inner.next();
        if (done) break;
        const allowed = [...value].map((ip) => this.#pass(ip)).filter((ip) => ip !== undefined);
        if (allowed.length > 0) return { done: false, value: Object.freeze(allowed) };
      }
    } catch (error) {
      this.#hasEnded = true;
      throw this.#plan.failed(error);
    }
    const isEmpty = !this.#hasEnded && this.#hasDropped && !this.#hasAllowed;
    this.#hasEnded = true;
    if (isEmpty) throw this.#plan.noneAllowed();
    return end;
  }

  async return(): Promise<Answer> {
    this.#hasEnded = true;
    await this.#inner?.return?.();
    return end;
  }

  #pass(ip: IpAddress): IpAddress | undefined {
    const passed = this.#plan.pass(ip);
    if (passed === undefined) this.#hasDropped = true;
    else this.#hasAllowed = true;
    return passed;
  }
}
