// Copyright 2026 the Sluice authors. MIT license.

/** How a socket writes: `node:net` and toDuplex() side by side. */
import { Buffer } from "node:buffer";
import { once } from "node:events";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { allClosed, half, sideBySide, soon } from "./_side_by_side.ts";

/** Returns everything that a socket receives. */
function received(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  return new Promise((resolve) => socket.once("end", () => resolve(Buffer.concat(chunks))));
}

/** Returns bytes whose values show their offset. */
function numbered(size: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i * 2654435761) >>> 13));
}

sideBySide("write() to toDuplex() takes strings, encodings and bytes of all kinds", async ({ pair, see }) => {
  const [client, server] = await pair();
  const all = received(server);
  client.write("grüß ");
  client.write("6869", "hex");
  client.write("IA==", "base64");
  client.write(Uint8Array.of(97, 98));
  client.write("ÿ", "latin1");
  client.end(Buffer.from("."));
  see("test", (await all).toString("hex"), await allClosed(client, server));
});

sideBySide("write() to toDuplex() calls back in order, and before 'finish'", async ({ pair, see }) => {
  const [client, server] = await pair();
  server.resume();
  for (const name of ["a", "b", "c"]) client.write(name, (error) => see("client", name, error ?? "done"));
  client.end("d", () => see("client", "ended"));
  see("test", await allClosed(client, server));
});

sideBySide("write() to toDuplex() while it is connecting is sent in order", async ({ listen, connect, see }) => {
  const all = Promise.withResolvers<Buffer>();
  const port = await listen((socket) => received(socket).then(all.resolve));
  const client = connect(port);
  client.write("a");
  client.write("b", () => see("client", "b", client.connecting));
  client.once("connect", () => client.end("c"));
  see("test", (await all.promise).toString(), await allClosed(client));
});

sideBySide("write() to toDuplex() with cork() goes out at uncork()", async ({ pair, see }) => {
  const [client, server] = await pair();
  const all = received(server);
  client.cork();
  client.write("a");
  client.write("b");
  await soon();
  see("test", server.bytesRead, client.writableLength, client.writableCorked);
  client.uncork();
  client.end();
  see("test", (await all).toString(), await allClosed(client, server));
});

sideBySide("end() of toDuplex() uncorks", async ({ pair, see }) => {
  const [client, server] = await pair();
  const all = received(server);
  client.cork();
  client.cork();
  client.write("a");
  client.end("b");
  see("test", (await all).toString(), await allClosed(client, server));
});

sideBySide("toDuplex() carries a large write whole", async ({ pair, see }) => {
  const [client, server] = await pair();
  const bytes = numbered(5_000_000);
  const all = received(server);
  client.end(bytes);
  see("test", (await all).equals(bytes), await allClosed(client, server));
});

sideBySide("toDuplex() carries many small writes whole", async ({ pair, see }) => {
  const [client, server] = await pair();
  const bytes = numbered(200_000);
  const all = received(server);
  for (let i = 0; i < bytes.length; i += 100) client.write(bytes.subarray(i, i + 100));
  client.end();
  see("test", (await all).equals(bytes), await allClosed(client, server));
});

sideBySide("toDuplex() asks its writer to wait, and emits 'drain' when all has gone out", async ({ pair, see }) => {
  const [client, server] = await pair();
  let drains = 0;
  client.on("drain", () => see("client", "drain", ++drains, client.writableLength, client.writableNeedDrain));
  see("test", client.write("x"), client.write(new Uint8Array(8_000_000)), client.writableNeedDrain);
  server.resume();
  await once(client, "drain");
  client.end();
  see("test", await allClosed(client, server), server.bytesRead);
});

sideBySide("toDuplex() never drains while its peer does not read", async ({ pair, see }) => {
  const [client, server] = await pair();
  server.pause();
  client.on("drain", () => see("client", "drain"));
  see("test", client.write(new Uint8Array(20_000_000)));
  await soon(100);
  see("test", client.writableNeedDrain, client.writableLength > 0, client.writableFinished);
});

sideBySide("toDuplex() counts what it wrote, with what waits", async ({ pair, see }) => {
  const [client, server] = await pair();
  see("test", client.bytesWritten, client.bufferSize);
  client.write(new Uint8Array(8_000_000));
  client.write("äöü");
  see("test", client.bytesWritten, client.bufferSize === client.writableLength);
  server.resume();
  client.end("x");
  see("test", client.bytesWritten, await allClosed(client, server));
  see("test", client.bytesWritten, client.bufferSize, client.writableLength, server.bytesRead);
});

sideBySide("toDuplex() counts what it wrote before it connected", async ({ listen, connect, see }) => {
  const port = await listen((socket) => socket.resume());
  const client = connect(port);
  client.write("early");
  see("test", client.bytesWritten);
  client.end("bird");
  see("test", client.bytesWritten, await allClosed(client), client.bytesWritten, client.bytesRead);
});

sideBySide("toDuplex() counts what it read", async ({ pair, see }) => {
  const [client, server] = await pair({ server: half });
  const all = received(server);
  client.end("12345");
  see("test", (await all).length, server.bytesRead, server.bytesWritten);
  server.end("123");
  client.resume();
  see("test", await allClosed(client, server), client.bytesRead, server.bytesWritten);
});

sideBySide("pipeline() into toDuplex() carries everything, and ends it", async ({ pair, see }) => {
  const [client, server] = await pair();
  const all = received(server);
  const bytes = numbered(1_000_000);
  await pipeline(Readable.from([bytes.subarray(0, 10), bytes.subarray(10)]), client);
  see("test", (await all).equals(bytes), await allClosed(client, server));
});

sideBySide("pipe() of toDuplex() into itself is an echo", async ({ listen, connect, see }) => {
  const port = await listen((socket) => void socket.pipe(socket), half);
  const client = connect(port);
  const bytes = numbered(1_000_000);
  const all = received(client);
  client.end(bytes);
  see("test", (await all).equals(bytes), await allClosed(client));
}, { timeout: 30_000 });

sideBySide("pipeline() out of toDuplex() that is reset fails with that error", async ({ pair, see }) => {
  const [client, server] = await pair();
  const failed = pipeline(client, async (source) => {
    for await (const _ of source);
  }).catch((error) => error.code);
  server.write("x");
  await once(client, "data").catch(() => {});
  server.resetAndDestroy();
  see("test", await failed, await allClosed(client, server));
}, { resets: true });

sideBySide("write() to toDuplex() keeps what it was given until it calls back", async ({ pair, see }) => {
  const [client, server] = await pair();
  const all = received(server);
  const memory = Buffer.alloc(1_000_000, "a");
  await new Promise((resolve) => client.write(memory, resolve));
  memory.fill("b");
  client.end();
  see("test", (await all).includes("b"), await allClosed(client, server));
});

sideBySide("end() of toDuplex() while a large write waits sends it all", async ({ pair, see }) => {
  const [client, server] = await pair();
  server.pause();
  client.write(new Uint8Array(8_000_000));
  client.end("!");
  await soon(50);
  see("test", client.writableFinished);
  const all = received(server);
  server.resume();
  see("test", (await all).length, await allClosed(client, server));
});
