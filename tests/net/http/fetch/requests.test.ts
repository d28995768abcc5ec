// Copyright 2026 the Sluice authors. MIT license.

/** What `fetch` sends, and which arguments it refuses. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { tcp } from "../../../../mod.ts";
import { bytesOf, turns } from "../../../_helpers.ts";
import { test } from "../../../_test.ts";
import { type Answer, reply, withSite } from "./_site.ts";

const ok: Answer = () => reply("ok");
const url = "http://a.test/";

/** The request that a call sends. */
function sent(input: string | URL | Request, init?: RequestInit) {
  return withSite(ok, async ({ fetch, requests }) => {
    await fetch(input, init);
    return requests[0];
  });
}

/** Asserts that a call is refused, and that nothing is sent. */
function refused(input: string | URL | Request, init: unknown, message: string) {
  return withSite(ok, async (site) => {
    await assertRejects(() => site.fetch(input, init as RequestInit), TypeError, message);
    assertEquals(site.connections, 0);
  });
}

test("fetch() sends host, accept and accept-encoding, and nothing ambient", async () => {
  const { headers } = await sent(url);
  const { ["accept-encoding"]: codings, ...others } = headers;
  assertEquals(others, { host: "a.test", accept: "*/*" });
  assertEquals(codings, "gzip, deflate, br");
});

test("fetch() sends the headers of the caller instead of its own", async () => {
  const { headers } = await sent(url, { headers: { Accept: "a/b", "Accept-Encoding": "x", "User-Agent": "me" } });
  assertEquals([headers.accept, headers["accept-encoding"], headers["user-agent"]], ["a/b", "x", "me"]);
});

test("fetch() asks for the identity of a range", async () => {
  const { headers } = await sent(url, { headers: { range: "bytes=0-1" } });
  assertEquals(headers["accept-encoding"], "identity");
});

test("fetch() ignores the headers of the connection", async () => {
  const headers = {
    host: "evil.test",
    "content-length": "99",
    "transfer-encoding": "chunked",
    connection: "close",
    "keep-alive": "1",
    "proxy-connection": "close",
    upgrade: "h2c",
    te: "trailers",
    trailer: "x",
    expect: "100-continue",
  };
  const request = await sent(url, { method: "POST", body: "data", headers });
  assertEquals(Object.keys(request.headers).sort(), [
    "accept",
    "accept-encoding",
    "content-length",
    "content-type",
    "host",
  ]);
  assertEquals([request.headers.host, request.body], ["a.test", "data"]);
});

test("fetch() ignores a host header of a Request", async () => {
  const { headers } = await sent(new Request(url, { headers: { host: "evil.test" } }));
  assertEquals(headers.host, "a.test");
});

test("fetch() joins repeated headers", async () => {
  const { headers } = await sent(url, { headers: [["x-a", "1"], ["X-A", "2"]] });
  assertEquals(headers["x-a"], "1, 2");
});

test("fetch() names a port other than the default in host", () =>
  withSite(ok, async ({ fetch, net, sw }) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 8080));
    const response = fetch("http://a.test:8080/");
    const socket = await listener.accept(sw);
    const buffer = new Uint8Array(4096);
    const size = await socket.read(buffer);
    assert(new TextDecoder().decode(buffer.subarray(0, size ?? 0)).includes("\r\nhost: a.test:8080\r\n"));
    await socket.write(bytesOf(reply()));
    await response;
  }));

test("fetch() sends path and query without the fragment", async () => {
  const request = await sent("http://a.test/a%20b/../c d?x=%00&y=é#f");
  assertEquals(request.target, "/c%20d?x=%00&y=%C3%A9");
});

test("fetch() takes a URL object", async () => {
  assertEquals((await sent(new URL("/x", url))).target, "/x");
});

const methods: [given: string, sent: string][] = [
  ["get", "GET"],
  ["Head", "HEAD"],
  ["post", "POST"],
  ["pUt", "PUT"],
  ["delete", "DELETE"],
  ["options", "OPTIONS"],
  ["patch", "patch"],
  ["PATCH", "PATCH"],
  ["Propfind", "Propfind"],
  ["foo", "foo"],
];
for (const [given, expected] of methods) {
  test(`fetch() sends method ${given} as ${expected}`, async () => {
    assertEquals((await sent(url, { method: given })).method, expected);
  });
}

for (const method of ["CONNECT", "trace", "TRACK"]) {
  test(`fetch() refuses method ${method}`, () => refused(url, { method }, "forbidden"));
}

for (const method of ["", "a b", "GET\r\n", "é"]) {
  test(`fetch() refuses ${JSON.stringify(method)} as a method`, () => refused(url, { method }, "not a method"));
}

test("fetch() sends a length of 0 for POST and PUT without a body", async () => {
  assertEquals((await sent(url, { method: "POST" })).headers["content-length"], "0");
  assertEquals((await sent(url, { method: "PUT" })).headers["content-length"], "0");
  assertEquals((await sent(url, { method: "DELETE" })).headers["content-length"], undefined);
});

const form = "application/x-www-form-urlencoded;charset=UTF-8";
const bodies: [name: string, body: () => unknown, text: string, type: string | undefined][] = [
  ["a string", () => "é", "é", "text/plain;charset=UTF-8"],
  ["an empty string", () => "", "", "text/plain;charset=UTF-8"],
  ["bytes", () => bytesOf("abc"), "abc", undefined],
  ["a part of bytes", () => bytesOf("abcd").subarray(1, 3), "bc", undefined],
  ["an ArrayBuffer", () => bytesOf("abc").buffer, "abc", undefined],
  ["a DataView", () => new DataView(bytesOf("abc").buffer, 1), "bc", undefined],
  ["a blob", () => new Blob(["abc"]), "abc", undefined],
  ["a blob with a type", () => new Blob(["abc"], { type: "a/b" }), "abc", "a/b"],
  ["URLSearchParams", () => new URLSearchParams({ a: "b c" }), "a=b+c", form],
  ["a URL, as a string", () => new URL(url), url, "text/plain;charset=UTF-8"],
];
for (const [name, body, text, type] of bodies) {
  test(`fetch() sends ${name} with its length and type`, async () => {
    const request = await sent(url, { method: "POST", body: body() as RequestInit["body"] });
    assertEquals([request.body, request.framing, request.headers["content-type"]], [text, "length", type]);
  });
}

test("fetch() keeps a content-type of the caller", async () => {
  const init = { method: "POST", body: "{}", headers: { "Content-Type": "application/json" } };
  assertEquals((await sent(url, init)).headers["content-type"], "application/json");
});

test("fetch() copies bytes before it returns", () =>
  withSite(ok, async ({ fetch, requests }) => {
    const body = bytesOf("abc");
    const response = fetch(url, { method: "POST", body });
    body.fill(0);
    await response;
    assertEquals(requests[0].body, "abc");
  }));

test("fetch() encodes a form as the HTML standard says", async () => {
  const data = new FormData();
  data.append('a"\n', "x\ny");
  data.append("f", new File(["file"], 'n"\r.txt', { type: "a/b" }));
  data.append("g", new Blob(["blob"]));
  const request = await sent(url, { method: "POST", body: data });
  const boundary = /^multipart\/form-data; boundary=(.+)$/.exec(request.headers["content-type"])![1];
  const part = (disposition: string, content: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n${content}\r\n`;
  assertEquals(
    request.body,
    part('name="a%22%0D%0A"', "\r\nx\r\ny") +
      part('name="f"; filename="n%22%0D.txt"', "Content-Type: a/b\r\n\r\nfile") +
      part('name="g"; filename="blob"', "Content-Type: application/octet-stream\r\n\r\nblob") + `--${boundary}--\r\n`,
  );
  assertEquals(request.framing, "length");
});

function streaming(body: unknown): RequestInit {
  return { method: "POST", body, duplex: "half" } as RequestInit;
}

test("fetch() sends a stream in chunks", async () => {
  const request = await sent(url, streaming(new Blob(["stream"]).stream()));
  assertEquals([request.body, request.framing, request.headers["content-type"]], ["stream", "chunked", undefined]);
});

test("fetch() sends an async iterable in chunks", async () => {
  const chunks = async function* () {
    yield bytesOf("a");
    await Promise.resolve();
    yield bytesOf("b");
  };
  const request = await sent(url, streaming(chunks()));
  assertEquals([request.body, request.framing], ["ab", "chunked"]);
});

test("fetch() refuses a stream without duplex", () =>
  refused(url, { method: "POST", body: new ReadableStream() }, "duplex"));

test("fetch() refuses a locked stream", () => {
  const body = new ReadableStream();
  body.getReader();
  return refused(url, streaming(body), "locked");
});

test("fetch() rejects with the error of a stream as its cause", () =>
  withSite(ok, async ({ fetch }) => {
    const problem = new Error("Cannot go on");
    const body = new ReadableStream({ pull: (controller) => controller.error(problem) });
    const error = await assertRejects(() => fetch(url, streaming(body)), TypeError);
    assertEquals(error.cause, problem);
  }));

test("fetch() rejects a stream of strings", () =>
  withSite(ok, async ({ fetch }) => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue("text");
        controller.close();
      },
    });
    await assertRejects(() => fetch(url, streaming(body)), TypeError);
  }));

test("fetch() sends the body of a Request with its length, and uses it up", async () => {
  const request = new Request(url, { method: "PUT", body: "text", headers: { "content-type": "a/b" } });
  const { method, body, framing, headers } = await sent(request);
  assertEquals([method, body, framing, headers["content-type"]], ["PUT", "text", "length", "a/b"]);
  assert(request.bodyUsed);
});

test("fetch() sends a slow stream of a Request in chunks", () =>
  withSite(ok, async ({ fetch, requests }) => {
    let feed!: ReadableStreamDefaultController;
    const body = new ReadableStream({ start: (controller) => feed = controller });
    const response = fetch(new Request(url, streaming(body)));
    feed.enqueue(bytesOf("a"));
    await turns(10);
    feed.enqueue(bytesOf("b"));
    feed.close();
    await response;
    assertEquals([requests[0].body, requests[0].framing], ["ab", "chunked"]);
  }));

const notBytes: [name: string, chunk: unknown][] = [
  ["text", "text"],
  ["null", null],
  ["an array", [1, 2]],
  ["an ArrayBuffer", new ArrayBuffer(2)],
  ["a Uint16Array", new Uint16Array(2)],
];
for (const [name, chunk] of notBytes) {
  test(`fetch() rejects a Request whose stream has ${name}`, () =>
    withSite(ok, async ({ fetch, requests }) => {
      const body = new ReadableStream({
        start(controller) {
          controller.enqueue(bytesOf("a"));
          controller.enqueue(chunk);
          controller.close();
        },
      });
      const request = new Request(url, streaming(body));
      await assertRejects(() => fetch(request), TypeError, "must be a Uint8Array");
      assertEquals(requests.length, 0);
    }));
}

test("fetch() takes a Request as init", async () => {
  const init = new Request("http://b.test/", { method: "PUT", body: bytesOf("text"), headers: { a: "1" } });
  const { method, body, framing, headers } = await sent(url, init as RequestInit);
  assertEquals([method, body, framing, headers.a, headers.host], ["PUT", "text", "length", "1", "a.test"]);
  assert(init.bodyUsed);
});

test("fetch() takes the body of a Request as init instead of that of its Request", async () => {
  const input = new Request(url, { method: "POST", body: bytesOf("input") });
  const init = new Request(url, { method: "POST", body: bytesOf("init") });
  assertEquals((await sent(input, init as RequestInit)).body, "init");
});

test("fetch() lets init override a Request", async () => {
  const request = new Request(url, { method: "POST", body: "text", headers: { a: "1" } });
  const { method, body, headers } = await sent(request, { method: "put", body: "other", headers: { b: "2" } });
  assertEquals([method, body, headers.a, headers.b], ["PUT", "other", undefined, "2"]);
});

test("fetch() refuses a Request whose body was used", async () => {
  const request = new Request(url, { method: "POST", body: "text" });
  await request.text();
  await refused(request, undefined, "used");
});

for (const method of ["GET", "HEAD"]) {
  test(`fetch() refuses ${method} with a body`, () => refused(url, { method, body: "" }, "and a body"));
}

const badUrls: [text: string, message: string][] = [
  ["/relative", "not an absolute URL"],
  ["", "not an absolute URL"],
  ["http://", "not an absolute URL"],
  ["http://a.test:99999/", "not an absolute URL"],
  ["data:text/plain,x", "scheme"],
  ["blob:http://a.test/x", "scheme"],
  ["file:///etc/passwd", "scheme"],
  ["ws://a.test/", "scheme"],
  ["http://user@a.test/", "credentials"],
  ["http://:secret@a.test/", "credentials"],
];
for (const [text, message] of badUrls) {
  test(`fetch() refuses the URL ${JSON.stringify(text)}`, () => refused(text, undefined, message));
}

test("fetch() does not show the credentials of a URL", () =>
  withSite(ok, async ({ fetch }) => {
    const error = await assertRejects(() => fetch("http://a:secret@a.test/"), TypeError);
    assert(!error.message.includes("secret"));
  }));

const badInits: [name: string, init: unknown][] = [
  ["init", 1],
  ["redirect", { redirect: "never" }],
  ["signal", { signal: {} }],
  ["duplex", { duplex: "full" }],
  ["integrity", { integrity: "sha256-x" }],
];
for (const [name, init] of badInits) {
  test(`fetch() refuses a wrong ${name}`, () => refused(url, init, name));
}

const badHeaders: [name: string, headers: [string, string]][] = [
  ["a header name with a space", ["a b", "x"]],
  ["an empty header name", ["", "x"]],
  ["a header value with a line end", ["a", "x\r\ny: z"]],
  ["a header value with NUL", ["a", "x\0"]],
  ["a header value above U+00FF", ["a", "\u0100"]],
];
for (const [name, header] of badHeaders) {
  test(`fetch() refuses ${name}`, () =>
    withSite(ok, async ({ fetch, requests }) => {
      await assertRejects(() => fetch(url, { headers: [header] }), TypeError);
      assertEquals(requests.length, 0);
    }));
}

test("fetch() reads each member of init once", () =>
  withSite(ok, async ({ fetch }) => {
    const reads: string[] = [];
    const init = new Proxy({ method: "POST", body: "x" } as Record<string, unknown>, {
      get: (target, key) => (reads.push(String(key)), target[String(key)]),
    });
    await fetch(url, init);
    assertEquals(reads.length, new Set(reads).size);
  }));
