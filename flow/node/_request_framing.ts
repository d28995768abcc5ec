// Copyright 2026 the Sluice authors. MIT license.

import { Buffer } from "node:buffer";

/** The longest line that is kept, in bytes. Servers refuse longer ones long before. */
const longestLine = 64 * 1024;

const lineFeed = 10;

/**
 * Where the requests of a connection of HTTP/1 begin and end (RFC 9112), to know whether one is under
 * way. It decides nothing else: what is not HTTP, or breaks its rules, is for the server to refuse.
 */
export class RequestFraming {
  /** How many requests have come, at least their heads. */
  heads = 0;

  /** What the next line is: one of a head, the size of a chunk, or one after the last chunk. */
  #next: "start" | "header" | "size" | "trailer" = "start";
  /** The beginning of a line. */
  #line = "";
  /** How many bytes of a body, or of a chunk and the end of its line, are yet to come. */
  #body = 0;
  #length = 0;
  #chunked = false;

  /** Whether no request is under way: each one that has begun has come to its end. */
  get between(): boolean {
    return this.#next === "start" && this.#body === 0 && (this.#line === "" || this.#line === "\r");
  }

  /** Takes what has arrived. */
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
      if (line === "") return; // it is ignored before a request
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

  /** The lines of a head, or those after the last chunk, are over. */
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
