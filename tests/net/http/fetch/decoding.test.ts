// Copyright 2026 the Sluice authors. MIT license.

/** Content codings. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { NetError } from "../../../../mod.ts";
import { turns, until } from "../../../_helpers.ts";
import { test } from "../../../_test.ts";
import { type Answer, withSite } from "./_site.ts";

const url = "http://a.test/";
const text = "The quick brown fox jumps over the lazy dog. ".repeat(1000);
const content = new TextEncoder().encode(text);

/** Answers with bytes, in pieces of `size`, and closes the connection. */
function coded(bytes: Uint8Array, coding: string, size = bytes.length): Answer {
  return async (_, { send, sendBytes, socket }) => {
    await send(`HTTP/1.1 200 OK\r\ncontent-encoding: ${coding}\r\ncontent-length: ${bytes.length}\r\nx: y\r\n\r\n`);
    for (let at = 0; at < bytes.length; at += size) {
      await sendBytes(bytes.subarray(at, at + size));
      await turns(size < 10 ? 0 : 1);
    }
    await socket.close();
    return "close";
  };
}

const codings: [coding: string, bytes: Uint8Array][] = [
  ["gzip", gzipSync(content)],
  ["x-gzip", gzipSync(content)],
  ["GZip", gzipSync(content)],
  ["deflate", deflateSync(content)],
  ["deflate", deflateRawSync(content)],
  ["identity, gzip", gzipSync(content)],
  ["deflate, gzip", gzipSync(deflateSync(content))],
  ["gzip, gzip, gzip", gzipSync(gzipSync(gzipSync(content)))],
  ["gzip", Buffer.concat([gzipSync(content.subarray(0, 1000)), gzipSync(content.subarray(1000))])],
  ["br", brotliCompressSync(content)],
  ["gzip, br", brotliCompressSync(gzipSync(content))],
];

codings.forEach(([coding, bytes], i) => {
  for (const size of [undefined, 100, 1]) {
    test(`fetch() decodes ${coding} (${i}) in pieces of ${size ?? "any size"}`, () =>
      withSite(coded(bytes, coding, size), async ({ fetch }) => {
        const response = await fetch(url);
        const { headers } = response;
        assertEquals([headers.get("content-encoding"), headers.get("content-length")], [null, null]);
        assertEquals(headers.get("x"), "y");
        assertEquals(await response.text(), text);
      }));
  }

  test(`fetch() errors a body of truncated ${coding} (${i})`, () =>
    withSite(coded(bytes.subarray(0, -1), coding), async ({ fetch }) => {
      const response = await fetch(url);
      const error = await assertRejects(() => response.arrayBuffer(), TypeError);
      assertInstanceOf(error.cause, NetError);
      assertEquals(error.cause.code, "connection_reset");
    }));

  test(`fetch() errors a body of ${coding} (${i}) whose connection breaks`, () =>
    withSite(async (_, { send, sendBytes, socket }) => {
      await send(`HTTP/1.1 200 OK\r\ncontent-encoding: ${coding}\r\ncontent-length: ${bytes.length + 9}\r\n\r\n`);
      await sendBytes(bytes);
      await socket.close();
      return "close";
    }, async ({ fetch }) => {
      const response = await fetch(url);
      const error = await assertRejects(() => response.arrayBuffer(), TypeError);
      assertEquals((error.cause as NetError).code, "connection_reset");
    }));
});

for (const coding of ["gzip", "deflate", "br"]) {
  test(`fetch() errors a body that is not ${coding}`, () =>
    withSite(coded(new Uint8Array(1000).fill(0xff), coding), async ({ fetch }) => {
      const response = await fetch(url);
      const error = await assertRejects(() => response.text(), TypeError, `not valid ${coding}`);
      assertEquals((error.cause as Error).name, "HttpError");
    }));

  test(`fetch() takes an empty body for the ${coding} of nothing`, () =>
    withSite(
      () => `HTTP/1.1 200 OK\r\ncontent-encoding: ${coding}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      async ({ fetch }) => {
        assertEquals(await (await fetch(url)).text(), "");
      },
    ));
}

test("fetch() leaves a body of an unknown coding as it is", () =>
  withSite(coded(gzipSync("x"), "zstd, gzip"), async ({ fetch }) => {
    const response = await fetch(url);
    assertEquals(response.headers.get("content-encoding"), "zstd, gzip");
    assertEquals(new Uint8Array(await response.arrayBuffer()), new Uint8Array(gzipSync("x")));
  }));

test("fetch() refuses more than five codings", () =>
  withSite(coded(gzipSync("x"), "gzip, gzip, gzip, gzip, gzip, gzip"), async ({ fetch }) => {
    await assertRejects(() => fetch(url), TypeError, "codings");
  }));

test("fetch() uses a connection again whose encoded body was read", () =>
  withSite(() => {
    const bytes = gzipSync(content);
    const body = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
    return `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${bytes.length}\r\n\r\n${body}`;
  }, async (site) => {
    for (let i = 0; i < 3; i++) assertEquals((await (await site.fetch(url)).text()).length, text.length);
    assertEquals(site.connections, 1);
  }));

test("cancelling a decoded body closes its connection", () =>
  withSite(async (_, { send, sendBytes }) => {
    await send("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 99999\r\n\r\n");
    await sendBytes(gzipSync(content).subarray(0, 100));
    return undefined;
  }, async (site) => {
    const response = await site.fetch(url);
    await response.body!.cancel();
    await until(() => site.ended === 1);
  }));

test("an aborted signal errors a decoded body", () =>
  withSite(async (_, { send, sendBytes }) => {
    await send("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 99999\r\n\r\n");
    await sendBytes(gzipSync(content).subarray(0, 100));
    return undefined;
  }, async ({ fetch }) => {
    const aborter = new AbortController();
    const response = await fetch(url, { signal: aborter.signal });
    const outcome = response.text().catch((error) => error);
    await turns(3);
    aborter.abort("enough");
    assertEquals(await outcome, "enough");
  }));

for (const [coding, compress] of [["gzip", gzipSync], ["deflate", deflateSync], ["br", brotliCompressSync]] as const) {
  test(`a small body of ${coding} that expands greatly is decoded on demand`, () =>
    withSite(coded(compress(new Uint8Array(64 << 20)), coding), async ({ fetch }) => {
      const reader = (await fetch(url)).body!.getReader();
      const { value } = await reader.read();
      assert(value!.length <= 1 << 17);
      await reader.cancel();
    }));
}

for (let cut = 1; cut <= 20; cut++) {
  test(`fetch() errors a body of br that lacks its last ${cut} bytes, after what it holds`, () =>
    withSite(coded(brotliCompressSync(content).subarray(0, -cut), "br"), async ({ fetch }) => {
      let got = "";
      const read = async () => {
        for await (const chunk of (await fetch(url)).body as unknown as AsyncIterable<Uint8Array>) {
          got += new TextDecoder().decode(chunk);
        }
      };
      const error = await assertRejects(read, TypeError);
      assertEquals((error.cause as NetError).code, "connection_reset");
      assert(text.startsWith(got));
    }));
}
test("bodyTimeout does not count for a decoded body that nothing reads", () => {
  const all = gzipSync(content);
  let release!: () => void;
  const released = new Promise<void>((resolve) => release = resolve);
  return withSite(async (_, { send, sendBytes }) => {
    await send(`HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${all.length}\r\n\r\n`);
    await sendBytes(all.subarray(0, all.length - 8));
    await released;
    await sendBytes(all.subarray(all.length - 8));
    return undefined;
  }, async ({ fetch, clock }) => {
    const reader = (await fetch(url)).body!.getReader();
    let size = (await reader.read()).value!.length;
    while (size < text.length) size += (await reader.read()).value!.length;
    await turns(20);
    clock.setTime(clock.now() + 10_000);
    await turns(3);
    release();
    assert((await reader.read()).done);
  }, { bodyTimeout: 1000, idleTimeout: 1e6 });
});

test("a decoded body times out while a read waits", () => {
  const all = gzipSync(content);
  return withSite(async (_, { send, sendBytes }) => {
    await send(`HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${all.length}\r\n\r\n`);
    await sendBytes(all.subarray(0, all.length - 8));
    return undefined;
  }, async ({ fetch, clock }) => {
    const outcome = (await fetch(url)).text().catch((error) => error);
    await turns(20);
    clock.setTime(clock.now() + 1000);
    assertEquals((await outcome).cause.code, "connection_timeout");
  }, { bodyTimeout: 1000 });
});

test("fetch() uses a connection again when bytes follow a finished deflate stream", () => {
  const coding = deflateSync("x");
  const rest = new Uint8Array(200_000);
  return withSite(async (_, { send, sendBytes }) => {
    const length = coding.length + rest.length;
    await send(`HTTP/1.1 200 OK\r\ncontent-encoding: deflate\r\ncontent-length: ${length}\r\n\r\n`);
    await sendBytes(coding);
    await turns(3);
    await sendBytes(rest);
    return undefined;
  }, async (site) => {
    assertEquals(await (await site.fetch(url)).text(), "x");
    assertEquals(await (await site.fetch(url)).text(), "x");
    assertEquals(site.connections, 1);
  }, { maxConnectionsPerOrigin: 1 });
});

for (const pause of [false, true]) {
  test(`an empty chunked body has no coding, ${pause ? "in two pieces" : "in one piece"}`, () =>
    withSite(async (_, { send }) => {
      const [head, body] = [
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n",
        "0\r\n\r\n",
      ];
      await send(pause ? head : head + body);
      await turns(5);
      if (pause) await send(body);
      return undefined;
    }, async ({ fetch }) => {
      const response = await fetch(url);
      assertEquals([response.headers.get("content-encoding"), await response.text()], [null, ""]);
    }));
}

test("fetch() closes the connection of a response that it refuses for its codings", () =>
  withSite(async (_, { send }) => {
    const codings = Array.from({ length: 6 }, () => "gzip").join();
    await send(`HTTP/1.1 200 OK\r\ncontent-encoding: ${codings}\r\ncontent-length: 99\r\n\r\n`);
    return undefined;
  }, async (site) => {
    await assertRejects(() => site.fetch(url), TypeError, "codings");
    await until(() => site.ended === 1);
    await assertRejects(() => site.fetch(url), TypeError, "codings");
  }, { maxConnectionsPerOrigin: 1 }));

test("a small body that expands greatly is decoded on demand", () =>
  withSite(coded(gzipSync(new Uint8Array(64 << 20)), "gzip"), async ({ fetch }) => {
    const reader = (await fetch(url)).body!.getReader();
    const { value } = await reader.read();
    assert(value!.length <= 1 << 20);
    await reader.cancel();
  }));
