// Copyright 2026 the Sluice authors. MIT license.

/** What `fetch` makes of responses. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { memoryUsage } from "node:process";
import { NetError, yieldNow } from "../../../../mod.ts";
import { HttpError } from "../../../../net/http/mod.ts";
import { outcomeOf, turns } from "../../../_helpers.ts";
import { test } from "../../../_test.ts";
import { reply, withSite } from "./_site.ts";

const url = "http://a.test/";

test("fetch() resolves to the runtime's own Response", () =>
  withSite(() => reply("hello", "x-a: 1\r\n", "201 Made it"), async ({ fetch }) => {
    const response = await fetch(`${url}#fragment`);
    assertInstanceOf(response, Response);
    const { status, statusText, ok, type, redirected } = response;
    assertEquals([status, statusText, ok, type, redirected], [201, "Made it", true, "basic", false]);
    assertEquals([response.url, response.headers.get("X-A"), response.bodyUsed], [url, "1", false]);
    assertEquals(await response.text(), "hello");
    assert(response.bodyUsed);
  }));

test("fetch() keeps repeated set-cookie headers apart", () =>
  withSite(() => reply("", "set-cookie: a=1\r\nset-cookie: b=2\r\nx: 1\r\nx: 2\r\n"), async ({ fetch }) => {
    const { headers } = await fetch(url);
    assertEquals([headers.getSetCookie(), headers.get("x")], [["a=1", "b=2"], "1, 2"]);
  }));

test("fetch() reads header values and reasons as Latin-1", () =>
  withSite(() => reply("", "x: \xe9\r\n", "200 \xe9"), async ({ fetch }) => {
    const response = await fetch(url);
    assertEquals([response.headers.get("x"), response.statusText], ["\xe9", "\xe9"]);
  }));

test("a clone of a response keeps url, redirected and type", () =>
  withSite(() => reply("hello"), async ({ fetch }) => {
    const response = await fetch(url);
    const copy = response.clone().clone();
    assertEquals([copy.url, copy.redirected, copy.type], [url, false, "basic"]);
    assertEquals([await copy.text(), await response.text()], ["hello", "hello"]);
  }));

for (const [body, made] of [["hello", "whole"], ["x".repeat(100_000), "streamed"]]) {
  test(`a ${made} body can be read as each type`, () =>
    withSite(() => reply(body), async ({ fetch }) => {
      assertEquals(await (await fetch(url)).text(), body);
      assertEquals((await (await fetch(url)).arrayBuffer()).byteLength, body.length);
      assertEquals((await (await fetch(url)).blob()).size, body.length);
      let size = 0;
      for await (const chunk of (await fetch(url)).body!) size += chunk.length;
      assertEquals(size, body.length);
    }));

  test(`a ${made} body can be read into the buffers of a BYOB reader`, () =>
    withSite(() => reply(body), async ({ fetch }) => {
      const stream = (await fetch(url)).body!;
      let reader: ReadableStreamBYOBReader;
      try {
        reader = stream.getReader({ mode: "byob" });
      } catch {
        return assert(body.length < 10); // a Response of bytes has a plain stream on some runtimes
      }
      let size = 0;
      for (;;) {
        const { done, value } = await reader.read(new Uint8Array(1000));
        if (done) break;
        size += value.length;
      }
      assertEquals(size, body.length);
    }));
}

test("fetch() reads JSON in chunks", () =>
  withSite(
    () => 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{"a\r\n5\r\n": 1}\r\n0\r\n\r\n',
    async ({ fetch }) => assertEquals(await (await fetch(url)).json(), { a: 1 }),
  ));

test("fetch() reads a body until the end of the connection", () =>
  withSite(async (_, { send, socket }) => {
    await send("HTTP/1.1 200 OK\r\n\r\nhello");
    await socket.close();
    return "close";
  }, async ({ fetch }) => assertEquals(await (await fetch(url)).text(), "hello")));

for (const status of ["204 No Content", "205 Reset Content", "304 Not Modified"]) {
  test(`the body of ${status} is null`, () =>
    withSite(
      () => `HTTP/1.1 ${status}\r\n${status.startsWith("205") ? "content-length: 0\r\n" : ""}\r\n`,
      async ({ fetch }) => {
        const response = await fetch(url);
        assertEquals([response.status, response.body], [Number(status.slice(0, 3)), null]);
      },
    ));
}

test("the body of a response to HEAD is null, and its headers stay", () =>
  withSite(() => "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-encoding: gzip\r\n\r\n", async (site) => {
    const response = await site.fetch(url, { method: "HEAD" });
    assertEquals([response.body, response.headers.get("content-length")], [null, "5"]);
    assertEquals(response.headers.get("content-encoding"), "gzip");
    await site.fetch(url, { method: "HEAD" });
    assertEquals(site.connections, 1);
  }));

test("an empty body is empty, and not null", () =>
  withSite(() => reply(""), async ({ fetch }) => {
    const response = await fetch(url);
    assert(response.body !== null);
    assertEquals(await response.text(), "");
  }));

test("fetch() skips informational responses", () =>
  withSite(
    () => `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${reply("end")}`,
    async ({ fetch }) => {
      const response = await fetch(url);
      assertEquals([response.status, response.headers.get("link"), await response.text()], [200, null, "end"]);
    },
  ));

for (const status of ["101 Switching Protocols", "600 Other", "999 Other", "099 Other", "000 Other"]) {
  test(`fetch() rejects status ${status}`, () =>
    withSite(() => `HTTP/1.1 ${status}\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n`, async ({ fetch }) => {
      await assertRejects(() => fetch(url), TypeError);
    }));
}

const malformed: [name: string, text: string][] = [
  ["no HTTP at all", "SSH-2.0-OpenSSH\r\n"],
  ["a folded header", "HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n"],
  ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"],
  ["a length beside chunks", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["a header with NUL", "HTTP/1.1 200 OK\r\na: \0\r\n\r\n"],
];
for (const [name, text] of malformed) {
  test(`fetch() rejects ${name} and says so in the cause`, () =>
    withSite(() => text, async ({ fetch }) => {
      const error = await assertRejects(() => fetch(url), TypeError, "Cannot fetch from http://a.test: ");
      assertInstanceOf(error.cause, HttpError);
    }));
}

test("fetch() rejects a header larger than maxHeaderSize", () =>
  withSite(() => reply("", `x: ${"y".repeat(1000)}\r\n`), async ({ fetch }) => {
    const error = await assertRejects(() => fetch(url), TypeError);
    assertInstanceOf(error.cause, HttpError);
  }, { maxHeaderSize: 1000 }));

const truncated: [name: string, text: string][] = [
  ["a body shorter than its length", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"],
  ["a chunk that is cut", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nabc"],
  ["chunks without the last", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"],
  ["chunks without the last line", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"],
];
for (const [name, text] of truncated) {
  test(`fetch() errors the body for ${name}`, () =>
    withSite(async (_, { send, socket }) => {
      await send(text);
      await socket.close();
      return "close";
    }, async ({ fetch }) => {
      const response = await fetch(url);
      const error = await assertRejects(() => response.text(), TypeError);
      assertInstanceOf(error.cause, NetError);
      assertEquals(error.cause.code, "connection_reset");
    }));
}

test("fetch() rejects a header that is cut", () =>
  withSite(async (_, { send, socket }) => {
    await send("HTTP/1.1 200 OK\r\nx");
    await socket.close();
    return "close";
  }, async ({ fetch }) => {
    const error = await outcomeOf(() => fetch(url)) as TypeError;
    assertInstanceOf(error, TypeError);
    assertEquals((error.cause as NetError).code, "connection_reset");
  }));

test("fetch() reads no further than the reader wants", () => {
  let written = 0;
  let stopped = false;
  return withSite(async (_, { send, sendBytes }) => {
    await send("HTTP/1.1 200 OK\r\ncontent-length: 67108864\r\n\r\n");
    const piece = new Uint8Array(65536);
    for (; written < 67108864; written += piece.length) await sendBytes(piece);
    return undefined;
  }, async ({ fetch }) => {
    const reader = (await fetch(url)).body!.getReader();
    await reader.read();
    await turns(20);
    const before = written;
    await turns(20);
    stopped = written === before && written < 1 << 20;
    await reader.cancel();
    assert(stopped, `${written} bytes were taken ahead`);
  });
});

test("a body of 512 MiB needs the memory of one of 64 MiB", async () => {
  const piece = new Uint8Array(64 * 1024);
  const most: number[] = [];
  const before = memoryUsage().rss;
  for (const size of [64 * 2 ** 20, 512 * 2 ** 20]) {
    const [sent, read] = [{ size: 0 }, { size: 0 }];
    let between = 0;
    await withSite(async (_, { send, sendBytes }) => {
      await send(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
      while (sent.size < size) {
        sent.size += piece.length;
        between = Math.max(between, sent.size - read.size);
        await sendBytes(piece);
      }
      return undefined;
    }, async ({ fetch }) => {
      for await (const { length } of (await fetch(url)).body!) {
        read.size += length;
        await yieldNow(); // slower than the server
      }
    });
    assertEquals([sent.size, read.size], [size, size]);
    most.push(between);
  }
  assertEquals(most[1], most[0]);
  assert(most[0] < 2 ** 20, `${most[0]} bytes were between the server and the reader`);
  const grown = memoryUsage().rss - before; // with garbage that is not collected yet
  assert(grown < 384 * 2 ** 20, `The process has grown by ${grown} bytes`);
});
