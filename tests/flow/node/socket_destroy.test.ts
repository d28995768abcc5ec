// Copyright 2026 the Sluice authors. MIT license.

/** How a socket is destroyed, and what its peer learns: `node:net` and toDuplex() side by side. */
import { assertEquals } from "@std/assert";
import { once } from "node:events";
import type { Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { pipe, readExact, type TwoWay } from "../../../flow/mod.ts";
import { Switch } from "../../../switch/mod.ts";
import { fromDuplex, toDuplex } from "../../../flow/node/mod.ts";
import { runChild } from "../../_child.ts";
import { turns, until } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { allClosed, asNode, closed, half, runtime, sideBySide, soon } from "./_side_by_side.ts";

const fixtures = join(import.meta.dirname as string, "../../fixtures");
const command = [process.execPath, ...(runtime === "deno" ? ["run", "-A", "--no-check"] : [])];

/**
 * Writes until the peer has cut the socket off, or has taken `size` bytes. Returns how much was
 * taken.
 */
async function pour(socket: Socket, size: number): Promise<number> {
  const end = closed(socket);
  let taken = 0;
  while (taken < size && !socket.destroyed) {
    const done = new Promise<unknown>((resolve) => socket.write(new Uint8Array(64 * 1024), resolve));
    if (await Promise.race([done, end.then(() => true)])) break;
    taken += 64 * 1024;
  }
  return taken;
}

sideBySide("destroy() of toDuplex() closes both sides without an error", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.destroy();
  see("test", client.destroyed, client.readyState);
  see("test", await allClosed(client, server));
});

sideBySide("destroy() of toDuplex() with an error tells it to its own side only", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.destroy(new Error("enough"));
  see("test", await allClosed(client, server), client.errored?.message, server.errored);
});

sideBySide("destroy() of toDuplex() counts once", async ({ pair, see }) => {
  const [client, server] = await pair();
  see("test", client.destroy() === client, client.destroy(new Error("late")) === client);
  see("test", await allClosed(client, server), client.errored);
});

sideBySide("destroy() of toDuplex() whose peer hangs emits 'close' within a few turns", async ({ pair, see }) => {
  const [client, server] = await pair({ server: half });
  server.pause();
  const end = closed(client).then(() => "closed");
  client.destroy();
  see("test", await Promise.race([end, turns(5).then(() => "open")]), client.closed);
  server.destroy();
  see("test", await allClosed(client, server));
});

sideBySide(
  "destroy() of toDuplex() calls back its writes and emits 'error' before 'close'",
  async ({ pair, see }) => {
    const [client, server] = await pair({ server: half });
    server.pause();
    client.on("error", () => see("order", "error")).on("close", () => see("order", "close"));
    client.write(new Uint8Array(20_000_000), (error) => see("order", `written ${error instanceof Error}`));
    client.destroy(new Error("enough"));
    see("order", "destroyed");
    see("test", await allClosed(client));
    server.on("error", () => {}).destroy();
    await allClosed(server);
  },
  {
    unlike: {
      bun: "the callback of a write is called within destroy()",
      deno: "the callback of a write is called within destroy()",
    },
    expected: {
      client: ["connect", "ready", "error enough", "close true"],
      order: ["destroyed", "error", "written true", "close"],
      server: ["close false"],
      test: [true],
    },
  },
);

test("toDuplex() emits 'close' when the close of its flow has begun, and its switch waits for the rest", async () => {
  const [a, b] = pipe();
  const log: string[] = [];
  const begun = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  const flow: TwoWay & { close(): Promise<void> } = {
    read: (buffer) => a.read(buffer),
    write: (bytes) => a.write(bytes),
    shutdown: (how) => a.shutdown(how),
    close: async () => {
      begun.resolve();
      await done.promise;
      await a.close();
      log.push("flow closed");
    },
  };
  await Switch.run(async (sw) => {
    sw.onRelease(() => log.push("older hook"));
    const duplex = toDuplex(flow);
    duplex.destroy();
    await once(duplex, "close");
    await begun.promise;
    log.push("'close'");
    sw.onRelease(() => {
      log.push("released");
      setImmediate(done.resolve);
    });
  });
  log.push("switch ended");
  assertEquals(log, ["'close'", "released", "flow closed", "older hook", "switch ended"]);
  await b.close();
});

sideBySide("destroy() of toDuplex() while input arrives cuts the peer off", async ({ listen, connect, see }) => {
  const port = await listen((server) => server.on("error", () => {}).once("data", () => server.destroy()));
  const client = connect(port, half).on("error", () => {});
  const taken = await pour(client, 20_000_000);
  see("test", await allClosed(client), taken < 20_000_000, client.errored !== null);
});

for (const when of ["as input arrives", "that has unread input"]) {
  sideBySide(`destroy() of toDuplex() ${when} is a reset to the peer, not an end`, async ({ listen, connect, see }) => {
    const ends: string[] = [];
    const written = Promise.withResolvers<void>();
    const port = await listen((server) => {
      server.on("end", () => ends.push("end")).on("error", () => ends.push("error")).on(
        "close",
        () => ends.push("close"),
      );
      server.resume().write(new Uint8Array(1_000_000), () => written.resolve());
    }, half);
    const client = connect(port);
    if (when === "as input arrives") client.once("data", () => client.destroy());
    else {
      await written.promise;
      await soon();
      client.destroy();
    }
    see("test", await allClosed(client));
    while (ends.length === 0 || ends.at(-1) === "error") await soon(5);
    see("server", ...ends);
  }, { resets: true });
}

sideBySide("destroy() of toDuplex() lets out what was written before", async ({ pair, see }) => {
  const [client, server] = await pair();
  server.on("data", (chunk) => see("data", String(chunk)));
  client.write("400 Bad Request");
  client.destroy();
  see("test", await allClosed(client, server));
});

sideBySide("destroy() of toDuplex() that was ended in the same turn lets that out", async ({ pair, see }) => {
  const [client, server] = await pair();
  server.on("data", (chunk) => see("data", String(chunk)));
  client.end("bye");
  client.destroy();
  see("test", await allClosed(client, server), client.destroyed);
});

sideBySide("destroy() of toDuplex() calls back what waits, with an error that has a code", async ({ pair, see }) => {
  const [client, server] = await pair();
  server.pause();
  const codes: unknown[] = [];
  for (const size of [20_000_000, 10, 10]) {
    client.write(new Uint8Array(size), (error) => codes.push(typeof (error as NodeJS.ErrnoException)?.code));
  }
  await soon(50);
  client.destroy();
  see("test", await allClosed(client), codes);
});

sideBySide("write() to toDuplex() that was destroyed calls back with ERR_STREAM_DESTROYED", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.destroy();
  const error = await new Promise<unknown>((resolve) => see("test", client.write("x", resolve)));
  see("test", (error as NodeJS.ErrnoException).code, await allClosed(client, server));
});

sideBySide(
  "destroy() of toDuplex() that is connecting emits 'close' and no 'connect'",
  async ({ listen, connect, watch, see }) => {
    const port = await listen((socket) => socket.on("error", () => {}).resume());
    const client = watch("client", connect(port));
    client.destroy();
    see("test", client.connecting, client.destroyed, await allClosed(client));
  },
);

sideBySide(
  "destroy() of toDuplex() that is connecting calls back a write with an error",
  async ({ listen, connect, see }) => {
    const port = await listen((socket) => socket.on("error", () => {}).resume());
    const client = connect(port);
    const error = new Promise<unknown>((resolve) => client.write("early", resolve));
    client.destroy();
    see("test", (await error as NodeJS.ErrnoException).code, await allClosed(client));
  },
);

sideBySide("resetAndDestroy() of toDuplex() resets the connection", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.resetAndDestroy();
  see("test", client.destroyed, await allClosed(client, server));
}, { resets: true });

sideBySide("resetAndDestroy() of a toDuplex() of a server resets its client", async ({ pair, see }) => {
  const [client, server] = await pair();
  server.resetAndDestroy();
  see("test", server.destroyed, await allClosed(client, server));
}, { resets: true });

sideBySide(
  "resetAndDestroy() of toDuplex() that is connecting waits for the connection",
  async ({ listen, connect, watch, see }) => {
    const port = await listen((socket) => watch("server", socket));
    const client = watch("client", connect(port));
    see("test", client.resetAndDestroy() === client, client.destroyed);
    see("test", await allClosed(client));
    await soon(100);
  },
  {
    resets: true,
    expected: {
      client: ["connect", "ready", "close false"],
      server: ["error ECONNRESET", "close true"],
      test: [true, false, true],
    },
  },
);

sideBySide("resetAndDestroy() of toDuplex() that was destroyed does nothing", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.destroy();
  await allClosed(client, server);
  see("test", client.resetAndDestroy() === client, client.errored);
});

sideBySide("toDuplex() without a reader learns of a reset", async ({ pair, see }) => {
  const [client, server] = await pair({ server: half });
  client.resetAndDestroy();
  see("test", await allClosed(server), (server.errored as NodeJS.ErrnoException).code);
}, { resets: true });

sideBySide("toDuplex() of a client that only writes learns of a reset", async ({ listen, connect, see }) => {
  const port = await listen((server) => server.on("error", () => {}).once("data", () => server.resetAndDestroy()));
  const client = connect(port).on("error", () => {});
  const timer = setInterval(() => client.write("x"), 5);
  see("test", await allClosed(client));
  clearInterval(timer);
  see("test", ["ECONNRESET", "EPIPE"].includes((client.errored as NodeJS.ErrnoException).code as string));
}, { resets: true });

sideBySide("toDuplex() emits 'error' before 'close', and says that there was one", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.on("error", () => see("order", "error", client.destroyed));
  client.on("close", (hadError) => see("order", "close", hadError, client.closed));
  client.destroy(new Error("enough"));
  see("test", await allClosed(client, server));
});

test("toDuplex() emits 'close' even when a listener of 'error' throws", async () => {
  const { code, output } = await runChild([...command, join(fixtures, "throwing_listener.ts")], { limit: 20_000 });
  assertEquals([code, output.trim()], [0, "thrown by a listener, close true"]);
});

sideBySide("abort() of fromDuplex() while input arrives cuts the peer off", async ({ listen, connect, see }) => {
  const port = await listen(async (server) => {
    const flow = fromDuplex(server.on("error", () => {}));
    await readExact(flow, new Uint8Array(1));
    flow.abort();
  }, half);
  const client = connect(port, half).on("error", () => {});
  const taken = await pour(client, 20_000_000);
  see("test", await allClosed(client), taken < 20_000_000, client.errored !== null);
});

test("toDuplex() of a flow that is aborted is destroyed once 'close' has come", async () => {
  const calls: unknown[] = [];
  const [a, b] = pipe();
  const flow: TwoWay & { abort(reason?: unknown): void; close(): Promise<void> } = {
    read: (buffer) => a.read(buffer),
    write: (bytes) => a.write(bytes),
    shutdown: (how) => a.shutdown(how),
    abort: (reason) => calls.push("abort", reason),
    close: async () => {
      calls.push("close");
      await a.close();
    },
  };
  const duplex = toDuplex(flow);
  await until(() => !duplex.connecting);
  asNode(duplex).resetAndDestroy();
  await new Promise((resolve) => duplex.once("close", resolve));
  assertEquals(calls, ["abort", undefined, "close"]);
  await b.close();
});
