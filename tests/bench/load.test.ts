// Copyright 2026 the Sluice authors. MIT license.

/** `load.c` beside servers that are right, and servers that are not. */
import { assertRejects } from "@std/assert";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { compileLoad, withLoad } from "../../bench/_network.ts";
import { test } from "../_test.ts";
import { complete, needs, withPath, withServer } from "./_servers.ts";

test("load.c completes each shape of an echo", async () => {
  await withServer("node.ts echo", async ({ target }) => {
    await complete("roundTrip", target, 300, 3000);
    await complete("roundTrip", target, 1, 10, 300_000);
    await complete("bulk", target, 4, 10_000_000);
    await complete("connectClose", target, 16, 100);
  });
}, needs);

test("load.c takes a Unix path", async () => {
  await withPath((path) => withServer("node.ts echo", () => complete("roundTrip", path, 300, 3000), path));
}, needs);

/** Answers each chunk with what `reply` makes of it. */
function replying(reply: (chunk: Uint8Array) => Uint8Array): (socket: Socket) => void {
  return (socket) => {
    socket.on("data", (chunk) => socket.write(reply(new Uint8Array(chunk))));
    socket.on("end", () => socket.end());
  };
}

const wrong = replying((chunk) => chunk.with(-1, chunk[chunk.length - 1] ^ 1));
const longer = replying((chunk) => Uint8Array.of(...chunk, 0));

/** Ends in the middle of the reply. */
function early(socket: Socket): void {
  socket.on("data", (chunk) => socket.end(chunk.subarray(0, 10)));
}

/** Sends one more byte after the end of input. */
function late(socket: Socket): void {
  socket.on("data", (chunk) => socket.write(chunk));
  socket.on("end", () => socket.end("x"));
}

/** Returns nothing, and ends properly. */
function silent(socket: Socket): void {
  socket.resume();
  socket.on("end", () => socket.end());
}

/** Sends a byte at once. */
function talkative(socket: Socket): void {
  socket.write("x");
}

const faults: Readonly<Record<string, readonly [handle: (socket: Socket) => void, shapes: string[], told: string]>> = {
  "a wrong byte": [wrong, ["roundTrip", "bulk", "connectClose", "validate"], "Reply differs from what was sent"],
  "a byte too many": [longer, ["roundTrip", "connectClose"], "Reply has 1 bytes that were not sent"],
  "a byte after the end": [late, ["connectClose", "validate"], "Reply has 1 bytes that were not sent"],
  "an early end": [early, ["roundTrip", "connectClose"], "Server ended too early, after 10 of 64 bytes"],
  "bytes that never come back": [silent, ["bulk", "relay", "validate"], "Server ended after 0 of "],
  "a byte on an idle connection": [talkative, ["hold"], "Reply has 1 bytes that were not sent"],
  "an end of an idle connection": [(socket) => socket.end(), ["hold"], "Server ended too early"],
};

for (const [fault, [handle, shapes, told]] of Object.entries(faults)) {
  test(`load.c finds ${fault}`, async () => {
    await withHandler(handle, async (target) => {
      for (const shape of shapes) await assertRejects(() => goOn(shape, target), Error, told);
    });
  }, needs);
}

const datagramFaults: Readonly<Record<string, readonly [reply: (bytes: Uint8Array) => Uint8Array, told: string]>> = {
  "datagrams with a wrong byte": [(bytes) => bytes.with(0, bytes[0] ^ 1), "Reply differs from what was sent"],
  "datagrams that are too short": [(bytes) => bytes.subarray(1), "Reply "],
};

for (const [fault, [reply, told]] of Object.entries(datagramFaults)) {
  test(`load.c finds ${fault}`, async () => {
    await compileLoad();
    const socket = createSocket("udp4", (message, { port, address }) => {
      socket.send(reply(new Uint8Array(message)), port, address);
    });
    socket.on("error", () => {}); // the load is gone when it fails
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    try {
      await assertRejects(() => goOn("datagrams", String(socket.address().port)), Error, told);
    } finally {
      socket.close();
    }
  }, needs);
}

test("load.c says why it cannot begin", async () => {
  await compileLoad();
  await withPath(async (path) => {
    await assertRejects(() => goOn("roundTrip", path), Error, "Cannot connect: No such file or directory");
  });
}, needs);

/**
 * Lets a load go on until it finds a fault. It stops at last, as some faults are only seen at the
 * end.
 */
async function goOn(shape: string, target: string): Promise<void> {
  await withLoad(shape, target, { connections: 2 }, async (load) => {
    if (["bulk", "relay", "validate"].includes(shape)) await load.ask("stop");
    else for (;;) await load.ask("look");
  });
}

/** Calls `fn` with the port of a server that does this with each connection. */
async function withHandler(handle: (socket: Socket) => void, fn: (target: string) => Promise<void>): Promise<void> {
  await compileLoad();
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {}); // the load drops its connections when it fails
    handle(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await fn(String((server.address() as AddressInfo).port));
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  }
}
