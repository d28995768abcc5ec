// Copyright 2026 the Sluice authors. MIT license.

/** What the reader of responses accepts and refuses, whatever the split. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { HttpError } from "../../../net/http/errors.ts";
import { ResponseReader } from "../../../net/http/_response_reader.ts";
import { test } from "../../_test.ts";
import { malformed, responses } from "./_corpus.ts";
import { bodyOf, get, raw, request, scripted, unraw } from "./_helpers.ts";

/** Reads `text` in pieces of `size` bytes. */
function read(text: string, size: number, method = "GET", limit = 16_384): unknown {
  const reader = new ResponseReader(method, limit);
  const bytes = raw(text);
  let body = "";
  let at = 0;
  while (at < bytes.length && !reader.ended) {
    at += reader.take(bytes.subarray(at, Math.min(bytes.length, at + size)));
    if (reader.data !== undefined) body += unraw(reader.data);
  }
  const { head, ended, endsAtClose, staysOpen } = reader;
  return { head, body, ended, endsAtClose, staysOpen, rest: text.slice(at) };
}

function refusal(text: string, size: number): string {
  try {
    read(text, size);
  } catch (error) {
    assert(error instanceof HttpError, String(error));
    return error.message;
  }
  return "accepted";
}

for (const [what, text, why] of malformed) {
  test(`ResponseReader refuses ${what}`, () => {
    for (const size of [text.length, 1, 2, 3, 7, 100]) assertMatch(refusal(text, size), why);
  });
}

test("ResponseReader reads a response the same in every split", () => {
  for (const text of responses) {
    const whole = read(text, text.length);
    for (let size = 1; size < text.length; size++) assertEquals(read(text, size), whole);
  }
});

test("ResponseReader keeps the names, and trims the values, of headers", () => {
  const text = "HTTP/1.1 200 \r\nX-Empty:\r\nx-SPACES: \t a b \t\r\nX-Wide: caf\xe9\r\ncontent-length: 1\r\n\r\nx";
  assertEquals(read(text, text.length), {
    head: {
      version: 1,
      status: 200,
      statusText: "",
      headers: [["X-Empty", ""], ["x-SPACES", "a b"], ["X-Wide", "caf\xe9"], ["content-length", "1"]],
    },
    body: "x",
    ended: true,
    endsAtClose: false,
    staysOpen: true,
    rest: "",
  });
});

test("ResponseReader accepts a status line that ends after the status", () => {
  const { head } = read("HTTP/1.1 204\r\n\r\n", 1) as { head: unknown };
  assertEquals(head, { version: 1, status: 204, statusText: "", headers: [] });
});

test("ResponseReader stops at the end of the response", () => {
  const first = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
  const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n";
  for (const text of [first, chunked]) {
    const { rest, body, ended } = read(`${text}HTTP/1.1`, 1000) as Record<string, unknown>;
    assertEquals({ rest, body, ended }, { rest: "HTTP/1.1", body: "ok", ended: true });
  }
});

test("ResponseReader reads no body of HEAD, 204, 304 and 101", () => {
  for (
    const [method, status] of [["HEAD", 200], ["HEAD", 404], ["GET", 204], ["GET", 304], ["POST", 101]] as const
  ) {
    const head = `HTTP/1.1 ${status} X\r\ncontent-length: 5\r\n\r\n`;
    const { ended, body, rest } = read(`${head}hello`, 1000, method) as Record<string, unknown>;
    assertEquals({ ended, body, rest }, { ended: true, body: "", rest: "hello" });
  }
});

test("ResponseReader counts all heads towards one limit", () => {
  const early = "HTTP/1.1 103 X\r\na: b\r\n\r\n";
  const last = "HTTP/1.1 204 X\r\n\r\n";
  const text = early.repeat(3) + last;
  assertEquals((read(text, 1, "GET", text.length) as { ended: boolean }).ended, true);
  for (const size of [1, 5, text.length]) {
    let message = "";
    try {
      read(text, size, "GET", text.length - 1);
    } catch (error) {
      message = (error as Error).message;
    }
    assertMatch(message, /header is larger than [0-9]+ bytes/);
  }
});

test("ResponseReader keeps the connection as its headers say", () => {
  const persists = (version: number, headers: string, status = 200) => {
    const text = `HTTP/1.${version} ${status} X\r\n${headers}content-length: 0\r\n\r\n`;
    return (read(text, text.length) as { staysOpen: boolean }).staysOpen;
  };
  assertEquals(persists(1, ""), true);
  assertEquals(persists(1, "Connection: Close\r\n"), false);
  assertEquals(persists(1, "Connection: x, close\r\n"), false);
  assertEquals(persists(1, "Connection: keep-alive\r\nConnection: close\r\n"), false);
  assertEquals(persists(0, ""), false);
  assertEquals(persists(0, "Connection: Keep-Alive\r\n"), true);
  assertEquals(persists(0, "Connection: keep-alive, close\r\n"), false);
  assertEquals(persists(1, "", 101), false);
});

test("ResponseReader does not keep a connection after a 204 that announces a body", () => {
  const text = "HTTP/1.1 204 X\r\ncontent-length: 5\r\n\r\n";
  assertEquals((read(text, text.length) as { staysOpen: boolean }).staysOpen, false);
});

test("ResponseReader joins the chunks of one piece", () => {
  const reader = new ResponseReader("GET", 1000);
  const text = `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${"1\r\na\r\n".repeat(1000)}0\r\n\r\n`;
  assertEquals(reader.take(raw(text)), text.length);
  assertEquals(reader.data?.length, 1000);
  assertEquals(reader.data?.buffer.byteLength, 1000);
});

test("ClientConnection.exchange() reads every response in single bytes", async () => {
  for (const text of responses) {
    for (const size of [text.length, 1]) {
      const { client, connection, send } = scripted();
      const pending = client.exchange(get, null);
      send(text, size);
      connection.receive(null);
      const exchange = await pending;
      const { head, body } = read(text, text.length) as { head: unknown; body: string };
      assertEquals(exchange.head as unknown, head);
      assertEquals(await bodyOf(exchange) ?? "", body);
      await client.close();
    }
  }
});

test("ClientConnection.exchange() fails and aborts the connection for a malformed response", async () => {
  for (const [, text] of malformed) {
    const { client, connection, send } = scripted();
    const pending = client.exchange(request("GET"), null).then(bodyOf);
    send(text, 50);
    await assertRejects(() => pending, HttpError);
    assertEquals([client.usable, connection.aborted], [false, true]);
  }
});
