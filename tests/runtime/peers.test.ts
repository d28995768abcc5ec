// Copyright 2026 the Sluice authors. MIT license.

/** Foreign programs on the other side. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createHash } from "node:crypto";
import {
  copyString,
  type ListeningSocket,
  NetError,
  readAll,
  type StreamSocket,
  type Switch,
  tcp,
  type TcpAddress,
  unix,
  writeAll,
} from "../../mod.ts";
import { textOf } from "../_helpers.ts";
import { test } from "../_test.ts";
import { anyPort, assertNetError, echo, withNet } from "../net/_helpers.ts";
import { withPath, withServer } from "./_helpers.ts";
import { Peer } from "./_peers.ts";

const big = new Uint8Array(8 << 20).map((_, i) => (i * 2654435761) >>> 13);
const bigHash = createHash("sha256").update(big).digest("hex");

test("runServer() echoes to nc, which half-closes", async () => {
  const errors = await withServer(anyPort, echo, async ({ address }) => {
    await using peer = new Peer("nc", ["-N", "127.0.0.1", String(address.port)]);
    peer.say("hello\n");
    assertEquals(await peer.line(), "hello");
    peer.say("world\n");
    peer.endInput();
    assertEquals(await peer.ended, { code: 0, signal: null });
    assertEquals(peer.output, "hello\nworld\n");
  });
  assertEquals(errors, []);
}, { peers: ["nc"] });

test("runServer() echoes to nc over a Unix path", async () => {
  await withPath(async (path) => {
    await withServer(unix(path), echo, async ({ address }) => {
      await using peer = new Peer("nc", ["-N", "-U", address.path]);
      peer.say("hello\n");
      peer.endInput();
      assertEquals((await peer.ended).code, 0);
      assertEquals(peer.output, "hello\n");
    });
  });
}, { peers: ["nc"] });

test("runServer() echoes to socat over TCP", async () => {
  await withServer(anyPort, echo, async ({ address }) => {
    await using peer = new Peer("socat", ["-", `TCP:127.0.0.1:${address.port}`]);
    peer.say("hello\n");
    peer.endInput();
    assertEquals((await peer.ended).code, 0);
    assertEquals(peer.output, "hello\n");
  });
}, { peers: ["socat"] });

test("runServer() echoes to socat over an abstract Unix name", async () => {
  const name = `sluice-socat-${Math.random()}`;
  await withServer(unix(`\0${name}`), echo, async () => {
    await using peer = new Peer("socat", ["-", `ABSTRACT-CONNECT:${name}`]);
    peer.say("hello\n");
    peer.endInput();
    assertEquals((await peer.ended).code, 0);
    assertEquals(peer.output, "hello\n");
  });
}, { peers: ["socat"] });

test("connect() talks to a server of socat over a Unix path", async () => {
  await withPath(async (path, sw, net) => {
    await using _peer = new Peer("socat", [`UNIX-LISTEN:${path}`, "EXEC:tr a-z A-Z"]);
    const connect = (): Promise<StreamSocket> =>
      net.connect(sw, unix(path)).catch((error) => {
        if (!(error instanceof NetError) || error.code === "unknown") throw error;
        return net.clock.sleep(5).then(connect); // socat is not there yet
      });
    const flow = await connect();
    await copyString("hello", flow);
    await flow.shutdown("send");
    assertEquals(textOf(await readAll(flow)), "HELLO");
  });
}, { peers: ["socat"] });

test("runServer() serves a page to curl", async () => {
  const page = "<p>hello</p>";
  const answer = async (flow: StreamSocket) => {
    const buffer = new Uint8Array(4096);
    let request = "";
    while (!request.includes("\r\n\r\n")) request += textOf(buffer.subarray(0, (await flow.read(buffer))!));
    const [, path] = request.split(" ");
    const body = path === "/page" ? page : "";
    const status = path === "/page" ? "200 OK" : "404 Not Found";
    await copyString(`HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`, flow);
  };
  await withServer(anyPort, answer, async ({ address: { port } }) => {
    await using good = new Peer("curl", ["-sS", "--fail", `http://127.0.0.1:${port}/page`]);
    assertEquals([(await good.ended).code, good.output], [0, page]);
    await using bad = new Peer("curl", ["-sS", "--fail", `http://127.0.0.1:${port}/nothing`]);
    assertEquals((await bad.ended).code, 22);
  });
}, { peers: ["curl"] });

test("runServer() takes an upload from curl and answers before it closes", async () => {
  const answer = async (flow: StreamSocket) => {
    const buffer = new Uint8Array(65536);
    await flow.read(buffer);
    await copyString("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n", flow);
  };
  await withServer(anyPort, answer, async ({ address: { port } }) => {
    await using peer = new Peer("curl", ["-sS", "-H", "Expect:", "-d", "@-", `http://127.0.0.1:${port}/`]);
    peer.say("x".repeat(30_000));
    peer.endInput();
    assertEquals([(await peer.ended).code, peer.output], [0, "no\n"]);
  });
}, { peers: ["curl"] });

test("connect() talks to a raw node:net server, and each side ends on its own", async () => {
  await withNet(async (sw, net) => {
    await using peer = Peer.node(`
      net.createServer({ allowHalfOpen: true }, (socket) => {
        let text = "";
        socket.on("data", (data) => text += data).on("end", () => { say("got " + text); socket.end(text.toUpperCase()) });
      }).listen(0, "127.0.0.1", function () { say(this.address().port) });
    `);
    const flow = await net.connect(sw, tcp("127.0.0.1", Number(await peer.line())));
    await copyString("hello", flow);
    await flow.shutdown("send");
    assertEquals(await peer.line(), "got hello");
    assertEquals(textOf(await readAll(flow)), "HELLO");
  });
});

test("connect() reads on after the peer has half-closed, and can still write", async () => {
  await withNet(async (sw, net) => {
    await using peer = Peer.node(`
      net.createServer({ allowHalfOpen: true }, (socket) => {
        socket.end("bye");
        let text = "";
        socket.on("data", (data) => text += data).on("end", () => say("got " + text));
      }).listen(0, "127.0.0.1", function () { say(this.address().port) });
    `);
    const flow = await net.connect(sw, tcp("127.0.0.1", Number(await peer.line())));
    assertEquals(textOf(await readAll(flow)), "bye");
    assertEquals(await flow.read(new Uint8Array(1)), null);
    await copyString("still here", flow);
    await flow.shutdown("send");
    assertEquals(await peer.line(), "got still here");
  });
});

/** Runs `fn` with a connection to a server of Node that runs `onSocket` with each `socket`. */
function withPeer(onSocket: string, fn: (flow: StreamSocket, peer: Peer, sw: Switch) => Promise<unknown>) {
  return withNet(async (sw, net) => {
    await using peer = Peer.node(`
      net.createServer({ allowHalfOpen: true }, (socket) => { socket.on("error", () => {}); ${onSocket} })
        .listen(0, "127.0.0.1", function () { say(this.address().port) });
    `);
    const port = Number(await peer.line());
    await fn(await net.connect(sw, tcp("127.0.0.1", port)), peer, sw);
  });
}

test("a read is connection_reset when the peer resets, and stays so", async () => {
  await withPeer(`socket.once("data", () => socket.resetAndDestroy())`, async (flow) => {
    await copyString("x", flow);
    for (let i = 0; i < 3; i++) await assertNetError(() => flow.read(new Uint8Array(1)), "connection_reset");
  });
});

test("a write is connection_reset after the peer's reset, again and again", async () => {
  await withPeer(`socket.once("data", () => socket.resetAndDestroy())`, async (flow) => {
    await copyString("x", flow);
    await assertNetError(() => flow.read(new Uint8Array(1)), "connection_reset");
    for (let i = 0; i < 3; i++) await assertNetError(() => flow.write(new Uint8Array(1)), "connection_reset");
  });
});

test("a write that waits for a peer that reads nothing is connection_reset when the peer resets", async () => {
  await withPeer(`socket.pause(); process.stdin.once("data", () => socket.resetAndDestroy())`, async (flow, peer) => {
    const writing = assertNetError(async () => {
      for (;;) await flow.write(new Uint8Array(65536));
    }, "connection_reset");
    peer.say("now");
    await writing;
  });
});

test("a write to a peer whose process was killed fails with connection_reset", async () => {
  await withPeer(`say("accepted")`, async (flow, peer) => {
    await peer.line();
    peer.kill("SIGKILL");
    await peer.ended;
    await assertNetError(async () => {
      for (;;) await flow.write(new Uint8Array(1024));
    }, "connection_reset");
  });
});

test("a read ends when the peer's process is killed", async () => {
  await withPeer(`say("accepted")`, async (flow, peer) => {
    await peer.line();
    const reading = flow.read(new Uint8Array(1));
    peer.kill("SIGKILL");
    assertEquals(await reading, null);
  });
});

test("a peer that reads nothing stops the writer, and close() resets it after linger", async () => {
  await withNet(async (sw, net) => {
    await using peer = Peer.node(`
      net.createServer({ pauseOnConnect: true }, (socket) => { socket.on("error", (error) => say(error.code));
        process.stdin.once("data", () => socket.resume()) })
        .listen(0, "127.0.0.1", function () { say(this.address().port) });
    `);
    const flow = await net.connect(sw, tcp("127.0.0.1", Number(await peer.line())), { linger: 50 });
    let sent = 0;
    const pushing = assertRejects(async () => {
      for (;;) sent += await flow.write(new Uint8Array(65536));
    });
    let before = -1;
    while (sent !== before) {
      before = sent;
      await net.clock.sleep(50);
    }
    assert(sent < 64 << 20, `${sent} bytes were taken`);
    await flow.close();
    await pushing;
    if (!net.features.has("reset")) return;
    peer.say("read on");
    assertEquals(await peer.line(), "ECONNRESET");
  });
});

test("close() lets a slow reader have all that was taken", async () => {
  await withNet(async (sw, net) => {
    await using peer = Peer.node(`
      net.createServer({ pauseOnConnect: true }, (socket) => {
        const hash = require("node:crypto").createHash("sha256");
        socket.on("data", (data) => { hash.update(data); socket.pause(); setTimeout(() => socket.resume(), 1) });
        socket.on("error", (error) => say(error.code)).on("end", () => say(hash.digest("hex")));
        socket.resume();
      }).listen(0, "127.0.0.1", function () { say(this.address().port) });
    `);
    const flow = await net.connect(sw, tcp("127.0.0.1", Number(await peer.line())), { linger: 20_000 });
    await writeAll(flow, big);
    await flow.close();
    assertEquals(await peer.line(), bigHash);
  });
});

test("runServer() echoes 8 MiB to a raw node:net client, byte for byte", async () => {
  const errors = await withServer(anyPort, echo, async ({ address }: ListeningSocket<TcpAddress>) => {
    await using peer = Peer.node(
      `
      const big = new Uint8Array(8 << 20).map((_, i) => (i * 2654435761) >>> 13);
      const hash = require("node:crypto").createHash("sha256");
      const socket = net.connect(args[0], "127.0.0.1", () => socket.end(big));
      socket.on("data", (data) => hash.update(data)).on("end", () => say(hash.digest("hex")));
    `,
      address.port,
    );
    assertEquals(await peer.line(), bigHash);
  });
  assertEquals(errors, []);
});

test("runServer() survives a client that resets, and reports it", async () => {
  const errors = await withServer(anyPort, echo, async ({ address }, sw, net) => {
    await using peer = Peer.node(
      `const socket = net.connect(args[0], "127.0.0.1", () => socket.write("x"));
       socket.once("data", () => { socket.resetAndDestroy(); say("reset") })`,
      address.port,
    );
    assertEquals(await peer.line(), "reset");
    const flow = await net.connect(sw, address);
    await copyString("hello", flow);
    assertEquals(await flow.read(new Uint8Array(9)), 5);
    await flow.close();
  });
  assertEquals(errors.map((error) => (error as NetError).code), ["connection_reset"]);
});

const resets: Promise<boolean> = withNet((_, net) => Promise.resolve(net.features.has("reset")));

test("abort() resets the connection, or ends it without the feature", async () => {
  const report = `socket.on("error", (error) => say(error.code)).on("end", () => say("end")).resume();`;
  await withPeer(report, async (flow, peer) => {
    await copyString("x", flow);
    flow.abort();
    assertEquals(await peer.line(), await resets ? "ECONNRESET" : "end");
  });
});

test("close() cuts the connection off at once when the owning switch was cancelled", async () => {
  await using peer = Peer.node(`
    net.createServer((socket) => {
      socket.on("error", (error) => say(error.code)).on("end", () => say("end")).resume();
      say("connected");
    }).listen(0, "127.0.0.1", function () { say(this.address().port) });
  `);
  const port = Number(await peer.line());
  const failed = withNet(async (sw, net) => {
    await net.connect(sw, tcp("127.0.0.1", port));
    await peer.line();
    throw new Error("Cannot go on");
  });
  await assertRejects(() => failed, Error, "Cannot go on");
  assertEquals(await peer.line(), await resets ? "ECONNRESET" : "end");
});
