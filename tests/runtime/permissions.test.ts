// Copyright 2026 the Sluice authors. MIT license.

/** Deno's refusals, which its own `node:net` throws where no caller can catch them. */
import { assertEquals } from "@std/assert";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { until } from "../_helpers.ts";
import { root } from "../_runtimes.ts";
import { test } from "../_test.ts";
import { findTool } from "../_tools.ts";
import { withNameServer } from "./_dnsmasq.ts";
import { withPath } from "./_helpers.ts";
import { Peer } from "./_peers.ts";

const deno = findTool("deno") ?? process.execPath;

/** What becomes of `tries` (as "listen 127.0.0.1 0") and then of a lookup in a Deno that has only `permissions`. */
function outcomes(permissions: readonly string[], ...tries: string[]): Promise<string[]> {
  return outcomesOf(permissions, "denied", ...tries);
}

/** What a program of `tests/net/env/_program.ts` says at the end of its lines, in a Deno that has only `permissions`. */
async function outcomesOf(permissions: readonly string[], name: string, ...rest: string[]): Promise<string[]> {
  const program = join(root, "tests/net/env/_program.ts");
  const args = ["--no-check", "--no-prompt", ...permissions, program, name, ...rest];
  // By a shell, and by a variable: where Deno sees its own path among the arguments of a child, it gives that child all permissions.
  await using peer = new Peer("sh", ["-c", 'exec "$PROGRAM" run "$@"', "sh", ...args], { PROGRAM: deno });
  assertEquals([(await peer.ended).code, peer.errors], [0, ""]);
  return peer.output.trimEnd().split("\n").map((line) => line.slice(line.lastIndexOf(" ") + 1));
}

const refused = "connection_refused"; // the system was asked
const denied = "permission_denied";

/** A port without a listener. */
const closedPort = 9;

test("run() on Deno without --allow-net is permission_denied for everything, and survives", async () => {
  const tries = [`connect 127.0.0.1 ${closedPort}`, "listen 127.0.0.1 0", "listen :: 0", "connect /nonexistent 0"];
  assertEquals(await outcomes([], ...tries), [denied, denied, denied, denied, denied]);
}, { peers: ["deno"] });

test("run() on Deno with --allow-net=127.0.0.1 can use that address, and no other", async () => {
  assertEquals(
    await outcomes(
      ["--allow-net=127.0.0.1"],
      `connect 127.0.0.1 ${closedPort}`,
      "listen 127.0.0.1 0",
      `connect 127.0.0.2 ${closedPort}`,
      "listen 0.0.0.0 0",
      `connect ::1 ${closedPort}`,
      "connect /nonexistent 0",
    ),
    [refused, "ok", denied, denied, denied, denied, denied],
  );
}, { peers: ["deno"] });

test(
  "datagramSocket() and send() on Deno are permission_denied where the permission is missing, and survive",
  async () => {
    const tries = ["bind 127.0.0.1 0", "bind 127.0.0.2 0", "send 127.0.0.1 9", "send 127.0.0.2 9"];
    assertEquals(await outcomes([], ...tries), [denied, denied, denied, denied, denied]);
    assertEquals(await outcomes(["--allow-net=127.0.0.1"], ...tries), ["ok", denied, "ok", denied, denied]);
  },
  { peers: ["deno"] },
);

test("run() on Deno with one port can use that port, and no other", async () => {
  assertEquals(
    await outcomes(
      [`--allow-net=127.0.0.1:${closedPort},127.0.0.1:0,[::1]:${closedPort}`],
      `connect 127.0.0.1 ${closedPort}`,
      "listen 127.0.0.1 0",
      `connect 127.0.0.1 ${closedPort + 1}`,
      `connect ::1 ${closedPort}`,
    ),
    [refused, "ok", denied, refused, denied],
  );
}, { peers: ["deno"] });

test("run() on Deno with --allow-net has the whole network, but no Unix path", async () => {
  const tries = [`connect ::1 ${closedPort}`, "listen :: 0", "listen /nonexistent/x 0", "connect /nonexistent/x 0"];
  assertEquals(await outcomes(["--allow-net"], ...tries), [refused, "ok", denied, denied, "ok"]);
}, { peers: ["deno"] });

test("run() on Deno uses a Unix path when it may use the network, and read and write there", async () => {
  await withPath(async (path) => {
    const folder = dirname(path);
    const tries = [`listen ${folder}/a 0`, `connect ${folder}/b 0`, "connect /nonexistent 0"];
    const files = [`--allow-read=${folder}`, `--allow-write=${folder}`];
    assertEquals(await outcomes([...files, "--allow-net"], ...tries), ["ok", "not_found", denied, "ok"]);
    assertEquals(await outcomes([`--allow-read=${folder}`, "--allow-net"], ...tries), [denied, denied, denied, "ok"]);
    assertEquals(await outcomes(files, ...tries), [denied, denied, denied, denied]);
  });
}, { peers: ["deno"] });

test("run() on Deno asks its name servers when it may use them and a port of its own", async () => {
  const nxdomain = 3;
  await withNameServer(() => nxdomain, async ({ port }) => {
    const names = (...permissions: string[]) => outcomesOf(permissions, "names", String(port));
    assertEquals(await names(`--allow-net=127.0.0.1:${port},0.0.0.0:0`), ["NONAME", "ok", "NONAME"]);
    assertEquals(await names(`--allow-net=127.0.0.1:${port}`), [denied, denied, denied]);
    assertEquals(await names("--allow-net=0.0.0.0:0"), [denied, denied, denied]);
  });
}, { peers: ["deno"] });

test("run() on Deno can listen on a Unix path when it is granted that path and nothing beside it", async () => {
  await withPath(async (path) => {
    const grants = [`--allow-read=${path}`, `--allow-write=${path}`, `--allow-net=unix:${path}`];
    assertEquals(await outcomes(grants, `listen ${path} 0`), ["ok", denied]);
    assertEquals(readdirSync(dirname(path)), []);
  });
}, { peers: ["deno"] });

test("run() on Deno closes a listener on a Unix path without a prompt for permission to read /proc", async () => {
  await withPath(async (path) => {
    const folder = dirname(path);
    const program = `tests/net/env/_program.ts denied "listen ${path} 0"`;
    const command = `"$PROGRAM" run --no-check --allow-net --allow-read=${folder} --allow-write=${folder} ${program}`;
    // script(1) provides a terminal, without which Deno does not prompt.
    await using peer = new Peer("script", ["-qec", command, "/dev/null"], { PROGRAM: deno });
    let hasEnded = false;
    peer.ended.finally(() => hasEnded = true);
    await until(() => hasEnded || peer.output.includes("requests"));
    assertEquals(peer.output.match(/requests.*/g), null);
    assertEquals(readdirSync(folder), []);
  });
}, { peers: ["deno", "script"] });
