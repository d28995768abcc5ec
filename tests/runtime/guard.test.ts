// Copyright 2026 the Sluice authors. MIT license.

/** What is thrown in a callback of a backend fails that one socket, and never leaves for the runtime. */
import { assertEquals, assertThrows } from "@std/assert";
import { IpAddress, tcp, udp, type UdpAddress } from "../../mod.ts";
import { systemProvider } from "../../net/backends/auto.ts";
import { attempt, guard } from "../../net/backends/guard.ts";
import type { ProviderListener, ProviderStream } from "../../net/provider.ts";
import { test } from "../_test.ts";
import { type Signal, signal, until } from "../net/_helpers.ts";

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
