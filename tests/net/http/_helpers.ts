// Copyright 2026 the Sluice authors. MIT license.

import { systemClock } from "../../../switch/internal.ts";
import { ClientConnection, type Exchange, type ExchangeLimits } from "../../../net/http/_client_connection.ts";
import type { RequestHead } from "../../../net/http/_request_head.ts";
import { ScriptedConnection } from "./_scripted_connection.ts";

/** Limits without times, unless given. */
export function limits(own?: Partial<ExchangeLimits>): ExchangeLimits {
  return { clock: systemClock, headersTimeout: Infinity, bodyTimeout: Infinity, maxHeaderSize: 16_384, ...own };
}

/** The smallest request. */
export const get: RequestHead = { method: "GET", target: "/", headers: [["host", "a"]] };

/** The same with another method. */
export function request(method: string): RequestHead {
  return { ...get, method };
}

/** Encodes a text, one byte for each character. */
export function raw(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Decodes bytes, one character for each. */
export function unraw(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Reads the body of an exchange to its end; null if there is none. */
export async function bodyOf({ body }: Exchange): Promise<string | null> {
  if (body === null || body instanceof Uint8Array) return body && unraw(body);
  let text = "";
  for (let piece; (piece = await body.next()) !== null;) text += unraw(piece);
  return text;
}

/** A client over a connection that the test plays. */
export interface Scripted extends AsyncDisposable {
  readonly connection: ScriptedConnection;
  readonly client: ClientConnection;
  /** The peer sends a text, in one piece or in pieces of `size` bytes. */
  send(text: string, size?: number): void;
}

/** Makes one. */
export function scripted(own?: Partial<ExchangeLimits>): Scripted {
  const connection = new ScriptedConnection();
  const client = new ClientConnection(connection, limits(own));
  return {
    connection,
    client,
    send(text, size = text.length) {
      const bytes = raw(text);
      for (let at = 0; at < bytes.length; at += size) connection.receive(bytes.slice(at, at + size));
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}
