// Copyright 2026 the Sluice authors. MIT license.

/** The bodies of requests: whatever `new Request()` takes. */
import { isAsyncIterable, isInstance, random } from "../../../base/internal.ts";
import { encode, isBytes } from "../../../flow/internal.ts";
import type { RequestBody } from "../internal.ts";

/** The body of a request. */
export interface OutgoingBody {
  /** The value of `content-type` that it implies. */
  readonly type: string | undefined;
  /** Whether it can be sent again. */
  readonly repeatable: boolean;
  /** Returns what to send; once, unless it is repeatable. */
  open(): RequestBody;
  /** Declares that it will not be sent. */
  cancel(reason: unknown): void;
}

/** Bytes that are already in memory. */
function bytesBody(bytes: Uint8Array, type?: string): OutgoingBody {
  return { type, repeatable: true, open: () => bytes, cancel: () => {} };
}

function blobBody(blob: Blob, type = blob.type): OutgoingBody {
  return {
    type: type === "" ? undefined : type,
    repeatable: true,
    open: () => ({ source: chunksOf(blob.stream()), size: blob.size }),
    cancel: () => {},
  };
}

/** A body that can be read only once. */
function onceBody(iterator: AsyncIterator<Uint8Array>, cancel: (reason: unknown) => void): OutgoingBody {
  return {
    type: undefined,
    repeatable: false,
    open: () => ({ source: { [Symbol.asyncIterator]: () => iterator } }),
    cancel,
  };
}

/**
 * Returns the body for a value of `RequestInit.body`. Locks a stream.
 *
 * @throws {TypeError} If the value is a stream that is locked.
 */
export function bodyOf(value: unknown): OutgoingBody {
  if (typeof value === "string") return bytesBody(encode(value), "text/plain;charset=UTF-8");
  if (value instanceof ArrayBuffer) return bytesBody(new Uint8Array(value.slice(0)));
  if (ArrayBuffer.isView(value)) {
    return bytesBody(new Uint8Array(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)));
  }
  if (isInstance(value, Blob)) return blobBody(value);
  if (isInstance(value, URLSearchParams)) {
    return bytesBody(encode(String(value)), "application/x-www-form-urlencoded;charset=UTF-8");
  }
  if (isInstance(value, FormData)) return formBody(value);
  if (isInstance(value, ReadableStream)) return streamBody(value);
  if (isAsyncIterable(value)) {
    const iterator = (value as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    return onceBody(iterator, () => void Promise.resolve(iterator.return?.()).catch(() => {}));
  }
  return bytesBody(encode(String(value)), "text/plain;charset=UTF-8");
}

/** Reports whether a value of `RequestInit.body` can be read only once, and so needs `duplex`. */
export function isStreaming(value: unknown): boolean {
  return isInstance(value, ReadableStream) || (typeof value === "object" && isAsyncIterable(value));
}

/** Locks the stream at once, as `fetch` does. */
function streamBody(stream: ReadableStream<Uint8Array>): OutgoingBody {
  if (stream.locked) throw new TypeError("Cannot fetch: the stream of the body is locked");
  const iterator = iteratorOf(stream.getReader());
  return onceBody(iterator, iterator.cancel);
}

function chunksOf(stream: ReadableStream<Uint8Array>): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => iteratorOf(stream.getReader()) };
}

interface StreamIterator extends AsyncIterator<Uint8Array, undefined> {
  cancel(reason: unknown): void;
}

/** What is used of a reader: the types of the runtimes' own differ. */
interface StreamReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(reason: unknown): Promise<void>;
}

function iteratorOf(reader: StreamReader): StreamIterator {
  const cancel = (reason: unknown) => void reader.cancel(reason).catch(() => {});
  return {
    next: () => reader.read() as Promise<IteratorResult<Uint8Array, undefined>>,
    return: () => {
      cancel(undefined);
      return Promise.resolve({ done: true, value: undefined });
    },
    cancel,
  };
}

/** The most bytes of the body of a `Request` that are gathered. */
const mostGathered = 1024 * 1024;

/**
 * Returns the body of a `Request`. The object does not tell whether it was made of a string or of a
 * stream, so what is there already is gathered: a body that ends at once has a length and can be
 * sent again, and any other is a stream.
 *
 * @param turn Returns a promise that is fulfilled in a later turn of the event loop.
 */
export async function gather(stream: ReadableStream<Uint8Array>, turn: () => Promise<unknown>): Promise<OutgoingBody> {
  const iterator = iteratorOf(stream.getReader());
  const chunks: Uint8Array[] = [];
  let size = 0;
  let pending = iterator.next();
  while (size <= mostGathered) {
    // Some bodies take two turns: the stream of a blob on Node.
    const result = await Promise.race([pending, turn().then(turn)]) as IteratorResult<Uint8Array> | undefined;
    if (result === undefined) break;
    if (result.done) return bytesBody(joinChunks(chunks, size));
    if (!isBytes(result.value)) break; // refused where a stream is sent
    chunks.push(result.value);
    size += result.value.length;
    pending = iterator.next();
  }
  pending.catch(() => {}); // read below, unless the request fails before
  const next = () => {
    const chunk = chunks.shift();
    if (chunk !== undefined) return Promise.resolve({ done: false as const, value: chunk });
    const result = pending;
    pending = result.then(({ done }) => done ? result : iterator.next());
    pending.catch(() => {});
    return result;
  };
  return onceBody({ next, return: iterator.return! }, iterator.cancel);
}

function joinChunks(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const joined = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}

/**
 * Encodes a form as `multipart/form-data`, in a blob, so that files are not read into memory.
 *
 * Source: the HTML standard, "multipart/form-data encoding algorithm".
 */
function formBody(form: FormData): OutgoingBody {
  const boundary = `----sluice-${word()}${word()}`;
  const parts: (string | Blob)[] = [];
  form.forEach((value, name) => {
    const start = `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(lines(name))}"`;
    if (typeof value === "string") parts.push(`${start}\r\n\r\n${lines(value)}\r\n`);
    else {
      const file = `; filename="${quoted(value.name ?? "blob")}"\r\nContent-Type: ${
        value.type || "application/octet-stream"
      }`;
      parts.push(`${start}${file}\r\n\r\n`, value, "\r\n");
    }
  });
  parts.push(`--${boundary}--\r\n`);
  return blobBody(new Blob(parts), `multipart/form-data; boundary=${boundary}`);
}

function word(): string {
  return Math.floor(random() * 2 ** 48).toString(16).padStart(12, "0");
}

function lines(text: string): string {
  return text.replace(/\r\n|\r|\n/g, "\r\n");
}

function quoted(text: string): string {
  return text.replaceAll("\r", "%0D").replaceAll("\n", "%0A").replaceAll('"', "%22");
}
