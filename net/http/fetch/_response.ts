// Copyright 2026 the Sluice authors. MIT license.

/** The runtime's own `Response`, with what only a `fetch` can set. */
import type { BodySource, IncomingHead } from "../internal.ts";
import { codingsOf, decodeBody, decodedHeaders } from "./_decoding.ts";

/** What a response is made of. */
export interface ResponseParts {
  readonly head: IncomingHead;
  readonly body: BodySource | Uint8Array<ArrayBuffer> | null;
  readonly method: string;
  readonly url: URL;
  /** Whether at least one redirect was followed. */
  readonly redirected: boolean;
  /** Converts an error of the source to that of the body. */
  failure(error: unknown): unknown;
  /** Called with a function that makes the body fail at once. */
  onStream(fail: (error: unknown) => void): void;
}

/** Makes a response. */
export function makeResponse(parts: ResponseParts): Response {
  const { head, method, url, redirected } = parts;
  const { status, statusText } = head;
  let { headers } = head;
  let { body } = parts;
  const hasNone = method === "HEAD" || status === 204 || status === 205 || status === 304;
  if (hasNone) {
    if (body !== null && "cancel" in body) body.cancel();
    body = null;
  } else {
    const codings = codingsOf(headers);
    if (codings.length > 0) {
      if (body !== null) body = decodeBody(body, codings);
      headers = decodedHeaders(headers);
    }
  }
  const content = hasNone ? null : body === null ? new Uint8Array(0) : "cancel" in body ? streamOf(body, parts) : body;
  const init = { status, statusText, headers: headers as [string, string][] };
  return withOrigin(new Response(content, init), withoutFragment(url), redirected);
}

function withoutFragment({ href, hash }: URL): string {
  return hash === "" && !href.endsWith("#") ? href : href.slice(0, href.indexOf("#"));
}

/** Defines the properties that the constructor of `Response` does not set, for clones too. */
function withOrigin(response: Response, url: string, redirected: boolean): Response {
  return Object.defineProperties(response, {
    url: { value: url, configurable: true },
    redirected: { value: redirected, configurable: true },
    type: { value: "basic", configurable: true },
    clone: {
      // Not read when the module loads, as Node then loads its fetch, and sets globals.
      value: () => withOrigin(Response.prototype.clone.call(response), url, redirected),
      configurable: true,
      writable: true,
    },
  });
}

/** Makes a stream of a body. It takes a piece from the connection only on demand. */
function streamOf(source: BodySource, { failure, onStream }: ResponseParts): ReadableStream<Uint8Array<ArrayBuffer>> {
  let over = false;
  return new ReadableStream({
    type: "bytes",
    start(controller: ReadableByteStreamController) {
      onStream((error) => {
        if (over) return;
        over = true;
        controller.error(error);
      });
    },
    async pull(controller: ReadableByteStreamController) {
      let piece: Uint8Array<ArrayBuffer> | null;
      try {
        piece = await source.next();
      } catch (error) {
        if (over) return;
        over = true;
        throw failure(error);
      }
      if (over) return;
      if (piece !== null) return controller.enqueue(piece);
      over = true;
      controller.close();
      controller.byobRequest?.respond(0);
    },
    cancel() {
      over = true;
      source.cancel();
    },
  });
}
