// Copyright 2026 the Sluice authors. MIT license.

/**
 * The reader of responses against the runtime's own parser, behind `node:http`: what ours accepts,
 * theirs understands the same way, and where ours is stricter, it is in one of the listed ways.
 */
import { assertEquals, assertMatch } from "@std/assert";
import * as http from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { ResponseReader } from "../../../net/http/_response_reader.ts";
import { Choices, makeInput } from "../../fuzz/_fuzz.ts";
import { test } from "../../_test.ts";
import { malformed, responses } from "./_corpus.ts";
import { raw, unraw } from "./_helpers.ts";

/** What a parser made of a response; undefined if it refused it. */
interface Understood {
  readonly status: number | undefined;
  readonly reason: string | undefined;
  readonly headers: readonly string[];
  readonly body: string;
}

/** In these ways ours is stricter than one of theirs. */
const stricter = new RegExp([
  "does not begin with HTTP/1", // an empty line before, HTTP/0.9 and HTTP/2.0
  "status is not from 100 to 599",
  "status line has a control character",
  "in HTTP/1.0", // a transfer-encoding
  "not just chunked", // unknown codings before it, or a list with an empty element
  "informational response has a body",
  "informational responses came before",
  "chunk extension is malformed", // white space
  "chunk extensions are larger",
  "trailers are larger",
  "content-length is not a whole number", // above 2**53
  "chunk size is too large", // above 2**53, or padded with zeros
].join("|"));

function ours(
  input: Uint8Array<ArrayBuffer>,
  method: string,
): { understood?: Understood; error?: string; used: number } {
  const reader = new ResponseReader(method, 16_384);
  let body = "";
  let used = 0;
  try {
    while (used < input.length && !reader.ended) {
      used += reader.take(input.subarray(used));
      if (reader.data !== undefined) body += unraw(reader.data);
    }
  } catch (error) {
    return { error: (error as Error).message, used: input.length };
  }
  const { head } = reader;
  if (head === undefined || (!reader.ended && !reader.endsAtClose)) {
    return { error: "premature end", used: input.length };
  }
  const headers = head.headers.map(([name, value]) => `${name.toLowerCase()}: ${value}`);
  return { understood: { status: head.status, reason: head.statusText, headers: headers.sort(), body }, used };
}

function theirs(port: number, method: string): Promise<Understood | undefined> {
  return new Promise((resolve) => {
    const request = http.request({ host: "127.0.0.1", port, method, path: "/", agent: false }, (response) => {
      const { statusCode: status, statusMessage: reason, rawHeaders } = response;
      const headers: string[] = [];
      for (let i = 0; i < rawHeaders.length; i += 2) {
        headers.push(`${rawHeaders[i].toLowerCase()}: ${rawHeaders[i + 1]}`);
      }
      let body = "";
      response.on("data", (piece) => body += unraw(piece));
      response.on("error", () => resolve(undefined));
      response.on("close", () => resolve(undefined));
      response.on(
        "end",
        () => resolve(response.complete ? { status, reason, headers: headers.sort(), body } : undefined),
      );
    });
    request.on("upgrade", (_, socket) => {
      socket.destroy();
      resolve(undefined);
    });
    request.on("error", () => resolve(undefined));
    request.end();
  });
}

/** Compares one response, which `server` sends to each connection. */
async function compare(
  serve: (bytes: Uint8Array) => number,
  input: Uint8Array<ArrayBuffer>,
  method: string,
): Promise<void> {
  const { understood, error, used } = ours(input, method);
  if (understood?.status === 101) return; // their clients treat it as an upgrade, each in its own way
  const their = await theirs(serve(input.subarray(0, used)), method);
  if (understood !== undefined) assertEquals(their, understood, JSON.stringify(unraw(input)));
  else if (their !== undefined && error !== "premature end") assertMatch(error as string, stricter);
  else assertEquals(their, undefined, JSON.stringify(unraw(input)));
}

async function withServer(fn: (serve: (bytes: Uint8Array) => number) => Promise<void>): Promise<void> {
  let bytes: Uint8Array = new Uint8Array(0);
  const server: Server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    await fn((next) => {
      bytes = next;
      return port;
    });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

test("ResponseReader understands responses as node:http does", () =>
  withServer(async (serve) => {
    for (const text of [...responses, ...malformed.map(([, text]) => text)]) {
      for (const method of ["GET", "HEAD"]) await compare(serve, raw(text), method);
    }
  }));

test("ResponseReader understands mutated responses as node:http does", () =>
  withServer(async (serve) => {
    const seeds = responses.map(raw);
    const choices = new Choices(1);
    for (let i = 0; i < 500; i++) {
      await compare(serve, makeInput(choices, { name: "", seeds, check() {} }), i % 5 === 0 ? "HEAD" : "GET");
    }
  }));
