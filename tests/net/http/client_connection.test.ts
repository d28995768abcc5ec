// Copyright 2026 the Sluice authors. MIT license.

/** One connection: exchanges, idle time, uploads, limits, cancellation. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { ClosedError } from "../../../flow/mod.ts";
import { HttpError } from "../../../net/http/errors.ts";
import { ClientConnection } from "../../../net/http/_client_connection.ts";
import { NetError } from "../../../net/mod.ts";
import { mockClock, socketPair } from "../../../net/testing/mod.ts";
import { Cancelled, Switch } from "../../../switch/mod.ts";
import { outcomeOf, turns } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { bodyOf, get, limits, raw, request, scripted, unraw } from "./_helpers.ts";
import { ScriptedConnection } from "./_scripted_connection.ts";

const ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/** A source that the test feeds. */
async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(raw(text));
}

test("ClientConnection.exchange() sends the head and a small body in one write", async () => {
  await using set = scripted();
  const { client, connection, send } = set;
  const pending = client.exchange(
    { method: "POST", target: "/a?b", headers: [["host", "x"], ["X-A", "caf\xe9"]] },
    raw("hi"),
  );
  send(ok);
  await pending;
  assertEquals(connection.written.length, 1);
  assertEquals(connection.text, "POST /a?b HTTP/1.1\r\nhost: x\r\nX-A: caf\xe9\r\ncontent-length: 2\r\n\r\nhi");
});

test("ClientConnection.exchange() sends no framing without a body, and a length of 0 for an empty one", async () => {
  await using set = scripted();
  const { client, connection, send } = set;
  for (const body of [null, new Uint8Array(0)]) {
    const pending = client.exchange(get, body);
    send(ok);
    await pending;
  }
  const [first, second] = connection.written.map(unraw);
  assertEquals(first, "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  assertEquals(second, "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
});

test("ClientConnection.exchange() refuses what could inject a header, and sends nothing", async () => {
  await using set = scripted();
  const { client, connection, send } = set;
  const bad: [string, string, string, string][] = [
    ["GE T", "/", "a", "b"],
    ["GET\r\n", "/", "a", "b"],
    ["", "/", "a", "b"],
    ["CONNECT", "/", "a", "b"],
    ["GET", "/ HTTP/1.1\r\nX: ", "a", "b"],
    ["GET", "/a b", "a", "b"],
    ["GET", "/\n", "a", "b"],
    ["GET", "/\xe9", "a", "b"],
    ["GET", "", "a", "b"],
    ["GET", "/", "a:", "b"],
    ["GET", "/", "a\r\nb", "b"],
    ["GET", "/", "", "b"],
    ["GET", "/", "\xe9", "b"],
    ["GET", "/", "Content-Length", "5"],
    ["GET", "/", "transfer-encoding", "chunked"],
    ["GET", "/", "a", "b\r\nx: y"],
    ["GET", "/", "a", "b\n"],
    ["GET", "/", "a", "b\r"],
    ["GET", "/", "a", "b\0"],
    ["GET", "/", "a", "\x7f"],
    ["GET", "/", "a", "\u0100"],
    ["GET", "/", "a", "\u010d\u010a"],
  ];
  for (const [method, target, name, value] of bad) {
    await assertRejects(() => client.exchange({ method, target, headers: [[name, value]] }, null), TypeError);
  }
  assertEquals([connection.written.length, client.usable], [0, true]);
  const pending = client.exchange(get, null);
  send(ok);
  assertEquals(await bodyOf(await pending), "ok");
});

test("ClientConnection.exchange() serves one request after the other", async () => {
  await using set = scripted();
  const { client, send } = set;
  for (let i = 0; i < 5; i++) {
    const pending = client.exchange(get, null);
    assertEquals([client.usable, client.gotBytes], [false, false]);
    send(ok, i + 1);
    const exchange = await pending;
    assertEquals(await bodyOf(exchange), "ok");
    assertEquals([await exchange.done, exchange.reusable, client.usable, client.gotBytes], [true, true, true, true]);
  }
});

test("ClientConnection.exchange() gives a body that came with the head as bytes of its own", async () => {
  await using set = scripted();
  const { client, send } = set;
  const pending = client.exchange(get, null);
  send(ok);
  const { body, reusable } = await pending;
  assertInstanceOf(body, Uint8Array);
  assertEquals([body.buffer.byteLength, reusable], [2, true]);
});

test("ClientConnection.exchange() refuses a second request while one is in progress", async () => {
  await using set = scripted();
  const { client, send } = set;
  const pending = client.exchange(get, null);
  await assertRejects(() => client.exchange(get, null), TypeError, "another is in progress");
  send(ok);
  await pending;
});

test("ClientConnection becomes unusable by bytes that answer no request", async () => {
  for (const before of [false, true]) {
    const { client, connection, send } = scripted();
    if (before) {
      const pending = client.exchange(get, null);
      send(ok);
      await pending;
    }
    let ended = 0;
    client.onIdleEnd = () => ended++;
    send(ok);
    assertEquals([client.usable, ended, connection.aborted], [false, 1, true]);
    await assertRejects(() => client.exchange(get, null), HttpError, "bytes came that answer no request");
  }
});

test("ClientConnection becomes unusable by bytes after a response", async () => {
  const { client, connection, send } = scripted();
  const pending = client.exchange(get, null);
  send(`${ok}HTTP/1.1 200 OK\r\n`);
  const exchange = await pending;
  assertEquals([await bodyOf(exchange), await exchange.done, client.usable, connection.closed], [
    "ok",
    false,
    false,
    true,
  ]);
});

test("ClientConnection notices the end of an idle connection", async () => {
  const { client, connection } = scripted();
  let ended = 0;
  client.onIdleEnd = () => ended++;
  connection.receive(null);
  await turns(1);
  assertEquals([client.usable, ended, connection.closed, connection.aborted], [false, 1, true, false]);
  const error = await assertRejects(() => client.exchange(get, null), NetError);
  assertEquals(error.code, "connection_reset");
});

test("ClientConnection.exchange() fails with connection_reset if the connection ends within the head or the body", async () => {
  const texts = ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 Continue\r\n\r\n", ok.slice(0, -1)];
  const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n";
  for (let size = chunked.indexOf("2\r\n"); size < chunked.length; size++) texts.push(chunked.slice(0, size));
  for (const text of texts) {
    const { client, connection, send } = scripted();
    const pending = client.exchange(get, null);
    if (text !== "") send(text);
    connection.receive(null);
    const error = await assertRejects(() => pending.then(bodyOf), NetError);
    assertEquals([error.code, client.usable, client.gotBytes], ["connection_reset", false, text !== ""]);
  }
});

test("ClientConnection.exchange() passes on what breaks the connection", async () => {
  const { client, connection } = scripted();
  const pending = client.exchange(get, null);
  const reason = new Error("cut");
  connection.abort(reason);
  const error = await assertRejects(() => pending, ClosedError);
  assertEquals(error.cause, reason);
});

test("BodySource.next() returns pieces as they come, and then null", async () => {
  await using set = scripted();
  const { client, send } = set;
  const pending = client.exchange(get, null);
  send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n");
  const exchange = await pending;
  const body = exchange.body;
  assert(body !== null && !(body instanceof Uint8Array));
  const first = body.next();
  send("abc");
  assertEquals(unraw(await first as Uint8Array), "abc");
  assertEquals(exchange.reusable, undefined);
  const second = body.next();
  await assertRejects(() => body.next(), TypeError, "another read waits");
  send("def");
  assertEquals(unraw(await second as Uint8Array), "def");
  assertEquals([await body.next(), await body.next(), await exchange.done], [null, null, true]);
});

test("Exchange.done is true for a small body that arrived and was not read", async () => {
  await using set = scripted();
  const { client, send } = set;
  const pending = client.exchange(get, null);
  send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nab");
  const exchange = await pending;
  send("cd");
  send("ef");
  assertEquals([await exchange.done, client.usable], [true, true]);
  assertEquals(await bodyOf(exchange), "abcdef");
});

test("BodySource leaves a large body to the connection until it is read", async () => {
  const [socket, server] = socketPair();
  const client = new ClientConnection(socket, limits());
  const size = 4 * 1024 * 1024;
  const pending = client.exchange(get, null);
  await server.write(raw(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`));
  let sent = 0;
  const sending = (async () => {
    while (sent < size) sent += await server.write(new Uint8Array(Math.min(65_536, size - sent)));
  })();
  const exchange = await pending;
  await turns(20);
  assert(sent < size / 2, `${sent}`);
  assertEquals((await bodyOf(exchange))?.length, size);
  await sending;
  assertEquals(await exchange.done, true);
  await client.close();
  await server.close();
});

test("BodySource.cancel() closes the connection, unless the body has arrived whole", async () => {
  const text = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n";
  for (const rest of ["ab", "abcd"]) {
    const { client, connection, send } = scripted();
    const pending = client.exchange(get, null);
    send(text);
    const exchange = await pending;
    const body = exchange.body;
    assert(body !== null && !(body instanceof Uint8Array));
    send(rest);
    body.cancel();
    assertEquals([await exchange.done, connection.aborted], [rest === "abcd", rest !== "abcd"]);
    if (rest === "ab") await assertRejects(() => body.next(), ClosedError);
    await client.close();
  }
});

test("ClientConnection.exchange() sends a body of an unknown size in chunks", async () => {
  await using set = scripted();
  const { client, connection, send } = set;
  const pending = client.exchange(request("POST"), { source: pieces("hello", "", " wonderful world") });
  await turns(1);
  send(ok);
  assertEquals([await (await pending).done, client.usable], [true, true]);
  assertEquals(
    connection.text,
    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n10\r\n wonderful world\r\n0\r\n\r\n",
  );
});

test("ClientConnection.exchange() sends a body of a known size as it is", async () => {
  await using set = scripted();
  const { client, connection, send } = set;
  const pending = client.exchange(request("PUT"), { source: pieces("hel", "lo"), size: 5 });
  await turns(1);
  send(ok);
  assertEquals(await (await pending).done, true);
  assertEquals(connection.text, "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello");
});

test("ClientConnection.exchange() fails if the body has another size, and never sends too much", async () => {
  for (const [size, why] of [[4, "more than 4 bytes"], [6, "ended 1 bytes before"]] as const) {
    const { client, connection } = scripted();
    const pending = client.exchange(request("PUT"), { source: pieces("hel", "lo"), size });
    await assertRejects(() => pending, RangeError, why);
    assertEquals([connection.aborted, client.usable], [true, false]);
    assert(!connection.text.endsWith("hello") || size > 5);
  }
});

test("ClientConnection.exchange() fails with the error of the source of the body", async () => {
  const { client, connection } = scripted();
  const reason = new Error("broken source");
  const source = (async function* () {
    yield raw("a");
    await Promise.resolve();
    throw reason;
  })();
  assertEquals(await outcomeOf(() => client.exchange(request("PUT"), { source })), reason);
  assert(connection.aborted && !connection.text.includes("0\r\n\r\n"));
  const bad = scripted();
  const strings = {
    source: (async function* () {
      yield await Promise.resolve("a");
    })() as unknown as AsyncIterable<Uint8Array>,
  };
  await assertRejects(() => bad.client.exchange(request("PUT"), strings), TypeError, "must be a Uint8Array");
});

test("ClientConnection.exchange() goes on with the upload beside an early response", async () => {
  const [socket, server] = socketPair();
  const client = new ClientConnection(socket, limits());
  const size = 1024 * 1024;
  const pending = client.exchange(request("POST"), new Uint8Array(size).fill(97));
  const buffer = new Uint8Array(65_536);
  let received = await server.read(buffer) ?? 0;
  const headSize = unraw(buffer.subarray(0, 1000)).indexOf("\r\n\r\n") + 4;
  await server.write(raw("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"));
  const exchange = await pending;
  assertEquals(exchange.reusable, undefined);
  assert(received < size);
  while (received < headSize + size) received += await server.read(buffer) ?? 0;
  await server.write(raw("done"));
  assertEquals(await bodyOf(exchange), "done");
  await client.close();
  await server.close();
});

test("ClientConnection.exchange() stops the upload when an early response is over", async () => {
  const { client, connection, send } = scripted();
  let returned = false;
  const source: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => {}),
      return: () => {
        returned = true;
        return Promise.resolve({ done: true, value: undefined });
      },
    }),
  };
  const pending = client.exchange(request("POST"), { source });
  await turns(1);
  send(ok);
  const exchange = await pending;
  assertEquals([await exchange.done, returned, client.usable, connection.closed], [false, true, false, true]);
});

test("ClientConnection.exchange() ends a source that it has not asked yet", async () => {
  const { client, send } = scripted();
  const log: string[] = [];
  const source: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve({ done: true, value: log.push("next") }),
      return: () => Promise.resolve({ done: true, value: log.push("return") }),
    }),
  };
  const pending = client.exchange(request("POST"), { source });
  send(ok);
  await (await pending).done;
  await turns(2);
  assertEquals([log, client.usable], [["return"], false]);
});

test("ClientConnection.exchange() stops the upload at the head of an error", async () => {
  await using set = scripted();
  const { client, send } = set;
  let returned = false;
  let taken = 0;
  const source = (async function* () {
    try {
      for (;; taken++) {
        yield raw("x");
        await turns(1);
      }
    } finally {
      returned = true;
    }
  })();
  const pending = client.exchange(request("POST"), { source });
  await turns(3);
  send("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\n");
  const exchange = await pending;
  await turns(4);
  const before = taken;
  await turns(4);
  assertEquals([exchange.head.status, returned, taken], [413, true, before]);
  send("no");
  assertEquals([await bodyOf(exchange), await exchange.done], ["no", false]);
});

test("ClientConnection.exchange() returns a response that came before writing failed", async () => {
  const { client, connection, send } = scripted();
  connection.blocked = true;
  const pending = client.exchange(request("POST"), raw("x".repeat(100_000)));
  await turns(1);
  connection.unblock(new NetError("connection_reset", { operation: "write" }));
  await turns(1);
  send("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno");
  const exchange = await pending;
  assertEquals([exchange.head.status, await bodyOf(exchange), await exchange.done], [413, "no", false]);
});

test("ClientConnection.exchange() fails with the error of writing if no response comes", async () => {
  const { client, connection } = scripted();
  connection.broken = new NetError("connection_reset", { operation: "write" });
  const pending = client.exchange(get, null);
  await turns(1);
  connection.receive(null);
  assertEquals(await outcomeOf(() => pending), connection.broken);
});

test("ClientConnection.exchange() fails with connection_timeout headersTimeout after the request", async () => {
  const clock = mockClock();
  const { client, connection, send } = scripted({ clock, headersTimeout: 1000 });
  connection.blocked = true;
  const pending = client.exchange(get, null);
  const outcome = outcomeOf(() => pending);
  clock.setTime(500_000); // the request still waits to be sent
  await turns(1);
  connection.unblock();
  await turns(1);
  send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n");
  clock.setTime(500_999);
  await turns(1);
  assertEquals(connection.closed, false);
  clock.setTime(501_000);
  const error = await outcome;
  assertInstanceOf(error, NetError);
  assertEquals([error.code, connection.aborted, client.usable], ["connection_timeout", true, false]);
  assertStringIncludes(error.context.join(), "headersTimeout: 1000 ms");
});

test("ClientConnection measures no time while it is idle, or while nothing reads the body", async () => {
  const clock = mockClock();
  const { client, connection, send } = scripted({ clock, headersTimeout: 1000, bodyTimeout: 100 });
  for (let i = 1; i < 4; i++) {
    const pending = client.exchange(get, null);
    send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab");
    const exchange = await pending;
    clock.setTime(clock.now() + 10_000);
    await turns(1);
    send("cd");
    assertEquals(await bodyOf(exchange), "abcd");
    clock.setTime(clock.now() + 10_000);
    await turns(1);
  }
  assertEquals([client.usable, connection.closed], [true, false]);
  await client.close();
});

test("BodySource.next() fails with connection_timeout bodyTimeout after the last piece", async () => {
  const clock = mockClock();
  const { client, connection, send } = scripted({ clock, headersTimeout: 60_000, bodyTimeout: 100 });
  const pending = client.exchange(get, null);
  send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
  const exchange = await pending;
  const body = exchange.body;
  assert(body !== null && !(body instanceof Uint8Array));
  for (let i = 0; i < 3; i++) {
    const next = body.next();
    clock.setTime(clock.now() + 99);
    await turns(1);
    send("1\r\na\r\n");
    assertEquals(unraw(await next as Uint8Array), "a");
  }
  const outcome = outcomeOf(() => body.next());
  clock.setTime(clock.now() + 50);
  send("1"); // no piece of the body
  clock.setTime(clock.now() + 50);
  const error = await outcome;
  assertInstanceOf(error, NetError);
  assertEquals([error.code, connection.aborted, await exchange.done], ["connection_timeout", true, false]);
  assertStringIncludes(error.context.join(), "bodyTimeout: 100 ms");
});

test("ClientConnection.exchange() is cancelled with its scope, which closes the connection", async () => {
  const { client, connection } = scripted();
  const reason = new Error("enough");
  let outcome: unknown;
  await outcomeOf(() =>
    Switch.run(async (sw) => {
      const pending = outcomeOf(() => client.exchange(get, null));
      await turns(1);
      sw.fail(reason);
      outcome = await pending;
    })
  );
  assertInstanceOf(outcome, Cancelled);
  assertEquals([connection.aborted, client.usable], [true, false]);
});

test("ClientConnection outlives the scopes of its exchanges", async () => {
  await using set = scripted();
  const { client, send } = set;
  for (let i = 0; i < 3; i++) {
    const exchange = await Switch.run(async () => {
      const pending = client.exchange(get, null);
      send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab");
      return await pending;
    });
    send("cd");
    assertEquals(await bodyOf(exchange), "abcd");
  }
  assertEquals(client.usable, true);
});

test("ClientConnection leaves no timer when its switch ends with a body that no one read", async () => {
  const connection = new ScriptedConnection();
  await Switch.run(async (sw) => {
    sw.onRelease(() => connection.close());
    const client = new ClientConnection(connection, limits({ headersTimeout: 100_000, bodyTimeout: 100_000 }));
    const pending = client.exchange(get, null);
    connection.receive(raw("HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n"));
    for (let i = 0; i < 300; i++) connection.receive(raw("a"));
    await pending;
  });
  assert(connection.closed && connection.waiting > 0);
});

test("ClientConnection.exchange() fails if the memory of its body is taken away while it is sent", async () => {
  const { client, connection } = scripted();
  const body = new Uint8Array(200_000);
  connection.blocked = true;
  const pending = outcomeOf(() => client.exchange(request("PUT"), body));
  await turns(1);
  structuredClone(body.buffer, { transfer: [body.buffer] });
  connection.unblock();
  assertInstanceOf(await pending, TypeError);
  assertEquals(connection.aborted, true);
});

test("ClientConnection.exchange() refuses a size that is not a whole number", async () => {
  await using set = scripted();
  const { client, connection } = set;
  for (const size of [-1, 1.5, NaN, Infinity]) {
    await assertRejects(() => client.exchange(request("PUT"), { source: pieces(), size }), RangeError);
  }
  assertEquals([connection.written.length, client.usable], [0, true]);
});

test("ClientConnection.abort() fails what is in progress with its reason", async () => {
  const reason = new Error("enough");
  const first = scripted();
  const pending = first.client.exchange(get, null);
  first.client.abort(reason);
  assertEquals(await outcomeOf(() => pending), reason);
  const second = scripted();
  const begun = second.client.exchange(get, null);
  second.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab");
  const exchange = await begun;
  const reading = outcomeOf(() => bodyOf(exchange));
  second.client.abort(reason);
  assertEquals([await reading, await exchange.done], [reason, false]);
});

test("ClientConnection.close() fails what is in progress", async () => {
  const { client, connection } = scripted();
  const pending = outcomeOf(() => client.exchange(get, null));
  await client.close();
  assertInstanceOf(await pending, ClosedError);
  assertEquals([connection.closed, connection.aborted], [true, false]);
});

test("ClientConnection reads a connection that does not lend", async () => {
  const [socket, server] = socketPair();
  const client = new ClientConnection({
    local: socket.local,
    peer: socket.peer,
    read: (buffer) => socket.read(buffer),
    write: (bytes) => socket.write(bytes),
    shutdown: (how) => socket.shutdown(how),
    close: () => socket.close(),
    abort: (reason) => socket.abort(reason),
    [Symbol.asyncDispose]: () => socket.close(),
  }, limits());
  for (let i = 0; i < 3; i++) {
    const pending = client.exchange(get, null);
    await server.read(new Uint8Array(1000));
    await server.write(raw("HTTP/1.1 200 OK\r\ncontent-length: 50000\r\n\r\n" + "a".repeat(50_000)));
    const exchange = await pending;
    assertEquals([(await bodyOf(exchange))?.length, await exchange.done], [50_000, true]);
  }
  await client.close();
  await server.close();
});

test("ClientConnection bounds what a peer makes it keep", async () => {
  const { client, connection, send } = scripted();
  const pending = client.exchange(get, null);
  send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
  await pending;
  for (let i = 0; i < 1000; i++) send("1\r\na\r\n");
  await turns(1);
  assert(connection.waiting > 900, `${connection.waiting}`);
  await client.close();
});
