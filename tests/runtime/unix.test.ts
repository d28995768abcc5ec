// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { copyString, first, readAll, unix } from "../../mod.ts";
import { textOf, turn, until } from "../_helpers.ts";
import { test } from "../_test.ts";
import { assertNetError, withNet } from "../net/_helpers.ts";
import { descriptors, leaveStale, withPath } from "./_helpers.ts";
import { Peer } from "./_peers.ts";

test("listen() on a Unix path takes connections, whose addresses are told", async () => {
  await withPath(async (path, sw, net) => {
    const listener = await net.listen(sw, unix(path));
    assertEquals(listener.address, unix(path));
    const client = await net.connect(sw, unix(path));
    const server = await listener.accept(sw);
    assertEquals([client.local, client.peer, server.local, server.peer], [unix(""), unix(path), unix(path), unix("")]);
    await copyString("hello", client);
    await client.shutdown("send");
    assertEquals(textOf(await readAll(server)), "hello");
    await copyString("world", server);
    await server.close();
    assertEquals(textOf(await readAll(client)), "world");
  });
});

test("listen() on an abstract name makes no file, and is known to the system by exactly that name", async () => {
  await withNet(async (sw, net) => {
    const name = `sluice-${process.pid}-${Math.random()}`;
    const listener = await net.listen(sw, unix(`\0${name}`));
    const listed = readFileSync("/proc/net/unix", "latin1").split("\n").map((line) => line.split(" ").at(-1));
    assert(listed.includes(`@${name}`));
    const client = await net.connect(sw, unix(`\0${name}`));
    await listener.accept(sw);
    assertEquals(client.peer, unix(`\0${name}`));
    assertFalse(existsSync(name));
    await assertNetError(() => net.listen(sw, unix(`\0${name}`)), "address_in_use");
    await listener.close();
    await assertNetError(() => net.connect(sw, unix(`\0${name}`)), "connection_refused");
  });
});

test("close() of a Unix socket gives a peer that reads nothing up after linger", async () => {
  await withPath(async (path, sw, net) => {
    const listener = await net.listen(sw, unix(path));
    const client = await net.connect(sw, unix(path), { linger: 20 });
    await listener.accept(sw);
    await first(async () => {
      for (;;) await client.write(new Uint8Array(65536));
    }, turn);
    await client.close();
  });
});

test("abort() of a Unix socket ends the other side's reading", async () => {
  await withPath(async (path, sw, net) => {
    const listener = await net.listen(sw, unix(path));
    const client = await net.connect(sw, unix(path));
    const server = await listener.accept(sw);
    const reading = server.read(new Uint8Array(1)).catch((error) => error.code);
    client.abort();
    assert([null, "connection_reset"].includes(await reading));
    await assertNetError(async () => {
      for (;;) await server.write(new Uint8Array(1));
    }, "connection_reset");
  });
});

test("connect() to a stale Unix socket is connection_refused", async () => {
  await withPath(async (path, sw, net) => {
    leaveStale(path);
    await assertNetError(() => net.connect(sw, unix(path)), "connection_refused");
  });
});

test("listen() and connect() take the longest abstract name there may be, to the byte, and refuse a longer one", async () => {
  await withNet(async (sw, net) => {
    const name = `\0sluice-${process.pid}-${Math.random()}-é`;
    const most = process.versions.bun === undefined ? 107 : 106; // Bun keeps one byte for a NUL that no abstract name has
    const longest = name.padEnd(name.length + 1 + most - new TextEncoder().encode(name).length, "x");
    const listener = await net.listen(sw, unix(longest));
    const listed = readFileSync("/proc/net/unix", "utf8").split("\n").map((line) => line.split(" ").at(-1));
    assert(listed.includes(`@${longest.slice(1)}`));
    await net.connect(sw, unix(longest));
    await listener.accept(sw);
    await assertRejects(
      () => net.listen(sw, unix(`${longest}xx`.slice(0, longest.length + 108 - most))),
      TypeError,
      "108",
    );
    await assertNetError(() => net.connect(sw, unix(longest.slice(0, -1))), "connection_refused");
  });
});

test("listen() and connect() refuse an abstract name that is empty or has a NUL", async () => {
  await withNet(async (sw, net) => {
    for (const path of ["\0", "\0a\0b", "\0\0"]) {
      await assertRejects(() => net.listen(sw, { transport: "unix", path }), TypeError, "Unix");
      await assertRejects(() => net.connect(sw, { transport: "unix", path }), TypeError, "Unix");
    }
  });
});

/** Fills the backlog of a foreign listener on `path` that accepts nothing. */
async function withFullBacklog(path: string, fn: () => Promise<void>): Promise<void> {
  const script = `
import socket, sys
listener = socket.socket(socket.AF_UNIX); listener.bind(sys.argv[1]); listener.listen(0)
client = socket.socket(socket.AF_UNIX); client.connect(sys.argv[1])
print("full", flush=True); sys.stdin.read()`;
  await using peer = new Peer("python3", ["-c", script, path]);
  assertEquals(await peer.line(), "full");
  await fn();
}

test("connect() to a Unix listener whose backlog is full is connection_refused", async () => {
  await withPath(async (path, sw, net) => {
    await withFullBacklog(path, async () => {
      const before = descriptors();
      for (let i = 0; i < 10; i++) await assertNetError(() => net.connect(sw, unix(path)), "connection_refused");
      await until(() => descriptors() <= before);
    });
  });
}, { peers: ["python3"] });

test("connect() to a Unix socket that is not for streams, or to another file, is connection_refused", async () => {
  await withPath(async (path, sw, net) => {
    const script = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound", flush=True); sys.stdin.read()`;
    await using peer = new Peer("python3", ["-c", script, path]);
    assertEquals(await peer.line(), "bound");
    await assertNetError(() => net.connect(sw, unix(path)), "connection_refused");
    writeFileSync(`${path}2`, "");
    await assertNetError(() => net.connect(sw, unix(`${path}2`)), "connection_refused");
    await assertNetError(() => net.connect(sw, unix(dirname(path))), "connection_refused");
  });
}, { peers: ["python3"] });
