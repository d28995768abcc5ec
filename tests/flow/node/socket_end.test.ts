// Copyright 2026 the Sluice authors. MIT license.

/** How a socket ends and closes, with and without a reader: `node:net` and toDuplex() side by side. */
import { finished } from "node:stream/promises";
import { until } from "../../_helpers.ts";
import { allClosed, half, sideBySide, soon } from "./_side_by_side.ts";

sideBySide("toDuplex() closes after end() on both sides, though neither reads", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.end("bye");
  server.end();
  see("test", await allClosed(client));
});

sideBySide("toDuplex() of a client without a reader closes when the server ends", async ({ pair, see }) => {
  const [client, server] = await pair();
  server.end();
  see("test", await allClosed(client, server));
});

sideBySide(
  "toDuplex() of a handler that only writes closes with its client",
  async ({ listen, connect, watch, see }) => {
    const port = await listen((socket) => watch("server", socket).end("hello"));
    const client = watch("client", connect(port));
    client.on("data", (chunk) => see("data", String(chunk)));
    see("test", await allClosed(client));
  },
);

sideBySide("toDuplex() with unread input neither ends nor closes when the peer has ended", async ({ pair, see }) => {
  const [client, server] = await pair({ client: half });
  client.write("unread");
  client.end();
  await until(() => server.readableLength === 6);
  await soon(50);
  see("test", server.readableEnded, server.destroyed);
});

sideBySide("toDuplex() with unread input ends and closes when it is resumed", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.end("unread");
  await soon(50);
  see("before", server.readableEnded);
  server.resume();
  see("test", await allClosed(client, server));
});

sideBySide("toDuplex() that is paused still learns of the peer's end", async ({ pair, see }) => {
  const [client, server] = await pair();
  server.pause();
  client.end();
  see("test", await allClosed(client, server), server.isPaused());
}, {
  unlike: { deno: "a paused socket reads nothing, and never closes" },
  expected: {
    client: ["connect", "ready", "finish", "end", "close false"],
    server: ["end", "finish", "close false"],
    test: [true, true],
  },
});

sideBySide("toDuplex() with allowHalfOpen stays open after the peer's end", async ({ pair, see }) => {
  const [client, server] = await pair({ server: half });
  client.on("data", (chunk) => see("client", String(chunk)));
  client.end();
  await new Promise((resolve) => server.once("end", resolve));
  await soon();
  see("test", server.readyState, server.destroyed, server.writable);
  server.end("late");
  see("test", await allClosed(client, server));
});

sideBySide("toDuplex() without allowHalfOpen ends itself with the peer", async ({ pair, see }) => {
  const [client, server] = await pair();
  server.on("end", () => see("state", server.writableEnded, server.readyState));
  server.on("close", () => see("state", server.writableFinished, server.readyState));
  client.end();
  see("test", await allClosed(client, server));
});

sideBySide("toDuplex() answers in 'end' before it ends itself", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.on("data", (chunk) => see("client", String(chunk)));
  server.on("end", () => server.write("last words"));
  client.end();
  see("test", await allClosed(client, server));
});

sideBySide("toDuplex() has its half-open rule changed while it is open", async ({ pair, see }) => {
  const [client, server] = await pair();
  server.allowHalfOpen = true;
  client.end();
  await new Promise((resolve) => server.once("end", resolve));
  await soon();
  see("test", server.destroyed, server.writable);
  server.end();
  see("test", await allClosed(client, server));
});

sideBySide("toDuplex() with allowHalfOpen on both sides closes when both have ended", async ({ pair, see }) => {
  const [client, server] = await pair({ client: half, server: half });
  client.end();
  await new Promise((resolve) => server.once("end", resolve));
  see("states", client.readyState, server.readyState);
  server.end();
  see("test", await allClosed(client, server));
});

sideBySide("toDuplex() calls back end() when it has finished, and after that with an error", async ({ pair, see }) => {
  const [client] = await pair({ client: half, server: half });
  await new Promise<void>((resolve) => client.end("x", () => resolve()));
  see("test", client.writableEnded, client.writableFinished, client.destroyed);
  const late = await new Promise<unknown>((resolve) => (client.end as (fn: unknown) => void)(resolve));
  see("test", (late as { code?: string }).code);
});

sideBySide("toDuplex() emits 'finish' before 'close', and 'end' once", async ({ pair, see }) => {
  const [client, server] = await pair({ server: half });
  client.resume();
  server.resume();
  client.end("a");
  await new Promise((resolve) => server.once("end", resolve));
  server.end("b");
  see("test", await allClosed(client, server));
});

sideBySide("destroySoon() of toDuplex() lets out what was written", async ({ pair, see }) => {
  const [client, server] = await pair();
  let size = 0;
  server.on("data", (chunk) => size += chunk.length);
  client.write(new Uint8Array(300_000));
  (client as unknown as { destroySoon(): void }).destroySoon();
  see("test", client.writableEnded, client.destroyed);
  see("test", await allClosed(client, server), size);
});

sideBySide("destroySoon() of toDuplex() that has finished destroys it at once", async ({ pair, see }) => {
  const [client, server] = await pair({ client: half, server: half });
  await new Promise<void>((resolve) => client.end(() => resolve()));
  (client as unknown as { destroySoon(): void }).destroySoon();
  see("test", client.destroyed);
  server.end();
  see("test", await allClosed(client, server));
});

sideBySide(
  "toDuplex() has the ready states of a socket, from the beginning to the end",
  async ({ listen, connect, see }) => {
    const port = await listen((socket) => socket.resume());
    const client = connect(port);
    const state = () => see("test", client.readyState, client.pending, client.connecting, client.destroyed);
    state();
    await new Promise((resolve) => client.once("connect", resolve));
    state();
    client.end();
    state();
    await allClosed(client);
    state();
  },
);

sideBySide("toDuplex() emits 'connect' and then 'ready'", async ({ listen, connect, see }) => {
  const port = await listen((socket) => socket.resume());
  const client = connect(port);
  for (const event of ["connect", "ready"]) client.on(event, () => see("test", event, client.readyState));
  await new Promise((resolve) => client.once("ready", resolve));
  client.end();
  await allClosed(client);
});

sideBySide(
  "toDuplex() that was ended before it connected sends that, and closes",
  async ({ listen, connect, watch, see }) => {
    const port = await listen((socket) => {
      watch("server", socket);
      socket.on("data", (chunk) => see("server", String(chunk)));
    });
    const client = watch("client", connect(port));
    client.end("early");
    see("test", await allClosed(client));
  },
);

sideBySide(
  "toDuplex() that was paused before it connected reads nothing ahead",
  async ({ listen, connect, watch, see }) => {
    const port = await listen((socket) => watch("server", socket).write("hello"));
    const client = watch("client", connect(port));
    client.pause();
    await soon(100);
    see("test", client.readableLength, client.bytesRead);
    client.on("data", (chunk) => {
      see("client", String(chunk));
      client.end();
    });
    client.resume();
    see("test", await allClosed(client));
  },
);

sideBySide("toDuplex() reads ahead up to its mark without a reader", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.write(new Uint8Array(8_000_000));
  await until(() => server.bytesRead >= server.readableHighWaterMark);
  await soon(50);
  see("test", server.bytesRead < 1_000_000, client.writableLength > 0);
});

sideBySide("finished() of toDuplex() that has closed settles", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.end();
  see("test", await allClosed(client, server), client.closed, server.closed);
  await finished(client.resume());
  server.destroy(new Error("late"));
  await finished(server);
  see("test", server.errored);
});

sideBySide("await using of toDuplex() destroys it", async ({ pair, see }) => {
  const [client, server] = await pair();
  server.on("error", () => {});
  await client[Symbol.asyncDispose]();
  see(
    "test",
    client.destroyed,
    (client.errored as NodeJS.ErrnoException | null)?.name,
    await allClosed(client, server),
  );
});
