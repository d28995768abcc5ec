// Copyright 2026 the Sluice authors. MIT license.

/** Writing and closing, and what the other side and the network do to it. */
import { assert, assertEquals } from "@std/assert";
import { copyString, first, readAll, Switch, tcp, yieldNow } from "../../mod.ts";
import { textOf, turn } from "../_helpers.ts";
import { test } from "../_test.ts";
import { anyPort, assertNetError, withNet, withSockets } from "../net/_helpers.ts";
import { leavesNoDescriptor } from "./_helpers.ts";
import { netnsPeers, OtherHost } from "./_netns.ts";
import { Peer } from "./_peers.ts";

test("write() of more than 2 GiB takes a part of it at once", async () => {
  await withSockets(async ({ client, server }) => {
    const size = await client.write(new Uint8Array(2 ** 31 + 5));
    assert(size > 0 && size <= 65536, `${size}`);
    let got = 0;
    while (got < size) got += await server.read(new Uint8Array(65536)) ?? 0;
    assertEquals(got, size);
  });
});

test("a writer waits for a peer that stands still, which has everything when it goes on", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    await using peer = Peer.node(
      `
      let got = 0;
      const socket = net.connect(args[0], "127.0.0.1", () => say("connected"));
      socket.on("data", (chunk) => got += chunk.length).on("end", () => say(got));`,
      listener.address.port,
    );
    const flow = await listener.accept(sw);
    assertEquals(await peer.line(), "connected");
    await peer.freeze();
    const chunk = new Uint8Array(65536);
    let sent = 0;
    for (let waits = 0; waits < 20;) {
      const writing = flow.write(chunk).then((size) => sent += size);
      let done = false;
      writing.then(() => done = true);
      for (let i = 0; i < 20 && !done; i++) await turn();
      if (!done) {
        peer.kill("SIGCONT");
        waits = 20;
      }
      await writing;
    }
    await flow.shutdown("send");
    assertEquals(await peer.line(), `${sent}`);
  });
});

test("a writer whose peer is killed while it waits fails with connection_reset, now and later", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    await using peer = Peer.node(
      `net.connect(args[0], "127.0.0.1", () => say("connected")).pause(); setInterval(() => {}, 1e6);`,
      listener.address.port,
    );
    const flow = await listener.accept(sw);
    assertEquals(await peer.line(), "connected");
    await peer.freeze();
    const writing = (async () => {
      for (;;) await flow.write(new Uint8Array(65536));
    })();
    for (let i = 0; i < 20; i++) await turn();
    peer.kill("SIGKILL");
    await assertNetError(() => writing, "connection_reset");
    await assertNetError(() => flow.write(new Uint8Array(1)), "connection_reset");
  });
});

test(
  "close() of a connection to a peer that has vanished ends after linger, and leaves no descriptor",
  async () => {
    using other = new OtherHost();
    await withNet(async (sw, net) => {
      await leavesNoDescriptor(async () => {
        const listener = await net.listen(sw, tcp(other.here, 0), { linger: 30 });
        await using _peer = new Peer(...other.command("nc", other.here, `${listener.address.port}`));
        const flow = await listener.accept(sw);
        other.rule("tcp sport 1-65535 drop");
        let writing = true;
        const full = (async () => {
          while (writing) await flow.write(new Uint8Array(65536));
        })().catch((error) => error.name);
        for (let i = 0; i < 20; i++) await turn();
        writing = false;
        await flow.close();
        assert(["ClosedError", undefined].includes(await full));
        await listener.close();
        other.letPass();
      });
    });
  },
  { peers: [...netnsPeers, "nc"] },
);

test("close() settles though the peer stands still and never closes its side", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    await leavesNoDescriptor(async () => {
      await using peer = Peer.node(
        `net.connect(args[0], "127.0.0.1", () => say("connected")); setInterval(() => {}, 1e6);`,
        listener.address.port,
      );
      const flow = await listener.accept(sw);
      assertEquals(await peer.line(), "connected");
      await peer.freeze();
      await copyString("bye", flow);
      await flow.close();
    });
  });
});

test("both sides that end at the same time see the end, and leave no descriptor", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    await leavesNoDescriptor(() =>
      Switch.run(async (own) => {
        const accepting = listener.accept(own);
        const client = await net.connect(own, listener.address);
        const server = await accepting;
        const sides = [client, server];
        await Promise.all(sides.map((side) => copyString("bye", side)));
        await Promise.all(sides.map((side) => side.shutdown("send")));
        assertEquals((await Promise.all(sides.map((side) => readAll(side)))).map(textOf), ["bye", "bye"]);
        await Promise.all(sides.map((side) => side.close()));
      })
    );
  });
});

test("a handler's flow that is used after its switch has ended is closed, and not the next connection", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const stale = await Switch.run((own) => net.connect(own, listener.address));
    const next = await net.connect(sw, listener.address); // has the descriptor that the other had, most likely
    await listener.accept(sw);
    const accepted = await listener.accept(sw);
    for (const use of [() => stale.write(new Uint8Array([1])), () => stale.read(new Uint8Array(1))]) {
      assertEquals(await use().then(String, (error) => error.name), "ClosedError");
    }
    stale.abort();
    await stale.close();
    await copyString("x", next);
    assertEquals(await accepted.read(new Uint8Array(9)), 1);
  });
});

test("shutdown('send') rejects when the peer resets the connection before it has what was taken", async () => {
  await withSockets(async ({ client, server }) => {
    const chunk = new Uint8Array(64 * 1024);
    // On the side whose socket queues: as much as the peer's system and ours take, and one piece more.
    for (let waits = false; !waits;) {
      waits = await first(() => client.write(chunk).then(() => false), async () => {
        for (let turns = 0; turns < 100; turns++) await yieldNow();
        return true;
      });
    }
    const ending = assertNetError(() => client.shutdown("send"), "connection_reset");
    server.abort();
    await ending;
  });
});
