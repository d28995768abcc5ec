// Copyright 2026 the Sluice authors. MIT license.

/** Deno's own readers and writers are sources and sinks as they are. */
import { assertEquals } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../_runtimes.ts";
import { test } from "../_test.ts";
import { findTool } from "../_tools.ts";
import { Peer } from "./_peers.ts";

/** Runs `script` on Deno, with the library's names, in a folder of its own; `input` is its standard input. */
async function onDeno(script: string, input = ""): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-deno-"));
  const prelude = `import * as io from "file://${root}/mod.ts"; Deno.chdir(${JSON.stringify(folder)});
    const equal = (a, b) => { if (String(a) !== String(b)) throw new Error(a + " is not " + b) };
    const big = new Uint8Array(1_000_000).map((_, i) => (i * 2654435761) >>> 13);`;
  try {
    await using peer = new Peer(findTool("deno") ?? "deno", ["eval", `${prelude}\n${script}`]);
    peer.say(input);
    peer.endInput();
    assertEquals([await peer.ended, peer.errors], [{ code: 0, signal: null }, ""]);
    return peer.output;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("copy() goes from and to Deno's files", async () => {
  await onDeno(`
    const out = await Deno.open("file", { write: true, create: true });
    equal(await io.copy(io.bytesSource(big), out), big.length);
    out.close();
    const sink = io.bufferSink();
    const file = await Deno.open("file");
    equal(await io.copy(file, sink), big.length);
    equal(sink.bytes(), big);
    equal(await io.readAll(file), "");
    file.close();
  `);
}, { peers: ["deno"] });

test("toReadableStream() and toWritableStream() bridge Deno's files, and leave them open", async () => {
  await onDeno(`
    const out = await Deno.open("file", { write: true, create: true });
    await new Blob([big]).stream().pipeTo(io.toWritableStream(out));
    await io.copyString("more", out);
    out.close();
    const file = await Deno.open("file");
    const packed = io.toReadableStream(file).pipeThrough(new CompressionStream("gzip"));
    const all = await io.readAll(io.fromReadableStream(packed.pipeThrough(new DecompressionStream("gzip"))));
    equal(all.subarray(0, big.length), big);
    equal(new TextDecoder().decode(all.subarray(big.length)), "more");
    await file.seek(0, Deno.SeekMode.Start);
    equal((await io.readAll(file)).length, big.length + 4);
    file.close();
  `);
}, { peers: ["deno"] });

test("fromReadableStream() and fromWritableStream() bridge the streams of Deno's files, and close them", async () => {
  await onDeno(`
    const sink = io.fromWritableStream((await Deno.open("file", { write: true, create: true })).writable);
    await io.copy(io.bytesSource(big), sink);
    await sink.close();
    equal(await io.readAll(io.fromReadableStream((await Deno.open("file")).readable)), big);
    const early = io.fromReadableStream((await Deno.open("file")).readable);
    await early.read(new Uint8Array(10));
    await early.close();
  `);
}, { peers: ["deno"] });

test("copy() goes from Deno's standard input to its standard output", async () => {
  const text = "hello\n".repeat(10_000);
  assertEquals(await onDeno(`await io.copy(io.cancellableSource(Deno.stdin), Deno.stdout);`, text), text);
}, { peers: ["deno"] });

test(
  "cancellableSource() of Deno's standard input leaves what a cancelled read asked for to the next one",
  async () => {
    const script = `
    const stdin = io.cancellableSource(Deno.stdin);
    equal(await io.first(() => stdin.read(new Uint8Array(9)).then(() => "read"), () => "too slow"), "too slow");
    await io.copy(stdin, Deno.stdout);
  `;
    assertEquals(await onDeno(script, "hello"), "hello");
  },
  { peers: ["deno"] },
);

test("copy() and toReadableStream() take a connection of Deno as it is", async () => {
  await onDeno(`
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    const server = await listener.accept();
    listener.close();
    const echo = io.copy(server, server).then(() => server.closeWrite());
    const [, all] = await io.both(async () => {
      await io.writeAll(client, big);
      await client.closeWrite();
    }, () => new Response(io.toReadableStream(client)).bytes());
    equal(all, big);
    await echo;
    client.close();
    server.close();
  `);
}, { peers: ["deno"] });
