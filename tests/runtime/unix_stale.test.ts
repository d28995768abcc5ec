// Copyright 2026 the Sluice authors. MIT license.

/** What `reuseAddr` replaces, and what it never touches. */
import { assert, assertEquals } from "@std/assert";
import { spawnSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { copyString, readAll, unix } from "../../mod.ts";
import { textOf } from "../_helpers.ts";
import { test } from "../_test.ts";
import { assertNetError } from "../net/_helpers.ts";
import { exitedMark, leaveClaim, leaveStale, withPath } from "./_helpers.ts";
import { Peer, runThis } from "./_peers.ts";

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

test("listen() on a live Unix socket is address_in_use even with reuseAddr, and does no harm", async () => {
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
    assertEquals(textOf(await readAll(await listener.accept(sw))), "hello");
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

test("listen() with reuseAddr leaves alone anything but a socket, even a link to a dead socket", async () => {
  await withPath(async (folder, sw, net) => {
    mkdirSync(folder);
    const path = `${folder}/s`;
    const [dead, live] = [`${folder}/dead`, `${folder}/live`];
    leaveStale(dead);
    await net.listen(sw, unix(live));
    const makers: Record<string, () => unknown> = {
      "a folder": () => mkdirSync(path),
      "a FIFO": () => spawnSync("mkfifo", [path]),
      "a link to a dead socket": () => symlinkSync(dead, path),
      "a link to a live socket": () => symlinkSync(live, path),
      "a link to nothing": () => symlinkSync(`${folder}/nothing`, path),
    };
    for (const [what, make] of Object.entries(makers)) {
      make();
      const before = lstatSync(path).ino;
      await assertNetError(() => net.listen(sw, unix(path), { reuseAddr: true }), "address_in_use");
      assertEquals(lstatSync(path).ino, before, what);
      spawnSync("rm", ["-r", path]);
    }
    assertEquals(readdirSync(folder).sort(), ["dead", "live"]);
  });
});

/** Runs `script` in Python with `path` as its argument, until `fn` has ended. It says a line when it is ready. */
async function withPython(script: string, path: string, fn: () => Promise<void>): Promise<void> {
  const program = `import socket, sys\n${script}\nprint("ready", flush=True); sys.stdin.read()`;
  await using peer = new Peer("python3", ["-c", program, path]);
  assertEquals(await peer.line(), "ready");
  await fn();
}

const livePeers: Record<string, string> = {
  "one whose backlog is full": `
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(0)
c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1])`,
  "one for datagrams": `s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1])`,
  "one for packets": `s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind(sys.argv[1]); s.listen(9)`,
};
for (const [what, script] of Object.entries(livePeers)) {
  test(`listen() with reuseAddr leaves a foreign live socket alone: ${what}`, async () => {
    await withPath(async (path, sw, net) => {
      await withPython(script, path, async () => {
        const before = lstatSync(path).ino;
        await assertNetError(() => net.listen(sw, unix(path), { reuseAddr: true }), "address_in_use");
        assertEquals(lstatSync(path).ino, before);
      });
    });
  }, { peers: ["python3"] });
}

test("listen() with reuseAddr costs a live server one connection, which says nothing", async () => {
  await withPath(async (path, sw, net) => {
    const listener = await net.listen(sw, unix(path));
    await assertNetError(() => net.listen(sw, unix(path), { reuseAddr: true }), "address_in_use");
    assertEquals(textOf(await readAll(await listener.accept(sw))), "");
    const next = listener.accept(sw);
    const client = await net.connect(sw, unix(path));
    await copyString("mine", client);
    await client.close();
    assertEquals(textOf(await readAll(await next)), "mine");
  });
});

test("listen() with reuseAddr replaces a dead socket in place where the path has no room to spare", async () => {
  await withPath(async (first, sw, net) => {
    const path = first.padEnd(107, "x");
    leaveStale(path);
    await net.listen(sw, unix(path), { reuseAddr: true });
    await assertNetError(() => net.listen(sw, unix(path), { reuseAddr: true }), "address_in_use");
    assertEquals(readdirSync(dirname(path)).length, 1);
  });
});

test("of many that replace the same dead socket at once, one wins, and it can be reached", async () => {
  await withPath(async (path, sw, net) => {
    for (let round = 0; round < 10; round++) {
      leaveStale(path);
      const tries = await Promise.allSettled(
        Array.from({ length: 10 }, () => net.listen(sw, unix(path), { reuseAddr: true })),
      );
      const winners = tries.filter((result) => result.status === "fulfilled").map(({ value }) => value);
      assertEquals(winners.length, 1);
      await net.connect(sw, unix(path));
      await winners[0].accept(sw);
      await winners[0].close();
      assertEquals(readdirSync(dirname(path)), []);
    }
  });
});

const leftovers: Record<string, (path: string) => unknown> = {
  "dead socket": leaveStale,
  "dead socket with the claim of a killed process": (path) => leaveClaim(path, exitedMark()),
};
for (const [what, leave] of Object.entries(leftovers)) {
  test(`of many processes that replace the same ${what} at once, one wins, and it can be reached`, async () => {
    await withPath(async (path, sw, net) => {
      const racers = Array.from({ length: 4 }, () => runThis("tests/runtime/_unix_racer.ts", path));
      try {
        for (const racer of racers) assertEquals(await racer.line(), "ready");
        for (let round = 0; round < 20; round++) {
          leave(path);
          for (const racer of racers) racer.say("go\n");
          const results = await Promise.all(racers.map((racer) => racer.line()));
          assertEquals(results.filter((result) => result === "won").length, 1, results.join(" "));
          assertEquals(results.filter((result) => result === "address_in_use").length, 3, results.join(" "));
          await (await net.connect(sw, unix(path))).close();
          for (const racer of racers) racer.say("stop\n");
          for (const racer of racers) assertEquals(await racer.line(), "stopped");
          assertEquals(readdirSync(dirname(path)), []);
        }
      } finally {
        for (const racer of racers) await racer[Symbol.asyncDispose]();
      }
    });
  });
}
