// Copyright 2026 the Sluice authors. MIT license.

/** The load in C, beside servers that are right and servers that are not. */
import { assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { CompiledLoad, type Wish } from "../../bench/load/_compiled.ts";
import { messageAt } from "../../bench/load/_load.ts";
import { runChild } from "../_child.ts";
import { root } from "../_runtimes.ts";
import { test } from "../_test.ts";
import { withFolder, withServer } from "./_server.ts";

const options = { peers: ["gcc"] };

/** Calls `fn` with what starts the load, compiled for it, and a folder. What was started is gone afterwards. */
function withLoads(fn: (start: (wish: Wish) => CompiledLoad, folder: string) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    const path = join(folder, "load");
    const command = ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", path, join(root, "bench/load/load.c")];
    const { code, output } = await runChild(command, { limit: 100_000 });
    assertEquals([code, output], [0, ""]);
    const started: CompiledLoad[] = [];
    const start = (wish: Wish) => {
      const load = new CompiledLoad(path, wish);
      started.push(load);
      return load;
    };
    try {
      await fn(start, folder);
    } finally {
      for (const load of started) load.abandon();
    }
  });
}

/** Calls `fn` with the port of a server that does this with each connection. */
async function withHandler(handle: (socket: Socket) => void, fn: (port: number) => Promise<void>): Promise<void> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {}); // the load drops its connections when it fails
    handle(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await fn((server.address() as AddressInfo).port);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  }
}

/** Until so many operations are complete, and every connection has ended. */
async function complete(load: CompiledLoad, operations: number): Promise<void> {
  await load.begun;
  while (await load.look() < operations);
  await load.stop();
}

test("load.c completes each shape properly", async () => {
  await withLoads(async (start) => {
    await withServer("bare/node_echo.ts", 0, async (server) => {
      const target = await server.port();
      await complete(start({ shape: "roundTrip", target, connections: 300, size: 64 }), 3000);
      await complete(start({ shape: "roundTrip", target, connections: 1, size: 300_000 }), 10);
      await complete(start({ shape: "bulk", target, connections: 4, size: 64 }), 10_000_000);
      await complete(start({ shape: "connectClose", target, connections: 16, size: 64 }), 100);
      assertEquals(await server.stop(), 0);
    });
    await withServer("bare/node_relay.ts", 0, async (server) => {
      await complete(start({ shape: "relay", target: await server.port(), connections: 4, size: 64 }), 10_000_000);
      assertEquals(await server.stop(), 0);
    });
  });
}, options);

test("load.c takes a Unix path", async () => {
  await withLoads(async (start, folder) => {
    const target = join(folder, "socket");
    await withServer("bare/node_echo.ts", target, async (server) => {
      assertEquals(await server.line(), "ready");
      await complete(start({ shape: "roundTrip", target, connections: 300, size: 64 }), 3000);
      assertEquals(await server.stop(), 0);
    });
  });
}, options);

test("load.c sends the messages that the load on Node sends", async () => {
  const got: Uint8Array[] = [];
  const echo = (socket: Socket) => {
    socket.on("data", (chunk) => {
      got.push(new Uint8Array(chunk));
      socket.write(chunk);
    });
    socket.on("end", () => socket.end());
  };
  await withLoads((start) =>
    withHandler(echo, async (target) => {
      await complete(start({ shape: "roundTrip", target, connections: 1, size: 1000 }), 3);
      assertEquals(
        new Uint8Array(Buffer.concat(got.slice(0, 3))),
        new Uint8Array(Buffer.concat([0, 1, 2].map(message))),
      );
    })
  );

  function message(sequence: number): Uint8Array {
    return messageAt(sequence, 1000);
  }
}, options);

/** Answers each chunk with what `reply` makes of it. */
function replying(reply: (chunk: Uint8Array) => Uint8Array): (socket: Socket) => void {
  return (socket) => {
    socket.on("data", (chunk) => socket.write(reply(new Uint8Array(chunk))));
    socket.on("end", () => socket.end());
  };
}

const wrong = replying((chunk) => chunk.with(-1, chunk[chunk.length - 1] ^ 1));
const longer = replying((chunk) => Uint8Array.of(...chunk, 0));

/** Ends in the midst of the reply. */
function early(socket: Socket): void {
  socket.on("data", (chunk) => socket.end(chunk.subarray(0, 10)));
}

/** Sends one byte more, when it has got the end. */
function late(socket: Socket): void {
  socket.on("data", (chunk) => socket.write(chunk));
  socket.on("end", () => socket.end("x"));
}

/** Gives back nothing, and ends properly. */
function silent(socket: Socket): void {
  socket.resume();
  socket.on("end", () => socket.end());
}

const faults: Readonly<Record<string, readonly [handle: (socket: Socket) => void, shapes: string[], told: string]>> = {
  "a wrong byte": [wrong, ["roundTrip", "bulk", "connectClose"], "Reply differs from what was sent"],
  "a byte too many": [longer, ["roundTrip", "connectClose"], "Reply has 1 bytes that were not sent"],
  "a byte after the end": [late, ["connectClose"], "Reply has 1 bytes that were not sent"],
  "an early end": [early, ["roundTrip", "connectClose"], "Server ended too early, after 10 of 64 bytes"],
};

for (const [fault, [handle, shapes, told]] of Object.entries(faults)) {
  test(`load.c finds ${fault}`, async () => {
    await withLoads((start) =>
      withHandler(handle, async (target) => {
        for (const shape of shapes) {
          const load = start({ shape, target, connections: 2, size: 64 });
          await assertRejects(() => load.failed, Error, told);
        }
      })
    );
  }, options);
}

test("load.c finds that what it sent has not all come back", async () => {
  await withLoads((start) =>
    withHandler(silent, async (target) => {
      for (const shape of ["bulk", "relay"]) {
        const load = start({ shape, target, connections: 2, size: 64 });
        await load.begun;
        await assertRejects(() => load.stop(), Error, "Server ended after 0 of ");
      }
    })
  );
}, options);

test("load.c says why it cannot begin", async () => {
  await withLoads(async (start, folder) => {
    const load = start({ shape: "roundTrip", target: join(folder, "none"), connections: 1, size: 64 });
    await assertRejects(() => load.begun, Error, "Cannot connect: No such file or directory");
  });
}, options);

test("CompiledLoad says that there is no such program", async () => {
  const load = new CompiledLoad("/nonexistent", { shape: "roundTrip", target: 1, connections: 1, size: 64 });
  await assertRejects(() => load.begun, Error, "ENOENT");
});
