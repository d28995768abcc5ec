// Copyright 2026 the Sluice authors. MIT license.

/** Who can connect to a Unix path with a mode: no other user, at no moment. */
import { assert, assertEquals } from "@std/assert";
import { chmodSync, readdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { copyString, runServer, Switch, unix } from "../../mod.ts";
import { test } from "../_test.ts";
import { assertNetError } from "../net/_helpers.ts";
import { withPath } from "./_helpers.ts";
import { Peer } from "./_peers.ts";

/** What a test needs that becomes another user. Without root that is "root", which no machine has on its PATH. */
const strangers = process.geteuid?.() === 0 ? ["python3"] : ["root", "python3"];

/** Becomes "nobody", and connects to a path again and again. Says how often it has tried, and was served, whenever it is asked. */
const stranger = `
import os, socket, sys, threading
os.setgroups([]); os.setgid(65534); os.setuid(65534)
tries = served = 0
def connect():
    global tries, served
    while True:
        s = socket.socket(socket.AF_UNIX); s.settimeout(5)
        try:
            s.connect(sys.argv[1]); s.send(b"hello")
            if s.recv(9): served += 1
        except OSError: pass
        s.close(); tries += 1
threading.Thread(target=connect, daemon=True).start()
for line in sys.stdin: print(tries, served, flush=True)`;

/** Asks it, until it has tried as often again since the first answer. How often it was served. */
async function servedAfter(peer: Peer, more: number): Promise<number> {
  let first: number | undefined;
  for (;;) {
    peer.say("?\n");
    const [tries, served] = (await peer.line() ?? "").split(" ").map(Number);
    first ??= tries;
    if (!(tries < first + more)) return served;
  }
}

/** The lengths at which a path and what is beside it no longer fit into the address of a socket, and some before. */
const lengths = Array.from({ length: 18 }, (_, i) => 90 + i);

test("listen() with a mode lets no stranger in at any moment, however long the path is", async () => {
  const umask = process.umask(0);
  try {
    await withPath(async (first, _, net) => {
      chmodSync(dirname(first), 0o755);
      for (const length of lengths) {
        const path = first.padEnd(length, "x");
        await using peer = new Peer("python3", ["-c", stranger, path]);
        await servedAfter(peer, 1);
        for (let i = 0; i < 10; i++) {
          await Switch.run(async (sw) => {
            const listener = await net.listen(sw, unix(path), { mode: 0o600 });
            sw.forkDaemon(() => runServer(listener, (flow) => copyString("secret", flow), { onError() {} }));
            assertEquals(statSync(path).mode & 0o777, 0o600);
            assertEquals(await servedAfter(peer, 20), 0, `a path of ${length} bytes`);
          });
        }
        assertEquals(readdirSync(dirname(path)), []);
      }
    });
  } finally {
    process.umask(umask);
  }
}, { peers: strangers });

test("listen() with a mode lets a stranger in where the mode does", async () => {
  await withPath(async (first, sw, net) => {
    chmodSync(dirname(first), 0o755);
    const path = first.padEnd(107, "x");
    const listener = await net.listen(sw, unix(path), { mode: 0o666 });
    sw.forkDaemon(() => runServer(listener, (flow) => copyString("secret", flow), { onError() {} }));
    await using peer = new Peer("python3", ["-c", stranger, path]);
    assert(await servedAfter(peer, 20) > 0);
  });
}, { peers: strangers });

test("listen() with a mode in a folder that is missing is not_found, at every length", async () => {
  await withPath(async (path, sw, net) => {
    for (const length of [0, ...lengths]) {
      const address = unix(`${path}-missing/x`.padEnd(length, "x"));
      await assertNetError(() => net.listen(sw, address, { mode: 0o600 }), "not_found");
    }
  });
});
