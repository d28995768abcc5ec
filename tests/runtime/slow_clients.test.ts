// Copyright 2026 the Sluice authors. MIT license.

/** Clients that are slow, silent or half open, against a server with time limits. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { existsSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import {
  awaitCancel,
  type Connection,
  type ConnectionHandler,
  copy,
  type NetError,
  readAll,
  runServer,
  writeAll,
} from "../../mod.ts";
import { type TimeLimits, timeLimits } from "../../net/server/mod.ts";
import { type MockClock, mockClock } from "../../net/testing/mod.ts";
import { turn, until, withFolder } from "../_helpers.ts";
import { test } from "../_test.ts";
import { anyPort, signal, withNet } from "../net/_helpers.ts";
import { Peer } from "./_peers.ts";

/** Serves with limits on a mock clock, and calls `fn` with the port. */
async function slow(
  limits: TimeLimits,
  handler: ConnectionHandler<Connection>,
  fn: (port: number, clock: MockClock, errors: NetError[]) => Promise<unknown>,
): Promise<string[]> {
  const errors: NetError[] = [];
  const clock = mockClock();
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    sw.forkDaemon(() =>
      runServer(listener, timeLimits(clock, limits, handler), { onError: (error) => errors.push(error as NetError) })
    );
    await fn(listener.address.port, clock, errors);
  });
  return errors.map((error) => `${error.code} ${/limit (\w+)/.exec(error.message)?.[1]}`);
}

/** A raw client, and how it ended: with an error, or closed. It closes when the server has ended, unless `halfOpen`. */
function client(port: number, halfOpen = false): { socket: Socket; ended: Promise<string> } {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: halfOpen });
  const ended = signal<string>();
  let error = "closed";
  socket.on("error", (problem: Error & { code?: string }) => error = problem.code ?? problem.message);
  socket.on("close", () => ended.resolve(error));
  return { socket, ended: ended.promise };
}

/** Waits until the client has received `size` bytes. */
async function received(socket: Socket, size: number): Promise<void> {
  await until(() => socket.bytesRead >= size);
}

/** Moves the clock, second by second, until the server has reported something, and returns how many. */
async function secondsUntil(errors: readonly unknown[], clock: MockClock, most: number): Promise<number> {
  for (let second = 0; second < most; second++) {
    if (errors.length > 0) return second;
    clock.setTime(clock.now() + 1000);
    for (let i = 0; i < 10; i++) await turn();
  }
  return errors.length > 0 ? most : Infinity;
}

const echo = (connection: Connection) => copy(connection, connection);

test("timeLimits(): a client that sends a byte a second is served, until its lifetime is over", async () => {
  const reported = await slow({ firstByte: 2000, idle: 2000, lifetime: 30_500 }, echo, async (port, clock, errors) => {
    const { socket, ended } = client(port);
    socket.resume();
    for (let second = 1; second <= 30; second++) {
      socket.write("x");
      await received(socket, second);
      clock.setTime(clock.now() + 1000);
      await turn();
    }
    assertEquals(errors, []);
    clock.setTime(clock.now() + 500);
    assertMatch(await ended, /ECONNRESET|closed/);
  });
  assertEquals(reported, ["connection_timeout lifetime"]);
});

test("timeLimits(): a client that never sends is reset after firstByte, and one that stops after idle", async () => {
  const reported = await slow({ firstByte: 5000, idle: 10_000 }, echo, async (port, clock, errors) => {
    const silent = client(port);
    silent.socket.resume();
    const stops = client(port);
    stops.socket.resume().write("x");
    await received(stops.socket, 1);
    assertEquals(await secondsUntil(errors, clock, 20), 5);
    await silent.ended;
    while (errors.length === 1) {
      clock.setTime(clock.now() + 1000);
      await turn();
    }
    await stops.ended;
  });
  assertEquals(reported, ["connection_timeout firstByte", "connection_timeout idle"]);
});

test("timeLimits(): a client that does not read is reset after write", async () => {
  const flood = async (connection: Connection) => {
    const chunk = new Uint8Array(65_536);
    for (;;) await writeAll(connection, chunk);
  };
  const reported = await slow({ write: 5000 }, flood, async (port, clock, errors) => {
    const { socket, ended } = client(port);
    socket.pause();
    assert(await secondsUntil(errors, clock, 200) < 200);
    socket.resume();
    await ended;
  });
  assertEquals(reported, ["connection_timeout write"]);
});

test("timeLimits(): a client that reads slowly is served to the end", async () => {
  const size = 60_000_000;
  const reported = await slow(
    { write: 5000 },
    (connection) => writeAll(connection, new Uint8Array(size)),
    async (port, clock) => {
      const { socket, ended } = client(port);
      let got = 0;
      socket.on("data", (chunk) => {
        got += chunk.length;
        clock.setTime(clock.now() + chunk.length / 3000); // 20 s in all, and 2 s for what the system buffers
      }).on("end", () => socket.end());
      await ended;
      assertEquals(got, size);
      assert(clock.now() > 5000, String(clock.now()));
    },
  );
  assertEquals(reported, []);
});

test("timeLimits(): a client that keeps its direction open after ours has ended is reset after halfClosed", async () => {
  const reported = await slow({ halfClosed: 5000 }, async (connection) => {
    await connection.shutdown("send");
    await readAll(connection);
  }, async (port, clock, errors) => {
    const { socket, ended } = client(port, true);
    socket.resume();
    await new Promise((resolve) => socket.once("end", resolve));
    const talking = setInterval(() => socket.write("x"), 1);
    assert(await secondsUntil(errors, clock, 20) <= 6);
    clearInterval(talking);
    await ended;
  });
  assertEquals(reported, ["connection_timeout halfClosed"]);
});

test("timeLimits(): a client that froze, and so acknowledges nothing as a program, is reset after idle", async () => {
  const reported = await slow({ idle: 60_000 }, echo, async (port, clock, errors) => {
    await using peer = Peer.node(
      `net.connect(args[0], "127.0.0.1", function () { this.write("x") }).on("data", () => say("served"));`,
      port,
    );
    assertEquals(await peer.line(), "served");
    await peer.freeze();
    assert(await secondsUntil(errors, clock, 100) <= 62);
  });
  assertEquals(reported, ["connection_timeout idle"]);
});

test("timeLimits() reads what arrived while the event loop was blocked before idle expires", () =>
  withFolder(async (folder) => {
    const marker = join(folder, "sent");
    const reported = await slow({ idle: 1000 }, echo, async (port, clock, errors) => {
      await using peer = Peer.node(
        `
        const flow = net.connect(args[0], "127.0.0.1", () => flow.write("1"));
        flow.on("data", (data) => say("got " + data));
        process.on("SIGUSR2", () => flow.write("2", () => require("fs").writeFileSync(args[1], "")));
      `,
        port,
        marker,
      );
      assertEquals(await peer.line(), "got 1");
      peer.kill("SIGUSR2");
      while (!existsSync(marker)); // blocks the loop until the system has the bytes
      clock.setTime(clock.now() + 60_000);
      assertEquals(await peer.line(), "got 2");
      for (let i = 0; i < 10; i++) await turn();
      assertEquals(errors, []);
    });
    assertEquals(reported, []);
  }));

test("timeLimits() expires once, after an event loop that was blocked for a minute", async () => {
  const reported = await slow({ idle: 1000, lifetime: 2000 }, () => awaitCancel(), async (port, clock, errors) => {
    const clients = [client(port), client(port)];
    for (const { socket } of clients) socket.resume();
    for (let i = 0; i < 10; i++) await turn();
    clock.setTime(60_000);
    await until(() => errors.length === 2);
    clock.setTime(120_000);
    await Promise.all(clients.map(({ ended }) => ended));
  });
  assertEquals(reported, ["connection_timeout idle", "connection_timeout idle"]);
});
