// Copyright 2026 the Sluice authors. MIT license.

import { isOfKind } from "../../base/internal.ts";
import { runUnder, type Switch } from "../../switch/internal.ts";
import type { ConnectionHooks, DatagramHooks } from "../wrap/mod.ts";
import { errorType } from "./_attributes.ts";
import { nextId, type Reporter } from "./_reporter.ts";
import type { NetAttributes, NetEventType } from "./net_event.ts";

/** Reports whether an error is a failure, and not what this side asked for. */
export function isFailure(error: unknown): boolean {
  return !isOfKind(error, "Cancelled") && !isOfKind(error, "ClosedError");
}

/** A connection, a listener or a datagram socket that is observed, from the attempt to its close. */
export class Observed {
  readonly id: number = nextId();
  readonly #reporter: Reporter;
  readonly #owner: Switch;
  /** When the attempt began, or when it was open. */
  #began: number;
  #state: "opening" | "open" | "gone" = "opening";
  #counts: NetAttributes | undefined;
  /** The types of the errors that were reported: a broken socket has one for each call. */
  #reported: Set<string> | undefined;

  constructor(reporter: Reporter, owner: Switch) {
    this.#reporter = reporter;
    this.#owner = owner;
    this.#began = reporter.now();
  }

  /** Reports an event in the scope of the owner. */
  report(type: NetEventType, attributes: NetAttributes): void {
    runUnder(this.#owner, () => this.#reporter.report(type, this.id, attributes));
  }

  /** Opens it, and reports what comes of that. */
  async open<T>(
    operation: string,
    address: NetAttributes,
    open: () => Promise<T>,
    opened: (resource: T, duration: number) => void,
  ): Promise<T> {
    let resource: T;
    try {
      resource = await open();
    } catch (error) {
      const duration = this.#age();
      if (isFailure(error)) this.report("error", { ...address, operation, duration, "error.type": errorType(error) });
      else if (operation === "connect") this.report("close", { duration });
      throw error;
    }
    opened(resource, this.#age());
    this.#began = this.#reporter.now();
    if (this.#state === "opening") this.#state = "open";
    else this.#close(); // it was gone before anyone heard of it
    return resource;
  }

  /** The hook for when it is gone. */
  readonly gone = (): void => {
    const { isOpen } = this;
    this.#state = "gone";
    if (isOpen) this.#close();
  };

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Reports a failed operation, unless it is known. */
  fail(error: unknown, operation: string): void {
    if (!isFailure(error)) return;
    const type = errorType(error);
    this.#reported ??= new Set();
    if (this.#reported.has(type)) return;
    this.#reported.add(type);
    this.report("error", { operation, "error.type": type });
  }

  /** Returns the hooks of a connection. */
  connectionHooks(): ConnectionHooks {
    const counts = { received: 0, sent: 0 };
    this.#counts = counts;
    return {
      received: (size) => void (counts.received += size),
      sent: (size) => void (counts.sent += size),
      failed: (error, operation) => {
        this.fail(error, operation);
        return error;
      },
      gone: this.gone,
    };
  }

  /** Returns the hooks of a datagram socket. */
  datagramHooks(): DatagramHooks {
    const counts = { received: 0, sent: 0, datagramsReceived: 0, datagramsSent: 0 };
    this.#counts = counts;
    return {
      received(size) {
        counts.received += size;
        counts.datagramsReceived++;
      },
      sent(size) {
        counts.sent += size;
        counts.datagramsSent++;
      },
      failed: (error, operation) => {
        this.fail(error, operation);
        return error;
      },
      gone: this.gone,
    };
  }

  #age(): number {
    return this.#reporter.now() - this.#began;
  }

  #close(): void {
    this.report("close", { duration: this.#age(), ...this.#counts });
  }
}
