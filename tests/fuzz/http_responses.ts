// Copyright 2026 the Sluice authors. MIT license.

import { ClientConnection } from "../../net/http/_client_connection.ts";
import { HttpError } from "../../net/http/errors.ts";
import { ResponseReader } from "../../net/http/_response_reader.ts";
import { NetError } from "../../net/mod.ts";
import { checkError, same, type Target } from "./_fuzz.ts";
import { responses } from "../net/http/_corpus.ts";
import { ScriptedConnection } from "../net/http/_scripted_connection.ts";
import { limits, raw } from "../net/http/_helpers.ts";

/** Small, so that inputs exceed it. */
const limit = 200;
const methods = ["GET", "GET", "HEAD"];
const seeds = responses.map(raw);

/** What a reader makes of `input`, in pieces of `size` bytes. */
function read(input: Uint8Array<ArrayBuffer>, method: string, size: number): unknown[] {
  const reader = new ResponseReader(method, limit);
  let body = "";
  let at = 0;
  let failure: string | undefined;
  try {
    while (at < input.length && !reader.ended) {
      at += reader.take(input.subarray(at, Math.min(input.length, at + size)));
      if (reader.data !== undefined) body += String.fromCharCode(...reader.data);
    }
  } catch (error) {
    checkError([HttpError], error);
    failure = (error as Error).message;
  }
  if (body.length > input.length) throw new Error("The body is larger than the input");
  return [failure ?? [at, reader.ended, reader.endsAtClose, reader.staysOpen, reader.idleSeconds, body], reader.head];
}

/** The reader of responses: no split changes the result. */
export const httpResponses: Target = {
  name: "http_responses",
  seeds,
  check(input) {
    const method = methods[input.length % methods.length];
    const whole = read(input, method, input.length + 1);
    same(read(input, method, 1 + (input.length * 7 + (input[0] ?? 0)) % 13), whole);
    if (input.length % 4 === 0) same(read(input, method, 1), whole);
  },
};

/** A whole connection: it ends each exchange, with errors of its own only. */
export const httpClient: Target = {
  name: "http_client",
  seeds,
  async check(input) {
    const connection = new ScriptedConnection();
    const client = new ClientConnection(connection, limits());
    const pending = client.exchange({ method: methods[input.length % methods.length], target: "/", headers: [] }, null);
    const size = 1 + (input.length * 5) % 17;
    for (let at = 0; at < input.length; at += size) connection.receive(input.slice(at, at + size));
    connection.receive(null);
    try {
      const { body, done } = await pending;
      if (body !== null && !(body instanceof Uint8Array)) { while (await body.next() !== null); }
      await done;
    } catch (error) {
      checkError([HttpError, NetError], error);
    }
    for (let i = 0; client.usable && i < 20; i++) await null; // it looks once more for the end
    if (client.usable) throw new Error("A connection that has ended is not usable");
    await client.close();
  },
};
