// Copyright 2026 the Sluice authors. MIT license.

/** Eio's HTTP-like load: each connection posts a small text, reads the whole reply, which must hold the same text, and posts the next. */
import { Buffer } from "node:buffer";
import type { Load } from "./_load.ts";

/** An operation is one request with its reply. */
export function httpPosts(load: Load, connections: number): void {
  for (let i = 0; i < connections; i++) {
    let sequence = i;
    let received = "";
    const socket = load.dial({
      data(chunk) {
        received += Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString("latin1");
        const end = checkReply(received, bodyAt(sequence));
        if (end === undefined) return;
        if (end !== received.length) throw new Error(`Reply has ${received.length - end} bytes too many`);
        load.done++;
        received = "";
        if (load.stopping) socket.end();
        else socket.write(requestOf(bodyAt(++sequence)));
      },
      end() {
        if (!load.stopping || received !== "") throw new Error("Server ended before it replied");
      },
    });
    socket.write(requestOf(bodyAt(sequence)));
  }
}

function bodyAt(sequence: number): string {
  return `message ${sequence} `.padEnd(64, "abcdefghijklmnopqrstuvwxyz");
}

function requestOf(body: string): string {
  return `POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** Where the reply ends; `undefined` while there is not all of it. */
function checkReply(text: string, body: string): number | undefined {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return undefined;
  const end = head + 4 + body.length;
  if (text.length < end) return undefined;
  if (!text.startsWith("HTTP/1.1 200 OK\r\n")) throw new Error(`Reply has another status: ${text.slice(0, 40)}`);
  const [, length] = /\r\ncontent-length: *(\d+)\r\n/i.exec(text.slice(0, head + 2)) ?? [];
  if (Number(length) !== body.length || text.slice(head + 4, end) !== body) throw new Error("Reply has another body");
  return end;
}
