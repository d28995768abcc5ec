// Copyright 2026 the Sluice authors. MIT license.

/** The files of Unix listeners: who makes them, with what permissions, and who removes them. */
import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { copyString, first, Switch, unix } from "../../mod.ts";
import { openCounts } from "../../net/testing/mod.ts";
import { until } from "../_helpers.ts";
import { root, thisRuntime } from "../_runtimes.ts";
import { test } from "../_test.ts";
import { assertNetError, withNet } from "../net/_helpers.ts";
import { withPath } from "./_helpers.ts";
import { Peer } from "./_peers.ts";

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

test("listen() on a Unix path that is cancelled removes it again", async () => {
  await withPath(async (path, sw, net) => {
    await first(() => net.listen(sw, unix(path)), () => Promise.resolve());
    await until(() => openCounts().listeners === 0 && !existsSync(path));
  });
});

/** Both ways of making the file: in a folder of its own, and in place where the name of that folder would be too long. */
const inBothWays = (path: string) => [path, path.padEnd(107, "x")];

/** What is beside `path`, it included. */
const beside = (path: string) => readdirSync(dirname(path)).sort();

test("listen() leaves nothing but the socket beside it, whether it succeeds or fails", async () => {
  await withPath(async (folder, sw, net) => {
    mkdirSync(folder);
    for (const path of inBothWays(join(folder, "s"))) {
      const listener = await net.listen(sw, unix(path));
      assertEquals(beside(path), [basename(path)]);
      await assertNetError(() => net.listen(sw, unix(path)), "address_in_use");
      assertEquals(beside(path), [basename(path)]);
      await listener.close();
      assertEquals(beside(path), []);
    }
  });
});

test("close() of a Unix listener leaves whatever has replaced its file", async () => {
  await withPath(async (first, sw, net) => {
    for (const path of inBothWays(first)) {
      const listener = await net.listen(sw, unix(path));
      unlinkSync(path);
      writeFileSync(path, "precious");
      await listener.close();
      assertEquals(readFileSync(path, "utf8"), "precious");
      unlinkSync(path);
      assertEquals(beside(path), []);
    }
  });
});

test("close() of a Unix listener leaves the socket of its successor, which goes on serving", async () => {
  await withPath(async (first, sw, net) => {
    for (const path of inBothWays(first)) {
      const old = join(dirname(path), "old");
      const predecessor = await net.listen(sw, unix(path));
      renameSync(path, old);
      const successor = await net.listen(sw, unix(path));
      await predecessor.close();
      await net.connect(sw, unix(path));
      await successor.accept(sw);
      await successor.close();
      assertFalse(existsSync(path));
      unlinkSync(old);
    }
  });
});

test("close() of a Unix listener leaves a folder or a symbolic link that has replaced its file", async () => {
  await withPath(async (first, sw, net) => {
    for (const path of inBothWays(first)) {
      for (const replace of [() => mkdirSync(path), () => symlinkSync("nowhere", path)]) {
        const listener = await net.listen(sw, unix(path));
        unlinkSync(path);
        replace();
        await listener.close();
        assertEquals(beside(path), [basename(path)]);
        spawnSync("rm", ["-r", path]);
      }
    }
  });
});

test("close() of a Unix listener leaves another name of its socket alone", async () => {
  await withPath(async (path, sw, net) => {
    const listener = await net.listen(sw, unix(path));
    linkSync(path, `${path}2`);
    await listener.close();
    assertEquals(beside(path), [basename(`${path}2`)]);
  });
});

test("close() of a Unix listener removes its file even if its permissions and times were changed", async () => {
  await withPath(async (path, sw, net) => {
    const listener = await net.listen(sw, unix(path), { mode: 0o600 });
    chmodSync(path, 0o666);
    spawnSync("touch", [path]);
    await listener.close();
    assertFalse(existsSync(path));
  });
});

test("close() of a Unix listener on a relative path removes its file though the working folder has changed", async () => {
  await withPath(async (path, sw, net) => {
    const before = process.cwd();
    const folder = dirname(path);
    try {
      process.chdir(folder);
      mkdirSync("other");
      const listener = await net.listen(sw, unix("relative"));
      assertEquals(listener.address, unix("relative"));
      await net.connect(sw, unix("./relative"));
      await listener.accept(sw);
      process.chdir("other");
      writeFileSync("relative", "precious");
      await listener.close();
      assertFalse(existsSync(join(folder, "relative")));
      assertEquals(readFileSync("relative", "utf8"), "precious");
    } finally {
      process.chdir(before);
    }
  });
});

test("listen() follows a folder that is a symbolic link, and `..` after it, as the system does", async () => {
  await withPath(async (path, sw, net) => {
    mkdirSync(`${path}.d/inner`, { recursive: true });
    symlinkSync(`${path}.d/inner`, `${path}.l`);
    const listener = await net.listen(sw, unix(`${path}.l/../s`));
    assert(existsSync(`${path}.d/s`));
    await net.connect(sw, unix(`${path}.d/s`));
    await (await listener.accept(sw)).close();
    await listener.close();
    assertFalse(existsSync(`${path}.d/s`));
  });
});

test("listen() counts the bytes of a Unix path, not its characters", async () => {
  await withPath(async (path, sw, net) => {
    const start = `${path}é`;
    const longest = start + "é".repeat((107 - new TextEncoder().encode(start).length) >> 1);
    const exact = longest.padEnd(longest.length + (107 - new TextEncoder().encode(longest).length), "x");
    assertEquals(new TextEncoder().encode(exact).length, 107);
    const listener = await net.listen(sw, unix(exact));
    assertEquals(beside(path), [basename(exact)]);
    await net.connect(sw, unix(exact));
    await listener.accept(sw);
    await assertRejects(() => net.listen(sw, unix(`${exact}x`)), TypeError, "108 bytes");
    await assertRejects(() => net.connect(sw, unix(`${exact}x`)), TypeError, "108 bytes");
    assertEquals(beside(path), [basename(exact)]);
  });
});

test("listen() and connect() refuse a Unix path that is not well-formed Unicode, or has a NUL inside", async () => {
  await withNet(async (sw, net) => {
    const lone = { transport: "unix", path: "/tmp/\ud800" } as const;
    const cut = { transport: "unix", path: "/tmp/a\0b" } as const;
    for (const address of [lone, cut]) {
      await assertRejects(() => net.listen(sw, address), TypeError, "Unix");
      await assertRejects(() => net.connect(sw, address), TypeError, "Unix");
    }
  });
});

test("listen() on a path that ends in a slash is not_found, and address_in_use where there is such a folder", async () => {
  await withPath(async (path, sw, net) => {
    await assertNetError(() => net.listen(sw, unix(`${path}/`)), "not_found");
    mkdirSync(path);
    await assertNetError(() => net.listen(sw, unix(`${path}/`)), "address_in_use");
    assertEquals([beside(path), beside(`${path}/x`)], [[basename(path)], []]);
  });
});

test("listen() and connect() under a file instead of a folder are not_found", async () => {
  await withPath(async (path, sw, net) => {
    writeFileSync(path, "");
    await assertNetError(() => net.listen(sw, unix(`${path}/s`)), "not_found");
    // Bun calls it refused, as everything that it has no word for.
    const code = process.versions.bun === undefined ? "not_found" : "connection_refused";
    await assertNetError(() => net.connect(sw, unix(`${path}/s`)), code);
    await assertNetError(() => net.connect(sw, unix(`${path}2`)), "not_found");
  });
});

test("the mode of a Unix path does not depend on the umask", async () => {
  await withPath(async (path, sw, net) => {
    const before = process.umask(0o077);
    try {
      const open = await net.listen(sw, unix(path), { mode: 0o777 });
      assertEquals(statSync(path).mode & 0o777, 0o777);
      await open.close();
      process.umask(0);
      const closed = await net.listen(sw, unix(path), { mode: 0 });
      assertEquals(statSync(path).mode & 0o777, 0);
      await closed.close();
      assertFalse(existsSync(path));
    } finally {
      process.umask(before);
    }
  });
});

test("listen() without a mode leaves the permissions to the umask", async () => {
  await withPath(async (path, sw, net) => {
    const before = process.umask(0o027);
    try {
      await net.listen(sw, unix(path));
      assertEquals(statSync(path).mode & 0o777, 0o750);
    } finally {
      process.umask(before);
    }
  });
});

test("a Unix path has its mode from the first moment that it can be seen", async () => {
  await withPath(async (path, sw, net) => {
    // Each time the system shows the name, or a file in a folder that others can enter, it is looked at at once.
    const script = `
import ctypes, os, struct, sys
libc = ctypes.CDLL(None); watch = libc.inotify_init()
libc.inotify_add_watch(watch, sys.argv[1].encode(), 0x100 | 0x80)
print("ready", flush=True)
while True:
    data = os.read(watch, 4096)
    while data:
        size = struct.unpack("iIII", data[:16])[3]
        name = data[16:16 + size].rstrip(b"\\0").decode(); data = data[16 + size:]
        try: print(oct(os.stat(os.path.join(sys.argv[1], name)).st_mode & 0o077), flush=True)
        except FileNotFoundError: print("0o0", flush=True)
        if name == "last": sys.exit()
`;
    await using watcher = new Peer("python3", ["-c", script, dirname(path)]);
    assertEquals(await watcher.line(), "ready");
    for (let i = 0; i < 20; i++) await (await net.listen(sw, unix(path), { mode: 0o600 })).close();
    await net.listen(sw, unix(join(dirname(path), "last")), { mode: 0o600 });
    assertEquals((await watcher.ended).code, 0, watcher.errors);
    const modes = watcher.output.trim().split("\n").slice(1);
    assert(modes.length > 20);
    assertEquals(modes.filter((mode) => mode !== "0o0"), []);
  });
}, { peers: ["python3"] });

test("listen() and connect() refuse a wrong mode or bindTo before they ask the system", async () => {
  await withPath(async (path, sw, net) => {
    for (const mode of [-1, 0o1000, 1.5, NaN, "600" as unknown as number]) {
      await assertRejects(() => net.listen(sw, unix(path), { mode }), RangeError, "mode");
    }
    assertEquals(beside(path), []);
    await assertNetError(() => net.connect(sw, unix(path), { bindTo: unix(`${path}2`) }), "not_supported");
    assertEquals(beside(path), []);
  });
});

test("a Unix listener that is opened and closed a thousand times leaves no file", async () => {
  await withPath(async (path, sw, net) => {
    for (let i = 0; i < 1000; i++) await (await net.listen(sw, unix(path))).close();
    assertEquals(beside(path), []);
  });
});

test("listen() on a Unix path that is cancelled at any moment leaves no file", async () => {
  await withPath(async (path, _, net) => {
    for (let turns = 0; turns < 60; turns++) {
      await Switch.run(async (sw) => {
        await first(() => net.listen(sw, unix(path), { reuseAddr: true }), async () => {
          for (let i = 0; i < turns; i++) await null;
        });
      });
      await until(() => openCounts().listeners === 0 && beside(path).length === 0);
    }
  });
});

test("a Unix path of another user is permission_denied", async () => {
  await withPath(async (path) => {
    const script = `
import os, socket, sys
path = sys.argv[1]; os.umask(0); s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen(9); os.chmod(path, 0o600)
os.chown(path, 65534, 65534); os.chown(os.path.dirname(path), 65534, 65534); os.chmod(os.path.dirname(path), 0o755)
print("ready", flush=True); sys.stdin.read()`;
    await using owner = new Peer("python3", ["-c", script, path]);
    assertEquals(await owner.line(), "ready");
    // Root without the right to pass over permissions.
    const [program, ...args] = thisRuntime().runCommand(join(root, "tests/net/env/_program.ts"));
    const tries = [`listen ${path}2 0`, `listen ${path} 0`, `connect ${path} 0`];
    const limits = ["--bounding-set=-dac_override,-dac_read_search,-fowner", "--inh-caps=-all"];
    await using peer = new Peer("setpriv", [...limits, program, ...args, "denied", ...tries]);
    assertEquals((await peer.ended).code, 0, peer.errors);
    const codes = peer.output.trimEnd().split("\n").map((line) => line.split(" ").at(-1));
    assertEquals(codes.slice(0, 3), ["permission_denied", "address_in_use", "permission_denied"]);
    assertEquals(beside(path), [basename(path)]);
  });
}, { peers: ["setpriv", "python3"] });
