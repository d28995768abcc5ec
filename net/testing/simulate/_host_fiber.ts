// Copyright 2026 the Sluice authors. MIT license.

/** The outcome of a fiber of a host: a promise that knows whether it is awaited. */
export class HostFiber<T> implements Promise<T> {
  readonly [Symbol.toStringTag] = "Promise";
  readonly #outcome: Promise<T>;
  #isAwaited = false;

  constructor(outcome: Promise<T>) {
    this.#outcome = outcome;
    outcome.catch(() => {});
  }

  /** Whether an error is handled by code that awaits it. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  then<A = T, B = never>(
    fulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#isAwaited = true;
    return this.#outcome.then(fulfilled, rejected);
  }

  catch<B = never>(rejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.then(undefined, rejected);
  }

  finally(fn?: (() => void) | null): Promise<T> {
    this.#isAwaited = true;
    return this.#outcome.finally(fn);
  }
}
