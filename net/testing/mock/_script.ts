// Copyright 2026 the Sluice authors. MIT license.

import { describe, isPromise } from "../../../base/internal.ts";
import { ignore, isSilent } from "../../../flow/internal.ts";
import { type Labelled, macrotask, Waiter } from "../../../switch/internal.ts";
import type { Attempt } from "../../internal.ts";
import { mockScope } from "./_auto_advance.ts";
import type { Action } from "./action.ts";

/** How an action has ended. */
export type ActionOutcome<V> = { readonly value: V } | { readonly error: unknown };

/** A call that waits for the outcome of an action. */
interface Receiver<V> {
  /** Whether it has its result, so that it takes no outcome: it was cancelled, for example. */
  readonly settled: boolean;
  receive(outcome: ActionOutcome<V>): void;
}

/** An action in progress, or whose outcome came after its call had ended. */
interface Begun<V> {
  receiver: Receiver<V>;
  outcome: ActionOutcome<V> | undefined;
}

/** Performs an action, in the scope of its call. */
type Performer<V> = () => V | Promise<V>;

/** How to script a mock's method. */
export interface ScriptTerms<V> {
  /** The method that adds actions: "onRead". */
  readonly handler: string;
  /** Checks a value and returns it in the form in which it is used. */
  check(value: unknown): V;
  /** Handles a call when no scripted action is left. */
  otherwise(): V;
  /** Drops a value that came after its call had ended. By default the next call takes it. */
  late?(value: V): void;
}

/**
 * The actions of one method of a mock: one for each call, in order. A call that is cancelled has
 * used its action. What that action yields later is the next call's, so that nothing that arrives
 * is lost; a call without an action of its own waits for it.
 */
export class Script<T, V = T> {
  readonly #terms: ScriptTerms<V>;
  readonly #actions: Performer<V>[] = [];
  readonly #begun: Set<Begun<V>> = new Set();

  constructor(terms: ScriptTerms<V>) {
    this.#terms = terms;
  }

  /** Appends actions: all of them, or none if one is wrong. */
  add(actions: readonly Action<T>[]): void {
    const { handler } = this.#terms;
    this.#actions.push(...actions.map((action, i) => this.#performer(action, `script action ${i + 1} of ${handler}`)));
  }

  /** Whether the next call has an action, or a value that came after its call had ended. */
  get hasNext(): boolean {
    return this.#actions.length > 0 || [...this.#begun].some(({ outcome }) => outcome !== undefined);
  }

  /** Whether a call waits. */
  get busy(): boolean {
    return [...this.#begun].some(({ receiver }) => !receiver.settled);
  }

  /** Performs the next action. The result of the call is what `done` returns for its value. */
  call<R>(operation: string, subject: Labelled, done: (value: V) => R): Promise<R> {
    // Before the action, which may cancel its scope.
    const waiter = new Waiter<R>(operation, undefined, subject, mockScope());
    this.#begin({
      get settled() {
        return waiter.settled;
      },
      receive(outcome) {
        try {
          if ("error" in outcome) throw outcome.error;
          waiter.resolve(done(outcome.value));
        } catch (error) {
          if (isSilent(error)) waiter.promise.catch(ignore);
          waiter.reject(error);
        }
      },
    });
    return waiter.promise;
  }

  /** Performs the next action for an operation that waits by itself. */
  attempt(): Attempt<V> {
    let settled = false;
    const result = new Promise<V>((resolve, reject) => {
      this.#begin({
        get settled() {
          return settled;
        },
        receive(outcome) {
          settled = true;
          if ("error" in outcome) reject(outcome.error);
          else resolve(outcome.value);
        },
      });
    });
    return { result, cancel: () => void (settled = true) };
  }

  /** Ends all calls that wait. */
  end(outcome: ActionOutcome<V>): void {
    for (const { receiver } of [...this.#begun]) if (!receiver.settled) receiver.receive(outcome);
  }

  /** Keeps a value for the next call, which takes it before its own action. */
  putBack(value: V): void {
    this.#begun.add({ receiver: { settled: true, receive: () => {} }, outcome: { value } });
  }

  #begin(receiver: Receiver<V>): void {
    const left = this.#terms.late === undefined ? [...this.#begun].filter(({ receiver }) => receiver.settled) : [];
    const arrived = left.find(({ outcome }) => outcome !== undefined);
    if (arrived?.outcome !== undefined) {
      this.#begun.delete(arrived);
      return receiver.receive(arrived.outcome);
    }
    const perform = this.#actions.shift();
    if (perform === undefined && left.length > 0) {
      left[0].receiver = receiver; // it goes on with what the call before has begun
      return;
    }
    const begun: Begun<V> = { receiver, outcome: undefined };
    this.#begun.add(begun);
    try {
      const value = (perform ?? this.#terms.otherwise)();
      if (!isPromise(value)) return this.#ended(begun, { value });
      value.then((value) => this.#ended(begun, { value }), (error) => this.#ended(begun, { error }));
    } catch (error) {
      this.#ended(begun, { error });
    }
  }

  #ended(begun: Begun<V>, outcome: ActionOutcome<V>): void {
    if (!begun.receiver.settled) {
      this.#begun.delete(begun);
      return begun.receiver.receive(outcome);
    }
    if ("value" in outcome && this.#terms.late === undefined) {
      begun.outcome = outcome;
      return;
    }
    this.#begun.delete(begun);
    if ("value" in outcome) this.#terms.late?.(outcome.value);
  }

  /** Checks an action, and returns how to perform it. Later changes to it have no effect. */
  #performer(action: unknown, what: string): Performer<V> {
    const { check } = this.#terms;
    const [kind, argument] = kindOf(action, what);
    switch (kind) {
      case "return": {
        const value = check(argument);
        return () => value;
      }
      case "throw":
        return () => {
          throw argument;
        };
      case "await": {
        if (!isPromise(argument)) throw wrong(what, "await must be a promise", argument);
        const promise = Promise.resolve(argument);
        promise.catch(ignore); // the action may never be performed
        return () => promise.then(check);
      }
      case "yieldThen": {
        const next = this.#performer(argument, what);
        return async () => {
          await new Promise<void>((resolve) => macrotask(resolve));
          return await next();
        };
      }
      case "run": {
        if (typeof argument !== "function") throw wrong(what, "run must be a function", argument);
        return () => {
          const value = argument();
          return isPromise(value) ? Promise.resolve(value).then(check) : check(value);
        };
      }
    }
  }
}

const kinds = ["return", "throw", "await", "yieldThen", "run"] as const;

/** Returns the kind of an action, and its argument. */
function kindOf(action: unknown, what: string): readonly [kind: typeof kinds[number], argument: unknown] {
  const rule = "it must be an object with one of return, throw, await, yieldThen and run";
  if (typeof action !== "object" || action === null) throw wrong(what, rule, action);
  const found = kinds.filter((kind) => Object.hasOwn(action, kind));
  if (found.length !== 1) throw new TypeError(`Cannot ${what} as ${rule}: it has ${found.join(" and ") || "none"}`);
  return [found[0], (action as Record<string, unknown>)[found[0]]];
}

function wrong(what: string, rule: string, value: unknown): TypeError {
  return new TypeError(`Cannot ${what} as ${rule}: current value is ${describe(value)}`);
}

/** Returns a handler that fails a call when no scripted action is left. */
export function unscripted({ label }: Labelled, operation: string, handler: string): () => never {
  return () => {
    throw new TypeError(`Cannot ${operation}: the mock "${label}" has no action left, so script one with ${handler}`);
  };
}
