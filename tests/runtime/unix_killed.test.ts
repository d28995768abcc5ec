// Copyright 2026 the Sluice authors. MIT license.

/** What processes that were killed while they began to listen on a Unix path leave, and who removes it. */
import { assert, assertEquals } from "@std/assert";
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { unix } from "../../mod.ts";
import { ownMark } from "../../net/backends/unix/_process_mark.ts";
import { test } from "../_test.ts";
import { assertNetError } from "../net/_helpers.ts";
import { exitedMark, leaveClaim, withPath } from "./_helpers.ts";
import { runThis } from "./_peers.ts";

test("listen() removes what killed processes have left beside its path, and no more", async () => {
  await withPath(async (path, sw, net) => {
    for (let round = 0; round < 5; round++) {
      const victims = [0, 1, 2].map(() => runThis("tests/runtime/_unix_listener.ts", path));
      await Promise.all(victims.map((victim) => victim.line()));
      for (const victim of victims) {
        victim.kill("SIGKILL");
        await victim.ended;
      }
      const listener = await net.listen(sw, unix(path), { reuseAddr: true });
      assertEquals(readdirSync(dirname(path)), ["socket"]);
      await net.connect(sw, unix(path));
      await (await listener.accept(sw)).close();
      await listener.close();
    }
  });
});

test("listen() takes over the claim of a killed process at once", async () => {
  await withPath(async (path, sw, net) => {
    leaveClaim(path, exitedMark());
    await net.listen(sw, unix(path), { reuseAddr: true });
    assertEquals(readdirSync(dirname(path)), ["socket"]);
  });
});

test("listen() with reuseAddr is address_in_use while a live process has the claim, however old it is", async () => {
  await withPath(async (path, sw, net) => {
    const claim = leaveClaim(path, ownMark()!);
    utimesSync(claim, 0, 0);
    await assertNetError(() => net.listen(sw, unix(path), { reuseAddr: true }), "address_in_use");
    assertEquals(readdirSync(claim), [ownMark()]);
  });
});

test("listen() takes over a claim of another PID namespace or boot only when it is old", async () => {
  await withPath(async (path, sw, net) => {
    const claim = leaveClaim(path, "1.2.3.4");
    await assertNetError(() => net.listen(sw, unix(path), { reuseAddr: true }), "address_in_use");
    utimesSync(claim, 0, 0);
    await net.listen(sw, unix(path), { reuseAddr: true });
    assertEquals(readdirSync(dirname(path)), ["socket"]);
  });
});

test("listen() removes a claim that a killed process emptied or had not finished", async () => {
  await withPath(async (path, sw, net) => {
    mkdirSync(`${path}.7.claim`);
    mkdirSync(`${path}.${exitedMark()}.aaaaaa/${exitedMark()}`, { recursive: true, mode: 0o700 });
    await net.listen(sw, unix(path));
    assertEquals(readdirSync(dirname(path)), ["socket"]);
  });
});

test("listen() leaves a folder beside its path whose maker lives, or cannot be judged, or that has something else in it", async () => {
  await withPath(async (path, sw, net) => {
    const [pid, start] = ownMark()!.split(".");
    const gone = exitedMark();
    const kept = [`${ownMark()}.aaaaaa`, `${pid}.${start}0.x.y.aaaaaa`, "backup", "1.2.aaaaaa"];
    for (const name of [...kept, `${gone}.aaaaaa`, `${gone}.bbbbbb`]) mkdirSync(`${path}.${name}`, { mode: 0o700 });
    writeFileSync(`${path}.${gone}.bbbbbb/s`, "precious");
    await net.listen(sw, unix(path));
    for (const name of kept) assert(existsSync(`${path}.${name}`), name);
    assert(existsSync(`${path}.${gone}.bbbbbb/s`));
    assert(!existsSync(`${path}.${gone}.aaaaaa`));
  });
});

test("listen() on Bun refuses an abstract name of 107 bytes, and says what it takes", async () => {
  if (process.versions.bun === undefined) return;
  await withPath(async (_, sw, net) => {
    const error = await assertNetError(() => net.listen(sw, unix(`\0${"x".repeat(107)}`)), "not_supported");
    assert(error.message.includes("106 bytes"));
  });
});
