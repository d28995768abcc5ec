// Copyright 2026 the Sluice authors. MIT license.

/** Managed connections over each kind of flow. */
import { assert, assertEquals } from "@std/assert";
import { spawn } from "node:child_process";
import { createReadStream, createWriteStream, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { all, copy, copyString, hostAddress, pipe, type Sink, type Source, Switch, tcp } from "../../../mod.ts";
import { fromReadableStream, type TwoWay, unix, writeAll } from "../../../mod.ts";
import { fromReadable, fromWritable } from "../../../flow/node/mod.ts";
import { type ManagedConnection, managedConnection, managedOf, managedSet } from "../../../net/managed/mod.ts";
import { memoryNet, mockClock, mockFlow, mockNet, openCounts, simulate } from "../../../net/testing/mod.ts";
import { tlsClient, tlsServer } from "../../../net/tls/mod.ts";
import { textOf, withFolder } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { anyPort, bare, withNet } from "../_helpers.ts";
import { clientOptions, serverOptions } from "../tls/_helpers.ts";
import { readSome, settle } from "./_managed.ts";

const clock = mockClock();
const size = 300_000;

/** Reads everything until the end, and returns how many bytes. */
async function drain(c: ManagedConnection<unknown>): Promise<number> {
  let total = 0;
  while (c.alive || !c.bufferEmpty) {
    total += c.receiveAll().length;
    if (c.alive) await c.changed();
  }
  return total;
}

/** Echoes what a flow sends, until its end. */
async function echo(flow: TwoWay): Promise<void> {
  await copy(flow, flow);
  await flow.shutdown("send");
}

/** Sends a lot, reads the echo, and closes nicely. */
async function talk(c: ManagedConnection<unknown>): Promise<void> {
  for (let i = 0; i < size / 100; i++) c.send("0123456789".repeat(10));
  let received = 0;
  while (received < size && c.alive) {
    await c.changed();
    received += c.receiveAll().length;
  }
  assertEquals(received, size);
  await c.closeNicely();
  assertEquals(c.state, { kind: "disconnected", reason: "closed" });
}

test("a managed connection over a socket of the system", () =>
  withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    sw.fork(async () => echo(await listener.accept(sw)));
    const c = managedConnection(sw, (own) => net.connect(own, listener.address), { clock: net.clock, data: 0 });
    await talk(c);
    assertEquals(c.peer, listener.address);
    await c[Symbol.asyncDispose]();
  }));

test("a managed connection over a Unix socket", () =>
  withFolder((folder) =>
    withNet(async (sw, net) => {
      const listener = await net.listen(sw, unix(join(folder, "socket")));
      sw.fork(async () => echo(await listener.accept(sw)));
      await talk(managedConnection(sw, (own) => net.connect(own, listener.address), { clock: net.clock, data: 0 }));
    })
  ));

test("a managed connection over TLS", () =>
  Switch.run(async (sw) => {
    const [near, far] = pipe();
    sw.fork(async () => echo(await tlsServer(sw, far, serverOptions)));
    await talk(managedConnection(sw, (own) => tlsClient(own, near, clientOptions), { clock, data: 0 }));
  }));

test("a managed connection over a pipe", () =>
  Switch.run(async (sw) => {
    const [near, far] = pipe();
    sw.fork(() => echo(far));
    await talk(managedOf(sw, { source: near, sink: near }, { clock, data: 0 }));
  }));

test("a managed connection over the input and output of a child process", () =>
  Switch.run(async (sw) => {
    const child = spawn("cat", [], { stdio: ["pipe", "pipe", "inherit"] });
    const ends = { source: fromReadable(child.stdout), sink: fromWritable(child.stdin) };
    const exited = new Promise((resolve) => child.once("close", resolve));
    await talk(managedOf(sw, ends, { clock, data: 0 }));
    await exited;
  }));

test("a managed connection over a web stream, one direction alone", () =>
  Switch.run(async (sw) => {
    const source = fromReadableStream(new Blob(["x".repeat(size)]).stream());
    const c = managedOf(sw, { source }, { clock, data: 0 });
    assertEquals(await drain(c), size);
    assertEquals(c.state, { kind: "disconnected", reason: "end" });
  }));

test("a managed connection over files", () =>
  withFolder((folder) =>
    Switch.run(async (sw) => {
      const [from, to] = [join(folder, "from"), join(folder, "to")];
      writeFileSync(from, "x".repeat(size));
      const reader = managedOf(sw, { source: fromReadable(createReadStream(from)) }, { clock, data: 0 });
      const writer = managedOf(sw, { sink: fromWritable(createWriteStream(to)) }, { clock, data: 0 });
      while (reader.alive || !reader.bufferEmpty) {
        writer.send(reader.receiveAll());
        if (reader.alive) await reader.changed();
      }
      await writer.closeNicely();
      await writer[Symbol.asyncDispose]();
      assertEquals(readFileSync(to).length, size);
    })
  ));

test("a managed connection over structural flows, with the least that they must have", () =>
  Switch.run(async (sw) => {
    const [near, far] = pipe();
    sw.fork(() => echo(far));
    await talk(managedConnection(sw, () => Promise.resolve(bare(near)), { clock, data: 0 }));
    assertEquals(await near.read(new Uint8Array(1)), null); // shut down
  }));

test("a managed connection over a flow whose peer is not an address has no peer", () =>
  Switch.run(async (sw) => {
    const [near] = pipe();
    const flow = Object.assign(bare(near), { peer: "127.0.0.1:80" });
    const c = managedConnection(sw, () => Promise.resolve(flow), { clock, data: 0 });
    await c.connected();
    assertEquals([c.state, c.peer], [{ kind: "connected" }, undefined]);
  }));

test("a managed connection ends, though a structural flow never settles", () =>
  Switch.run(async (sw) => {
    const never = () => new Promise<never>(() => {});
    const flow: Source & Sink = { read: never, write: never };
    const c = managedOf(sw, { source: flow, sink: flow }, { clock, data: 0 });
    c.send("x");
    await settle();
    c.close();
    await c[Symbol.asyncDispose]();
  }));

test("a managed connection over a mock network and a mock flow", () =>
  Switch.run(async (sw) => {
    const net = mockNet();
    const flow = mockFlow("flow", { log: net.log as string[] });
    net.onConnect({ return: flow });
    flow.onRead({ return: "hello" }, { run: () => new Promise(() => {}) });
    const c = managedConnection(sw, (own) => net.connect(own, tcp("127.0.0.1", 80)), { clock, data: 0 });
    c.send("hi");
    assertEquals(textOf(await c.received(5) as Uint8Array), "hello");
    await c.flushed();
    c.close();
    await c[Symbol.asyncDispose]();
    assertEquals([...net.log].sort(), [
      "flow: closed",
      'flow: read "hello"',
      'flow: wrote "hi"',
      "net: connect to tcp:127.0.0.1:80",
    ]);
  }));

test("a managed connection over a simulated network ends by its timeout in a partition", () =>
  simulate({ seed: 1 }, async (sim) => {
    const server = sim.host("server", {
      main: ({ net, clock }) =>
        Switch.run(async (sw) => {
          const listener = await net.listen(sw, tcp("0.0.0.0", 80));
          const set = managedSet<string>(sw);
          sw.fork(() => set.acceptFrom(listener, { clock, accept: () => "client", timeout: 10_000, ping: "?" }));
          for (;;) {
            for (const c of set) c.send(c.receiveAll());
            await clock.sleep(50);
          }
        }),
    });
    const client = sim.host("client");
    await client.fork(() =>
      Switch.run(async (sw) => {
        const { clock } = client.net;
        const c = managedConnection(sw, (own) => client.net.connect(own, hostAddress("server", 80)), {
          clock,
          data: 0,
          timeout: 10_000,
        });
        c.send("hello");
        assertEquals(textOf(await c.received(5) as Uint8Array), "hello");
        const start = clock.now();
        sim.partition(client, server);
        await c.closed();
        assertEquals([c.state, Math.round((clock.now() - start) / 1000)], [
          { kind: "disconnected", reason: "timeout" },
          10,
        ]);
      })
    );
  }));

test("300 connections that cannot connect leave nothing open", () =>
  Switch.run(async (sw) => {
    const net = memoryNet();
    const before = openCounts();
    const open = (own: Switch) => net.connect(own, tcp("127.0.0.1", 81));
    const connections = Array.from(
      { length: 300 },
      () => managedConnection(sw, open, { clock, data: 0, timeout: 1000, ping: "x" }),
    );
    await all(connections.map((c) => () => c.closed()));
    await settle();
    assert(connections.every(({ state }) => state.kind === "disconnected" && state.reason === "failed"));
    assertEquals(openCounts(), before);
  }));

test("a flow that close() has closed is closed gracefully: what its sink took arrives", () =>
  withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const c = managedConnection(sw, (own) => net.connect(own, listener.address), { clock: net.clock, data: 0 });
    const server = await listener.accept(sw);
    c.send("hello");
    await c.flushed();
    c.close();
    assertEquals([await readSome(server), await readSome(server)], ["hello", null]);
    await server.close();
  }));

test("an orderly end after data loses none of it", () =>
  withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const c = managedConnection(sw, (own) => net.connect(own, listener.address), { clock: net.clock, data: 0 });
    const server = await listener.accept(sw);
    sw.fork(async () => {
      await writeAll(server, new Uint8Array(size));
      await copyString("bye", server);
      await server.close();
    });
    c.send("x");
    assertEquals(await drain(c), size + 3);
    assertEquals(c.state, { kind: "disconnected", reason: "end" });
  }));
