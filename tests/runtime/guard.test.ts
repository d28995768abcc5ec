// Copyright 2026 the Sluice authors. MIT license.

/** What is thrown in a callback of a backend fails that one socket, and never leaves for the runtime. */
import { assertEquals, assertThrows } from "@std/assert";
import { createSocket, Socket as DatagramSocket } from "node:dgram";
import { createServer, Socket } from "node:net";
import { IpAddress, tcp, udp, type UdpAddress } from "../../mod.ts";
import { systemProvider } from "../../net/backends/auto.ts";
import { queryServers } from "../../net/backends/dns/_client.ts";
import { attempt, guard } from "../../base/_guard.ts";
import type { ProviderListener, ProviderStream } from "../../net/provider/provider.ts";
import { until } from "../_helpers.ts";
import { test } from "../_test.ts";
import { type Signal, signal } from "../net/_helpers.ts";

const boom = new Error("boom");
const fail = (): never => {
  throw boom;
};
const quiet = { readable: () => {}, writable: () => {}, closed: () => {} };
const anyPort = tcp(IpAddress.loopback4, 0);
const provider = systemProvider();
const listenOptions = { backlog: 5, reuseAddr: false, reusePort: false, mode: undefined, ipv6Only: false };
const datagramOptions = { reuseAddr: false, reusePort: false, ipv6Only: false, remote: undefined };

interface Ends {
  readonly listener: ProviderListener;
  readonly client: ProviderStream;
  readonly server: ProviderStream;
}

async function withEnds(fn: (ends: Ends) => Promise<void>): Promise<void> {
  const listener = await provider.listen(anyPort, listenOptions).result;
  const arrived = signal();
  listener.attach({ acceptable: () => arrived.resolve(), overflowing: () => {} });
  assertEquals(listener.accept(), undefined); // a backend may accept only when asked to
  const client = await provider.connect(listener.address, { bindTo: undefined }).result;
  await arrived.promise;
  const server = listener.accept() as ProviderStream;
  try {
    await fn({ listener, client, server });
  } finally {
    await listener.close();
  }
}

/** The two kinds of streams of a backend: one that was accepted, and one that has connected. */
const sides: Record<string, (ends: Ends) => [ProviderStream, ProviderStream]> = {
  accepted: ({ client, server }) => [server, client],
  connected: ({ client, server }) => [client, server],
};

for (const [side, choose] of Object.entries(sides)) {
  test(`an exception in readable() fails the ${side} stream, and closes it`, async () => {
    await withEnds(async (ends) => {
      const [stream, other] = choose(ends);
      const [closed, otherClosed] = [signal(), signal()];
      stream.attach({ ...quiet, readable: fail, closed: () => closed.resolve() });
      other.attach({ ...quiet, closed: () => otherClosed.resolve(), readable: () => {} });
      await until(() => attemptWrite(other) > 0);
      await closed.promise;
      stream.drop();
      assertThrows(() => stream.write(new Uint8Array(1)), Error, "boom");
      other.abort();
      await otherClosed.promise;
    });
  });

  test(`an exception in closed() of the ${side} stream stays there`, async () => {
    await withEnds(async (ends) => {
      const [stream, other] = choose(ends);
      const [closed, otherClosed] = [signal(), signal()];
      stream.attach({
        ...quiet,
        closed() {
          closed.resolve();
          fail();
        },
      });
      other.attach({ ...quiet, closed: () => otherClosed.resolve() });
      stream.abort();
      await closed.promise;
      other.abort();
      await otherClosed.promise;
    });
  });

  test(`an exception in writable() fails the ${side} stream, and closes it`, async () => {
    await withEnds(async (ends) => {
      const [stream, other] = choose(ends);
      const [closed, otherClosed] = [signal(), signal()];
      stream.attach({ ...quiet, writable: fail, closed: () => closed.resolve() });
      other.attach({ ...quiet, closed: () => otherClosed.resolve() });
      const chunk = new Uint8Array(65536);
      while (attemptWrite(stream, chunk) > 0);
      other.drop(); // so that there is room again
      await closed.promise;
      assertThrows(() => stream.write(chunk), Error, "boom");
      other.abort();
      await otherClosed.promise;
    });
  });
}

function attemptWrite(stream: ProviderStream, bytes = new Uint8Array(1)): number {
  try {
    return stream.write(bytes);
  } catch {
    return 0;
  }
}

test("an exception in acceptable() fails the listener, and closes it", async () => {
  const listener = await provider.listen(anyPort, listenOptions).result;
  const called = signal();
  listener.attach({
    acceptable() {
      called.resolve();
      fail();
    },
    overflowing: () => {},
  });
  assertEquals(listener.accept(), undefined);
  const { result } = provider.connect(listener.address, { bindTo: undefined });
  await called.promise;
  assertThrows(() => listener.accept(), Error, "boom");
  await closeAttempted(await result.catch(() => undefined));
  const again = provider.connect(listener.address, { bindTo: undefined });
  assertEquals(await again.result.then(() => "connected", (error) => error.code), "ECONNREFUSED");
  await listener.close();
});

async function closeAttempted(stream: ProviderStream | undefined): Promise<void> {
  if (stream === undefined) return;
  const closed = signal();
  stream.attach({ ...quiet, closed: () => closed.resolve() });
  stream.abort();
  await closed.promise;
}

for (const event of ["receivable", "sendable", "closed"] as const) {
  test(`an exception in ${event}() fails the datagram socket, and closes it`, async () => {
    const socket = await provider.datagram!(udp(IpAddress.loopback4, 0), datagramOptions).result;
    const called: Signal = signal();
    const closed: Signal = signal();
    const throws = () => {
      called.resolve();
      fail();
    };
    socket.attach({ receivable: () => {}, sendable: () => {}, closed: () => closed.resolve(), [event]: throws });
    if (event === "closed") socket.close();
    else for (let i = 0; i < 64 && socket.send([new Uint8Array(1)], socket.local as UdpAddress, () => {}); i++);
    await called.promise;
    if (event === "closed") return;
    await closed.promise;
    assertThrows(() => socket.take(), Error, "boom");
    assertThrows(() => socket.send([new Uint8Array(1)], socket.local as UdpAddress, () => {}), Error, "boom");
    socket.close();
  });
}

/** A question to a server that answers over UDP that it is to be asked over TCP, and there says nothing. */
async function ask(port: number, host = "127.0.0.1"): Promise<unknown> {
  const { result } = queryServers([udp(host, port)], "a.example", "A", () => {});
  return await result.then(String, (error: unknown) => error);
}

/** Replaces a method while `fn` runs. */
async function replaced<O extends object>(
  object: O,
  name: keyof O & string,
  make: (method: (...args: unknown[]) => unknown) => (this: O, ...args: unknown[]) => unknown,
  fn: () => Promise<void>,
): Promise<void> {
  const methods = object as Record<string, unknown>;
  const original = methods[name] as (...args: unknown[]) => unknown;
  methods[name] = make(original);
  try {
    await fn();
  } finally {
    methods[name] = original;
  }
}

/** An object each of whose properties throws. */
const poison: object = new Proxy({}, { get: fail });

for (const event of ["message", "error"] as const) {
  test(`an exception in the '${event}' callback of a DNS question over UDP ends the question`, async () => {
    const server = createSocket("udp4");
    await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", resolve));
    let closed = false;
    const args = event === "message" ? [new Uint8Array(1), poison] : [boom];
    await replaced(DatagramSocket.prototype, "connect", (connect) =>
      function (...all) {
        this.once("close", () => closed = true);
        setTimeout(() => this.emit(event, ...args), 1);
        return connect.apply(this, all);
      }, async () => assertEquals(await ask(server.address().port), boom));
    await until(() => closed);
    server.close();
  });
}

test("an exception in the callback for a connected socket ends a DNS question", async () => {
  const server = createSocket("udp4");
  await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await replaced(
    DatagramSocket.prototype,
    "send",
    () => fail,
    async () => assertEquals(await ask(port), boom),
  );
  server.close();
});

for (const [event, argument] of [["data", poison], ["error", poison]] as const) {
  test(`an exception in the '${event}' callback of a DNS question over TCP ends the question`, async () => {
    const host = "127.0.9.1"; // where no other test has taken the port
    const udpServer = createSocket("udp4");
    await new Promise<void>((resolve) => udpServer.bind(0, host, resolve));
    const { port } = udpServer.address();
    udpServer.on("message", (query, from) => {
      query[2] |= 0x82; // a reply, and truncated
      udpServer.send(query, from.port, from.address);
    });
    const streams: Socket[] = [];
    const tcpServer = createServer((stream) => streams.push(stream.on("error", () => {})));
    await new Promise<void>((resolve) => tcpServer.listen(port, host, resolve));
    let closed = false;
    await replaced(Socket.prototype, "write", (write) =>
      function (...all) {
        if (this.connecting) { // not standard output
          this.once("close", () => closed = true);
          setTimeout(() => this.emit(event, argument), 1);
        }
        return write.apply(this, all);
      }, async () => assertEquals(await ask(port, host), boom));
    await until(() => closed);
    udpServer.close();
    for (const stream of streams) stream.destroy();
    await new Promise((resolve) => tcpServer.close(resolve));
  });
}

test("guard() gives what is thrown to the second function, and drops what that throws", () => {
  const told: unknown[] = [];
  const callback = guard(fail, (error, a) => {
    told.push(error, a);
    fail();
  });
  callback(7, 8);
  attempt(fail, (error) => told.push(error));
  assertEquals(told, [boom, 7, boom]);
});
