// Copyright 2026 the Sluice authors. MIT license.

/** Timeouts of sockets: `node:net` and toDuplex() side by side. Both use short real timers. */
import { assertEquals } from "@std/assert";
import { once } from "node:events";
import process from "node:process";
import { pipe } from "../../../flow/mod.ts";
import { toDuplex } from "../../../flow/node/mod.ts";
import { test } from "../../_test.ts";
import { allClosed, sideBySide, soon } from "./_side_by_side.ts";

sideBySide("setTimeout() of toDuplex() emits 'timeout' once, and leaves the socket open", async ({ pair, see }) => {
  const [client, server] = await pair();
  await soon(50); // reading ahead has begun, which counts as activity
  see("test", client.setTimeout(20) === client, client.timeout);
  await soon(120);
  see("test", client.destroyed);
  client.setTimeout(0); // ending is activity, and may take longer than the timeout
  client.end();
  see("test", await allClosed(client, server));
});

sideBySide("setTimeout() of toDuplex() calls its listener", async ({ pair, see }) => {
  const [client, server] = await pair();
  await new Promise<void>((resolve) => client.setTimeout(20, resolve));
  see("test", client.listenerCount("timeout"));
  client.destroy();
  see("test", await allClosed(client, server));
});

sideBySide("setTimeout(0) of toDuplex() ends the waiting, and removes the listener", async ({ pair, see }) => {
  const [client, server] = await pair();
  const listener = () => see("test", "rang");
  client.setTimeout(20, listener);
  client.setTimeout(0, listener);
  await soon(60);
  see("test", client.timeout, client.listenerCount("timeout"));
  client.destroy();
  see("test", await allClosed(client, server));
});

sideBySide("setTimeout() of toDuplex() refuses what a socket refuses", async ({ pair, see }) => {
  const [client, server] = await pair();
  for (const wrong of ["1", undefined, null, {}, NaN, -1, Infinity, -Infinity, 1n]) {
    try {
      client.setTimeout(wrong as never);
      see("test", "taken");
    } catch (error) {
      see("test", (error as NodeJS.ErrnoException).code, (error as Error).name);
    }
  }
  try {
    client.setTimeout(1000, "listener" as never);
  } catch (error) {
    see("test", (error as NodeJS.ErrnoException).code);
  }
  client.destroy();
  see("test", await allClosed(client, server));
});

sideBySide("setTimeout() of toDuplex() cuts what is too long, with a warning", async ({ pair, see }) => {
  const [client, server] = await pair();
  const warned = once(process, "warning");
  client.setTimeout(2 ** 31);
  see("test", client.timeout, (await warned)[0].name);
  await soon();
  client.destroy();
  see("test", await allClosed(client, server));
});

sideBySide("timeout of toDuplex() can be assigned, which sets no timer", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.setTimeout(0);
  (client as { timeout?: number }).timeout = 5;
  await soon(30);
  see("test", client.timeout);
  client.destroy();
  see("test", await allClosed(client, server));
});

sideBySide("setTimeout() of toDuplex() that was destroyed does nothing", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.destroy();
  see("test", client.setTimeout(5, () => see("test", "rang")) === client);
  see("test", await allClosed(client, server));
  await soon(30);
});

sideBySide("'timeout' of toDuplex() does not come while something is read", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.resume().setTimeout(600);
  for (let i = 0; i < 8; i++) {
    server.write("x");
    await soon(100);
  }
  client.destroy();
  see("test", await allClosed(client, server));
});

sideBySide("'timeout' of toDuplex() does not come while something is written", async ({ pair, see }) => {
  const [client, server] = await pair();
  server.resume();
  client.setTimeout(600);
  for (let i = 0; i < 8; i++) {
    client.write("x");
    await soon(100);
  }
  client.destroy();
  see("test", await allClosed(client, server));
});

sideBySide("'timeout' of toDuplex() does not come while a large write makes progress", async ({ pair, see }) => {
  const [client, server] = await pair();
  server.on("data", () => {
    server.pause();
    setTimeout(() => server.resume(), 3);
  });
  const done = new Promise((resolve) => client.write(new Uint8Array(32_000_000), resolve));
  client.setTimeout(700);
  await done;
  client.destroy();
  see("test", await allClosed(client, server));
}, {
  unlike: { deno: "it rings though the write makes progress" },
  expected: {
    client: ["connect", "ready", "close false"],
    server: ["end", "finish", "close false"],
    test: [true],
  },
});

sideBySide("'timeout' of toDuplex() comes when a write makes no progress", async ({ listen, connect, watch, see }) => {
  const port = await listen((socket) => socket.on("error", () => {}).pause());
  const client = watch("client", connect(port));
  client.write(new Uint8Array(20_000_000));
  client.setTimeout(100);
  await once(client, "timeout");
  client.destroy();
  see("test", await allClosed(client));
}, {
  unlike: { bun: "it rings only when nothing waits" },
  expected: { client: ["connect", "ready", "timeout", "close false"], test: [true] },
});

sideBySide(
  "'timeout' of toDuplex() that is connecting begins when it is set",
  async ({ listen, connect, watch, see }) => {
    const port = await listen((socket) => socket.resume());
    const client = watch("client", connect(port));
    client.setTimeout(20);
    await once(client, "timeout");
    client.destroy();
    see("test", await allClosed(client));
  },
);

test("toDuplex() has no timeout before one is set", async () => {
  const [a] = pipe();
  const duplex = toDuplex(a);
  assertEquals(duplex.timeout, undefined);
  duplex.destroy();
  await once(duplex, "close");
});
