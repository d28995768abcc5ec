// Copyright 2026 the Sluice authors. MIT license.

/** How a socket is read: `node:net` and toDuplex() side by side. */
import { once } from "node:events";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { finished } from "node:stream/promises";
import { until } from "../../_helpers.ts";
import { allClosed, half, sideBySide, soon } from "./_side_by_side.ts";

sideBySide("pause() of toDuplex() stops 'data', and resume() goes on", async ({ pair, see }) => {
  const [client, server] = await pair();
  let size = 0;
  server.on("data", (chunk) => size += chunk.length);
  server.pause();
  client.write("12345");
  await soon(50);
  see("test", size, server.isPaused(), server.readableFlowing);
  server.resume();
  client.end("678");
  see("test", await allClosed(client, server), size);
});

sideBySide("pause() in 'data' of toDuplex() keeps the rest", async ({ pair, see }) => {
  const [client, server] = await pair();
  let size = 0;
  let pauses = 0;
  server.on("data", (chunk) => {
    size += chunk.length;
    if (pauses++ > 5) return;
    server.pause();
    setTimeout(() => server.resume(), 1);
  });
  client.end(new Uint8Array(1_000_000));
  see("test", await allClosed(client, server), size);
});

sideBySide("setEncoding() of toDuplex() decodes across pieces", async ({ pair, see }) => {
  const [client, server] = await pair();
  server.setEncoding("utf8");
  let all = "";
  server.on("data", (chunk) => {
    see("types", typeof chunk);
    all += chunk;
  });
  client.write(Uint8Array.of(0x67, 0xc3));
  await once(server, "data");
  client.end(Uint8Array.of(0xbc));
  see("test", await allClosed(client, server), all, server.readableEncoding);
});

sideBySide("read() of toDuplex() takes what was asked for", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.end("abcdef");
  await once(server, "readable");
  see("test", String(server.read(2)), String(server.read(4)), server.read());
  see("test", await allClosed(client, server));
});

sideBySide("unshift() to toDuplex() comes again", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.write("abc");
  const [chunk] = await once(server, "data");
  server.pause();
  server.unshift(chunk);
  client.end("def");
  see("test", await text(server), await allClosed(client, server));
}, {
  unlike: { bun: "its sockets finish before an iteration that is over destroys them" },
  expected: {
    client: ["connect", "ready", "finish", "end", "close false"],
    server: ["end", "close false"],
    test: ["abcdef", true],
  },
});

sideBySide("toDuplex() is iterated to its end, and then closed", async ({ pair, see }) => {
  const [client, server] = await pair({ server: half });
  client.end("abc");
  let all = "";
  for await (const chunk of server) all += chunk;
  see("test", all, server.destroyed);
  server.end();
  see("test", await allClosed(client, server));
});

sideBySide("toDuplex() is destroyed when its iteration breaks off", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.write("abc");
  for await (const chunk of server) {
    see("test", String(chunk));
    break;
  }
  see("test", server.destroyed, await allClosed(client, server));
});

sideBySide("toDuplex() throws out of its iteration when it is reset", async ({ pair, see }) => {
  const [client, server] = await pair();
  const code = (async () => {
    for await (const _ of server);
  })().catch((error) => error.code);
  await soon();
  client.resetAndDestroy();
  see("test", await code, await allClosed(client, server));
}, { resets: true });

sideBySide("iterator() of toDuplex() leaves it open where it is told to", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.write("abc");
  for await (const chunk of server.iterator({ destroyOnReturn: false })) {
    see("test", String(chunk));
    break;
  }
  see("test", server.destroyed);
  client.end("def");
  see("test", await text(server), await allClosed(client, server));
}, {
  unlike: { bun: "its sockets finish before an iteration that is over destroys them" },
  expected: {
    client: ["connect", "ready", "finish", "end", "close false"],
    server: ["end", "close false"],
    test: ["abc", false, "def", true],
  },
});

sideBySide("toWeb() of toDuplex() carries everything", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.end(new Uint8Array(300_000));
  let size = 0;
  for await (const chunk of Readable.toWeb(server)) size += (chunk as Uint8Array).length;
  see("test", size, await allClosed(client, server));
});

sideBySide("finished() of toDuplex() waits for both directions", async ({ pair, see }) => {
  const [client, server] = await pair({ server: half });
  client.resume();
  const done = finished(server.resume()).then(() => see("finished", server.readableEnded, server.writableFinished));
  client.end("x");
  await once(server, "end");
  await soon();
  see("finished", "not yet");
  server.end("y");
  await done;
  see("test", await allClosed(client, server));
});

sideBySide("finished() of toDuplex() that is destroyed is a premature close", async ({ pair, see }) => {
  const [client, server] = await pair();
  const code = finished(server).catch((error) => error.code);
  server.destroy();
  see("test", await code, await allClosed(client, server));
});

sideBySide("toDuplex() is bounded by its reader", async ({ pair, see }) => {
  const [client, server] = await pair();
  server.pause();
  const written = new Promise((resolve) => client.write(new Uint8Array(20_000_000), resolve));
  await soon(100);
  see("test", server.readableLength <= 2 * server.readableHighWaterMark + 70_000);
  server.resume();
  await written;
  client.end();
  see("test", await allClosed(client, server), server.bytesRead);
});

sideBySide("toDuplex() ends after what it has read ahead", async ({ pair, see }) => {
  const [client, server] = await pair({ server: half });
  client.end("abc");
  await until(() => server.readableLength === 3);
  await soon();
  see("test", server.readableEnded, server.readable);
  server.once("data", (chunk) => see("test", String(chunk)));
  await once(server, "end");
  see("test", server.readable, server.readableLength);
  server.end();
  see("test", await allClosed(client, server));
});
