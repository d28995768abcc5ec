// Copyright 2026 the Sluice authors. MIT license.

import { Buffer } from "node:buffer";

/** How much of a line is kept, in bytes. The limits of servers are much lower. */
const longestLine = 64 * 1024;

const lineFeed = 10;

/**
 * Tracks where the requests of an HTTP/1 connection begin and end (RFC 9112), to know whether one
 * is being received. It decides nothing else: the server rejects what is invalid.
 */
export class RequestFraming {
  /** How many request heads have been received. */
  heads = 0;

  /** Which kind of line comes next. A size is that of a chunk; trailers follow the last chunk. */
  #next: "start" | "header" | "size" | "trailer" = "start";
  /** The incomplete line. */
  #line = "";
  /** How many bytes are left of a body, or of a chunk with its line end. */
  #body = 0;
  #length = 0;
  #chunked = false;

  /** Whether no request is being received. */
  get idle(): boolean {
    return this.#next === "start" && this.#body === 0 && (this.#line === "" || this.#line === "\r");
  }

  /** Parses received bytes. */
  take(bytes: Uint8Array<ArrayBuffer>): void {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < buffer.length;) {
      const skipped = Math.min(this.#body, buffer.length - at);
      this.#body -= skipped;
      at += skipped;
      if (at === buffer.length) return;
      const end = buffer.indexOf(lineFeed, at);
      const stop = end < 0 ? buffer.length : end;
      if (this.#line.length < longestLine) this.#line += buffer.toString("latin1", at, stop);
      if (end < 0) return;
      at = end + 1;
      const line = this.#line.endsWith("\r") ? this.#line.slice(0, -1) : this.#line;
      this.#line = "";
      this.#take(line);
    }
  }

  #take(line: string): void {
    if (this.#next === "size") return this.#takeSize(Number.parseInt(line, 16));
    if (this.#next === "start") {
      if (line === "") return; // empty lines before a request are ignored
      this.#next = "header";
      this.#length = 0;
      this.#chunked = false;
    } else if (line === "") this.#endLines();
    else if (this.#next === "header") this.#takeHeader(line);
  }

  #takeHeader(line: string): void {
    const [, name, value = ""] = /^(content-length|transfer-encoding):(.*)$/i.exec(line) ?? [];
    if (name === undefined) return;
    if (name.length === "content-length".length) this.#length = Math.max(0, Number.parseInt(value, 10) || 0);
    else this.#chunked = /chunked\s*$/i.test(value);
  }

  /** Ends a head or the trailers. */
  #endLines(): void {
    const isHead = this.#next === "header";
    this.#next = isHead && this.#chunked ? "size" : "start";
    if (!isHead) return;
    this.heads++;
    if (!this.#chunked) this.#body = this.#length;
  }

  #takeSize(size: number): void {
    if (size > 0) this.#body = size + "\r\n".length;
    else this.#next = "trailer";
  }
}
