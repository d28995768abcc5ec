// Copyright 2026 the Sluice authors. MIT license.

/** Reading, and what the other side and the network do to it. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { copyString, formatAddress, readAll, tcp, TimeoutError, withTimeout } from "../../mod.ts";
import { textOf, until } from "../_helpers.ts";
import { test } from "../_test.ts";
import { anyPort, assertNetError, withNet, withSockets } from "../net/_helpers.ts";
import { faultProgram, leavesNoDescriptor } from "./_helpers.ts";
import { netnsPeers, OtherHost } from "./_netns.ts";
import { Peer, thisCommand } from "./_peers.ts";

test("a read from a peer that has vanished without a word waits, and withTimeout() ends it", async () => {
  using other = new OtherHost();
  await withNet(async (sw, net) => {
    await leavesNoDescriptor(async () => {
      const listener = await net.listen(sw, tcp(other.here, 0));
      await using _peer = new Peer(...other.command("nc", other.here, `${listener.address.port}`));
      const flow = await listener.accept(sw);
      other.rule("tcp sport 1-65535 drop");
      await assertRejects(() => withTimeout(net.clock, 30, () => flow.read(new Uint8Array(1))), TimeoutError);
      await copyString("into the void", flow);
      flow.abort();
      await listener.close();
      other.letPass();
    });
  });
}, { peers: [...netnsPeers, "nc"] });

test("a read is connection_timeout when the system has resent in vain what was written", async () => {
  using other = new OtherHost();
  other.sysctl("net.ipv4.tcp_retries2", "1");
  await using server = new Peer(...other.command("socat", "-dd", "tcp-listen:80", "exec:cat"));
  await until(() => server.errors.includes("listening"));
  const command = thisCommand(faultProgram, "talk", "127.0.0.1", "80");
  await using peer = new Peer(...other.command(...command));
  assertEquals(await peer.line(), "connected");
  other.rule("tcp dport 80 drop");
  peer.say("word\n");
  assertEquals([await peer.line(), await peer.line()], ["wrote", "connection_timeout"], peer.errors);
  assertEquals(await peer.line(), "connection_timeout");
}, { peers: [...netnsPeers, "socat"] });

test("a read is connection_reset when a firewall resets the connection", async () => {
  using other = new OtherHost();
  await using server = new Peer(...other.command("socat", "-dd", "tcp-listen:80", "exec:cat"));
  await until(() => server.errors.includes("listening"));
  await using peer = new Peer(...other.command(...thisCommand(faultProgram, "talk", "127.0.0.1", "80")));
  assertEquals(await peer.line(), "connected");
  other.rule("tcp dport 80 reject with tcp reset");
  peer.say("word\n");
  assertEquals([await peer.line(), await peer.line()], ["wrote", "connection_reset"], peer.errors);
  assertEquals(await peer.line(), "connection_reset");
}, { peers: [...netnsPeers, "socat"] });

test("a read is connection_reset on both sides when the system destroys the socket", async () => {
  await withSockets(async ({ client, server }) => {
    const codes = [client, server].map((flow) => flow.read(new Uint8Array(1)).then(String, (error) => error.code));
    assert(client.local.transport === "tcp");
    const [src, dst] = [client.local, client.peer].map(formatAddress);
    spawnSync("ss", ["-K", "src", src.slice(4), "dst", dst.slice(4)]); // without "tcp:"
    assertEquals(await Promise.all(codes), ["connection_reset", "connection_reset"]);
    await assertNetError(() => client.read(new Uint8Array(1)), "connection_reset");
  });
}, { peers: [...netnsPeers, "ss"] });

test("a peer that sends and then resets gives what came, or connection_reset, and nothing else", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    await using _peer = Peer.node(
      `
      let left = 30;
      const next = () => {
        if (left-- === 0) return;
        const socket = net.connect(args[0], "127.0.0.1", () => next());
        socket.on("error", () => {}).once("data", () => socket.write("hello", () => socket.resetAndDestroy()));
      };
      next();`,
      listener.address.port,
    );
    for (let i = 0; i < 30; i++) {
      const flow = await listener.accept(sw);
      await copyString("go", flow); // one that is reset before is none at all
      let got = "";
      const buffer = new Uint8Array(9);
      const ended = (async () => {
        for (let size; (size = await flow.read(buffer)) !== null;) got += textOf(buffer.subarray(0, size));
      })();
      await assertNetError(() => ended, "connection_reset");
      assert("hello".startsWith(got), got);
      await flow.close();
    }
  });
});

test("a peer that stands still sends nothing, and everything when it goes on", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    await using peer = Peer.node(
      `
      const socket = net.connect(args[0], "127.0.0.1", () => say("connected"));
      socket.once("data", () => socket.end("x".repeat(1 << 20)));`,
      listener.address.port,
    );
    const flow = await listener.accept(sw);
    assertEquals(await peer.line(), "connected");
    await peer.freeze();
    await copyString("go", flow);
    await assertRejects(() => withTimeout(net.clock, 30, () => flow.read(new Uint8Array(1))), TimeoutError);
    peer.kill("SIGCONT");
    assertEquals((await readAll(flow)).length, 1 << 20);
  });
});

test("a reader that takes nothing stops the sender, and loses nothing", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const total = 64 << 20;
    await using peer = Peer.node(
      `
      let sent = 0, timer;
      const socket = net.connect(args[0], "127.0.0.1", () => more());
      const chunk = Buffer.alloc(65536);
      const more = () => {
        clearTimeout(timer);
        while (sent < +args[1]) { sent += chunk.length; if (!socket.write(chunk)) break; }
        if (sent >= +args[1]) return socket.end();
        timer = setTimeout(() => say(sent), 300);
      };
      socket.on("drain", more);`,
      listener.address.port,
      total,
    );
    const flow = await listener.accept(sw);
    const before = process.memoryUsage().rss;
    const stuck = Number(await peer.line());
    assert(stuck < 24 << 20, `${stuck} bytes went out`); // what the system holds on both sides, and a little here
    assert(process.memoryUsage().rss - before < 32 << 20);
    let size = 0;
    const buffer = new Uint8Array(65536);
    for (let got; (got = await flow.read(buffer)) !== null;) size += got;
    assertEquals(size, total);
  });
});
