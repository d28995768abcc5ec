// Copyright 2026 the Sluice authors. MIT license.

/** What writing costs in system calls, as `strace` sees it. */
import { assertEquals } from "@std/assert";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { runChild } from "../_child.ts";
import { root, thisRuntime } from "../_runtimes.ts";
import { test } from "../_test.ts";

const fixture = join(root, "tests/fixtures/fifty_writes.ts");
const expected = Array.from({ length: 50 }, (_, i) => `text ${i}\n`).join("");

const cases: [name: string, way: string, calls: number][] = [
  ["withBufWriter() makes one system call of fifty small writes", "gathered", 1],
  ["BufWriter.flush() makes one system call of fifty small writes", "flushed", 1],
  ["copyString() fifty times makes fifty system calls, so that the other tests can fail", "each", 50],
];
for (const [name, way, calls] of cases) {
  test(name, async () => {
    const received = Promise.withResolvers<string>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      received.resolve(text(socket).finally(() => socket.end()));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const { port } = server.address() as AddressInfo;
      assertEquals([await callsOf(port, way), await received.promise], [calls, expected]);
    } finally {
      server.close();
    }
  }, { peers: ["strace"] });
}

for (const [name, way, calls] of cases) {
  test(name.replace("()", "() on an accepted connection"), async () => {
    assertEquals(await callsOf(0, way), calls);
  }, { peers: ["strace"] });
}

/** How many calls that write to `port`, or where the fixture says, it makes on this runtime. */
async function callsOf(port: number, way: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-"));
  try {
    const report = join(folder, "calls");
    // -yy: each line names the addresses of the socket, as write(19<TCP:[127.0.0.1:50000->127.0.0.1:40000]>, …
    const tracing = ["strace", "-f", "-yy", "-e", "trace=write,writev,sendto,sendmsg,sendmmsg,sendfile", "-o", report];
    const { code, output } = await runChild([...tracing, ...thisRuntime().runCommand(fixture), String(port), way], {
      limit: 100_000,
    });
    if (code !== 0) throw new Error(`The program ended with ${code}: ${output}`);
    const lines = (await readFile(report, "utf8")).split("\n");
    const to = port === 0 ? /^tcp:(.*)$/m.exec(output)?.[1] : `127.0.0.1:${port}`;
    return lines.filter((line) => line.includes(`->${to}]>`)).length;
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("connect() and accept() set TCP_NODELAY on their sockets", async () => {
  const log = join(await mkdtemp(join(tmpdir(), "sluice-strace-")), "log");
  try {
    const program = join(root, "tests/fixtures/socket_pair.ts");
    const command = ["strace", "-f", "-o", log, "-e", "trace=setsockopt", ...thisRuntime().runCommand(program)];
    const child = await runChild(command, { limit: 60_000, cwd: root });
    assertEquals([child.code, child.output], [0, "ok\n"]);
    const calls = (await readFile(log, "utf8")).split("\n").filter((line) => /TCP_NODELAY, \[1\]/.test(line));
    const sockets = new Set(calls.map((line) => /setsockopt\((\d+)/.exec(line)?.[1]));
    assertEquals(sockets.size, 2);
  } finally {
    await rm(join(log, ".."), { recursive: true });
  }
}, { peers: ["strace"] });
