// Copyright 2026 the Sluice authors. MIT license.

/** Listening and accepting, and what the system does to it. */
import { assert, assertEquals } from "@std/assert";
import { connect } from "node:net";
import process from "node:process";
import { copyString, readAll, Switch, tcp, unix } from "../../mod.ts";
import { textOf } from "../_helpers.ts";
import { test } from "../_test.ts";
import { anyPort, assertNetError, ownHost, ownPort, withNet } from "../net/_helpers.ts";
import { faultProgram, withPath } from "./_helpers.ts";
import { Peer, thisCommand } from "./_peers.ts";

/** Sends a word to an echo server, and takes it back. */
async function echoed(port: number, patience = 10_000): Promise<string> {
  return await withNet(async (sw, net) => {
    sw.forkDaemon(async () => {
      await net.clock.sleep(patience);
      sw.fail(new Error(`Nothing came in ${patience} ms`));
    });
    const flow = await net.connect(sw, tcp("127.0.0.1", port));
    await copyString("word", flow);
    await flow.shutdown("send");
    return textOf(await readAll(flow));
  });
}

/** Runs an echo server by `command`, and what it was told and has left at the end. */
async function withServerProgram(
  command: string,
  args: readonly string[],
  fn: (port: number, server: Peer) => Promise<void>,
) {
  await using server = new Peer(command, args);
  const port = Number(await server.line());
  assert(port > 0, server.errors);
  await fn(port, server);
  server.endInput();
  assertEquals((await server.ended).code, 0, server.errors);
  assertEquals(server.output.trimEnd().split("\n").at(-1), "left 0");
}

const transient = [
  "ECONNABORTED",
  "ENOBUFS",
  "ENOMEM",
  "ENFILE",
  "EMFILE",
  "EPERM",
  "EPROTO",
  "ENETDOWN",
  "EHOSTUNREACH",
];
for (const errno of transient) {
  test(`runServer() goes on serving after the system says ${errno} to accept`, async () => {
    const inject = ["-e", "trace=accept4", "-e", `inject=accept4:error=${errno}:when=1..2`];
    const args = ["-f", "-qq", ...inject, "-o", "/dev/null", ...thisCommand(faultProgram, "serve", "127.0.0.1")];
    await withServerProgram("strace", args, async (port) => {
      // The first clients may be lost: the runtime closes them, or does not hear for a moment.
      await served(port);
      for (let i = 0; i < 3; i++) assertEquals(await echoed(port), "word");
    });
  }, { peers: ["strace"] });
}

/** Waits until a client is served. */
async function served(port: number): Promise<void> {
  for (;;) {
    if (await echoed(port, 300).catch(() => "") === "word") return;
  }
}

test(
  "a server out of descriptors harms no live connection, and serves again when it has some",
  async () => {
    const args = ["--nofile=128:128", ...thisCommand(faultProgram, "serve", "127.0.0.1")];
    await withServerProgram("prlimit", args, async (port, server) => {
      await withNet(async (sw, net) => {
        const live = await net.connect(sw, tcp("127.0.0.1", port));
        await copyString("a", live);
        assertEquals(await live.read(new Uint8Array(9)), 1, server.output + server.errors);
        await Switch.run(async (crowd) => {
          for (let i = 0; i < 200; i++) await net.connect(crowd, tcp("127.0.0.1", port));
          await copyString("b", live);
          assertEquals(await live.read(new Uint8Array(9)), 1, server.output + server.errors);
        });
        await copyString("c", live);
        assertEquals(await live.read(new Uint8Array(9)), 1, server.output + server.errors);
        await served(port);
        for (let i = 0; i < 3; i++) assertEquals(await echoed(port), "word");
      });
    });
  },
  { peers: ["prlimit"] },
);

test(
  "a server at a Unix path that is out of descriptors serves again when it has some, and says so if it can",
  async () => {
    await withPath(async (path, sw, net) => {
      await using server = new Peer("prlimit", ["--nofile=128:128", ...thisCommand(faultProgram, "serve", path)]);
      assertEquals(await server.line(), path);
      await Switch.run(async (crowd) => {
        for (let i = 0; i < 200; i++) await net.connect(crowd, unix(path));
        const hears = net.features.has("acceptErrors");
        if (hears) assertEquals(await server.line(), "accept too_many_open_files");
      });
      for (let i = 0; i < 3; i++) {
        const flow = await net.connect(sw, unix(path));
        await copyString("word", flow);
        await flow.shutdown("send");
        assertEquals(textOf(await readAll(flow)), "word");
      }
      server.endInput();
      assertEquals((await server.ended).code, 0, server.errors);
    });
  },
  { peers: ["prlimit"] },
);

test("listen() on a port for which the program has no right is permission_denied", async () => {
  const limits = ["--bounding-set=-net_bind_service", "--inh-caps=-all"];
  await using peer = new Peer("setpriv", [...limits, ...thisCommand(faultProgram, "listen", "127.0.0.1", "1")]);
  assertEquals([(await peer.ended).code, peer.output], [0, "permission_denied\n"]);
}, { peers: process.getuid?.() === 0 ? ["setpriv"] : ["root"] });

test("listen() on one address of a port that a wildcard listener has is address_in_use, and the other way round", async () => {
  await withNet(async (sw, net) => {
    const port = ownPort();
    const wildcard = await net.listen(sw, tcp("0.0.0.0", port));
    await assertNetError(() => net.listen(sw, tcp(ownHost, port)), "address_in_use");
    await wildcard.close();
    await net.listen(sw, tcp(ownHost, port));
    const error = await assertNetError(() => net.listen(sw, tcp("0.0.0.0", port)), "address_in_use");
    assertEquals(error.message, `Cannot listen on tcp:0.0.0.0:${port}: address in use`);
    await net.listen(sw, tcp("127.0.0.2", port));
  });
});

test("close() of a listener right after a client has connected leaves nothing open, in either order", async () => {
  await withNet(async (sw, net) => {
    for (let i = 0; i < 50; i++) {
      const listener = await net.listen(sw, anyPort);
      const accepting = listener.accept(sw).then(
        (flow) => flow.close(),
        (error) => assertEquals(error.name, "ClosedError"),
      );
      const connecting = net.connect(sw, listener.address).then((flow) => flow.close(), (error) => {
        assert(["connection_refused", "connection_reset"].includes(error.code), error.code);
      });
      for (let turns = 0; turns < i % 5; turns++) await new Promise((resolve) => setImmediate(resolve));
      await listener.close();
      await Promise.all([accepting, connecting]);
    }
  });
});

test("a client that resets while it waits to be accepted is not an error of accepting", async () => {
  await withServerProgram(...splitCommand(thisCommand(faultProgram, "serve", "127.0.0.1")), async (port, server) => {
    for (let i = 0; i < 50; i++) {
      await new Promise<void>((resolve) => {
        const socket = connect(port, "127.0.0.1", () => socket.resetAndDestroy());
        socket.on("error", () => {}).on("close", () => resolve());
      });
    }
    assertEquals(await echoed(port), "word");
    assertEquals(server.output.includes("accept"), false, server.output);
  });
});

function splitCommand([program, ...args]: readonly string[]): [string, string[]] {
  return [program, args];
}

test("a listener is not inherited by a child process", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, tcp(ownHost, ownPort()));
    await using child = new Peer("sh", ["-c", "echo running; exec sleep 60"]);
    assertEquals(await child.line(), "running");
    await listener.close();
    await net.listen(sw, listener.address);
  });
});
