// Copyright 2026 the Sluice authors. MIT license.

import { withCallerFrames } from "../../base/internal.ts";
import { isSilent } from "../../flow/internal.ts";
import { type Cancelled, Waiter } from "../../switch/internal.ts";
import { type BodyOwner, type BodySource, IncomingBody } from "./_incoming_body.ts";
import type { IncomingHead } from "./_response_head.ts";
import { ResponseReader } from "./_response_reader.ts";
import type { Upload } from "./_upload.ts";

/** A request that was sent, and the response to it. */
export interface Exchange {
  /** The head of the response: the final one, or 101. */
  readonly head: IncomingHead;
  /**
   * The body without its framing: whole, if it arrived with the head; null if it is empty, or there
   * can be none.
   */
  readonly body: BodySource | Uint8Array<ArrayBuffer> | null;
  /**
   * Whether the connection can serve another request; `undefined` while the exchange is in
   * progress.
   */
  readonly reusable: boolean | undefined;
  /** Resolves, and never rejects, to `reusable` at the end of the exchange. */
  readonly done: Promise<boolean>;
  /** What cut the response short, if anything. */
  readonly failure: { readonly error: unknown } | undefined;
}

/** An exchange in progress, as its connection sees it. */
export class RunningExchange implements Exchange {
  readonly upload: Upload;
  readonly reader: ResponseReader;
  readonly waiter: Waiter<Exchange>;
  body: BodySource | Uint8Array<ArrayBuffer> | null = null;
  reusable: boolean | undefined;
  failure: { readonly error: unknown } | undefined;
  /** What broke the sending direction: the response may have arrived before. */
  writeFailure: { readonly error: unknown } | undefined;
  /** The body that is arriving. */
  incoming: IncomingBody | undefined;
  #done: Promise<boolean> | undefined;
  #resolveDone: ((reusable: boolean) => void) | undefined;

  constructor(method: string, upload: Upload, maxHeaderSize: number, cancel: (reason: Cancelled) => void) {
    this.upload = upload;
    this.reader = new ResponseReader(method, maxHeaderSize);
    this.waiter = new Waiter<Exchange>("exchange", (waiter, reason) => {
      cancel(reason);
      waiter.reject(reason);
    });
  }

  get head(): IncomingHead {
    return this.reader.head as IncomingHead;
  }

  get done(): Promise<boolean> {
    if (this.#done !== undefined) return this.#done;
    if (this.reusable !== undefined) return this.#done = Promise.resolve(this.reusable);
    return this.#done = new Promise((resolve) => this.#resolveDone = resolve);
  }

  /** Whether the head of the response is still to come. */
  get awaitsHead(): boolean {
    return this.reader.head === undefined;
  }

  /** Whether bytes of the response can be taken now. */
  get takesBytes(): boolean {
    return this.incoming?.full !== true;
  }

  /** Begins a body that has not arrived whole. */
  receive(owner: BodyOwner): IncomingBody {
    return this.body = this.incoming = new IncomingBody(owner);
  }

  /** Ends the exchange. */
  end(reusable: boolean): void {
    this.reusable = reusable;
    this.upload.stop();
    this.incoming?.end();
    this.#resolveDone?.(reusable);
  }

  /** Ends the exchange with an error. */
  fail(error: unknown): void {
    this.failure = { error };
    this.reusable = false;
    this.upload.stop();
    this.incoming?.fail(error);
    this.#resolveDone?.(false);
    const make = () => withCallerFrames(error);
    if (isSilent(error)) this.waiter.failClosed(make);
    else this.waiter.fail(make);
  }
}
