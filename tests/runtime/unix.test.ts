// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, mkdtempSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { copyString, first, type Net, readAll, Switch, unix } from "../../mod.ts";
import { openCounts } from "../../net/testing/mod.ts";
import { test } from "../_test.ts";
import { assertNetError, text, turn, until, withNet } from "../net/_helpers.ts";
import { nodeProgram } from "./_peers.ts";

/** Runs `fn` with a path for a Unix socket in a folder of its own. */
async function withPath(fn: (path: string, sw: Switch, net: Net) => unknown): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-unix-"));
  try {
    await withNet(async (sw, net) => await fn(join(folder, "socket"), sw, net));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Leaves a socket file behind on which nobody listens, as a killed server does. */
function leaveStale(path: string): void {
  const script = `require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(nodeProgram, ["-e", script, path]);
  assert(lstatSync(path).isSocket());
}

test("listen() on a Unix path takes connections, whose addresses are told", async () => {
  await withPath(async (path, sw, net) => {
    const listener = await net.listen(sw, unix(path));
    assertEquals(listener.address, unix(path));
    const client = await net.connect(sw, unix(path));
    const server = await listener.accept(sw);
    assertEquals([client.local, client.peer, server.local, server.peer], [unix(""), unix(path), unix(path), unix("")]);
    await copyString("hello", client);
    await client.shutdown("send");
    assertEquals(text(await readAll(server)), "hello");
    await copyString("world", server);
    await server.close();
    assertEquals(text(await readAll(client)), "world");
  });
});

test("close() of a Unix listener has removed its path when it settles", async () => {
  await withPath(async (path, sw, net) => {
    const listener = await net.listen(sw, unix(path));
    assert(existsSync(path));
    await listener.close();
    assertFalse(existsSync(path));
  });
});

test("close() of a Unix listener has removed its path when it settles, though connections live on", async () => {
  await withPath(async (path, sw, net) => {
    const listener = await net.listen(sw, unix(path));
    const client = await net.connect(sw, unix(path));
    const server = await listener.accept(sw);
    await listener.close();
    assertFalse(existsSync(path));
    await copyString("x", client);
    assertEquals(await server.read(new Uint8Array(9)), 1);
  });
});

test("a Unix listener's path is removed when its switch ends", async () => {
  await withPath(async (path, _, net) => {
    await Switch.run((sw) => net.listen(sw, unix(path)));
    assertFalse(existsSync(path));
  });
});

test("a Unix listener that was closed early removes nothing when its switch ends", async () => {
  await withPath(async (path, outer, net) => {
    await Switch.run(async (sw) => {
      const listener = await net.listen(sw, unix(path));
      await listener.close();
      await net.listen(outer, unix(path));
    });
    assert(existsSync(path));
  });
});

test("close() of a Unix listener is quiet when a third party has removed its path", async () => {
  await withPath(async (path, sw, net) => {
    const listener = await net.listen(sw, unix(path));
    unlinkSync(path);
    await listener.close();
  });
});

test("listen() on a stale Unix socket is address_in_use without reuseAddr, and leaves it alone", async () => {
  await withPath(async (path, sw, net) => {
    leaveStale(path);
    await assertNetError(() => net.listen(sw, unix(path)), "address_in_use");
    assert(lstatSync(path).isSocket());
  });
});

test("listen() replaces a stale Unix socket with reuseAddr", async () => {
  await withPath(async (path, sw, net) => {
    leaveStale(path);
    const listener = await net.listen(sw, unix(path), { reuseAddr: true });
    await net.connect(sw, unix(path));
    await listener.accept(sw);
  });
});

test("listen() on a live Unix socket is address_in_use even with reuseAddr, and harms nobody", async () => {
  await withPath(async (path, sw, net) => {
    const listener = await net.listen(sw, unix(path));
    for (const reuseAddr of [false, true]) {
      await assertNetError(() => net.listen(sw, unix(path), { reuseAddr }), "address_in_use");
    }
    assert(lstatSync(path).isSocket());
    await (await listener.accept(sw).catch(() => undefined))?.close(); // the probe
    const client = await net.connect(sw, unix(path));
    await copyString("hello", client);
    await client.close();
    assertEquals(text(await readAll(await listener.accept(sw))), "hello");
  });
});

test("listen() leaves a regular file alone, with and without reuseAddr", async () => {
  await withPath(async (path, sw, net) => {
    writeFileSync(path, "precious");
    for (const reuseAddr of [false, true]) {
      await assertNetError(() => net.listen(sw, unix(path), { reuseAddr }), "address_in_use");
    }
    assertEquals(readFileSync(path, "utf8"), "precious");
  });
});

test("listen() in a missing folder is a NetError", async () => {
  await withPath(async (path, sw, net) => {
    await assertNetError(() => net.listen(sw, unix(`${path}/missing/socket`)), "not_found");
  });
});

test("listen() refuses a Unix path that is too long or empty", async () => {
  await withPath(async (path, sw, net) => {
    await assertRejects(() => net.listen(sw, unix(path + "x".repeat(100))), TypeError, "bytes");
    await assertRejects(() => net.connect(sw, unix(path + "x".repeat(100))), TypeError, "bytes");
    await assertRejects(() => net.listen(sw, unix("")), TypeError, "empty");
    await assertRejects(() => net.connect(sw, unix("")), TypeError, "empty");
  });
});

test("listen() takes the longest Unix path there may be, and cuts nothing off", async () => {
  await withPath(async (path, sw, net) => {
    const longest = path.padEnd(107, "x");
    const listener = await net.listen(sw, unix(longest));
    assert(existsSync(longest));
    await net.connect(sw, unix(longest));
    await listener.accept(sw);
    await listener.close();
    assertFalse(existsSync(longest));
  });
});

test("listen() gives a Unix path the mode that was asked for", async () => {
  await withPath(async (path, sw, net) => {
    for (const mode of [0o600, 0o660, 0o777]) {
      const listener = await net.listen(sw, unix(path), { mode });
      assertEquals((statSync(path).mode & 0o777).toString(8), mode.toString(8));
      await listener.close();
    }
  });
});

test("listen() refuses a mode for an abstract name", async () => {
  await withNet(async (sw, net) => {
    await assertRejects(() => net.listen(sw, unix("\0sluice-mode"), { mode: 0o600 }), TypeError, "mode");
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

test("listen() on a Unix path that is cancelled removes it again", async () => {
  await withPath(async (path, sw, net) => {
    await first(() => net.listen(sw, unix(path)), () => Promise.resolve());
    await until(() => openCounts().listeners === 0 && !existsSync(path));
  });
});

test("connect() to a stale Unix socket is connection_refused", async () => {
  await withPath(async (path, sw, net) => {
    leaveStale(path);
    await assertNetError(() => net.connect(sw, unix(path)), "connection_refused");
  });
});
