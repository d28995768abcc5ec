// Copyright 2026 the Sluice authors. MIT license.

/** Connections that have not been accepted. */
import { assertEquals } from "@std/assert";
import { copyString, readAll, run, Switch, tcp, type TcpAddress } from "@sluice/io";
import { connect } from "node:net";
import { test } from "../_test.ts";

/** A client that resets its connection as soon as it has one. */
function resetter(to: TcpAddress): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: to.ip.toString(), port: to.port });
    socket.on("error", () => {});
    socket.on("connect", () => socket.resetAndDestroy());
    socket.on("close", () => resolve());
  });
}

test("accept() gives no TCP connection without the address of its peer, however early that resets", () =>
  run((env) =>
    Switch.run(async (sw) => {
      const listener = await env.net.listen(sw, tcp("127.0.0.1", 0), { backlog: 64 });
      await Promise.all(Array.from({ length: 20 }, () => resetter(listener.address)));
      const client = await env.net.connect(sw, listener.address);
      await copyString("alive", client);
      await client.shutdown("send");
      for (;;) {
        const flow = await listener.accept(sw);
        assertEquals(flow.peer.transport, "tcp");
        const text = await readAll(flow).then((bytes) => new TextDecoder().decode(bytes), () => "");
        if (text === "alive") break;
      }
    })
  ));

test("read() loses nothing of many tiny packets, which stop the sender long before their bytes do", () =>
  run((env) =>
    Switch.run(async (sw) => {
      const listener = await env.net.listen(sw, tcp("127.0.0.1", 0));
      const accepting = sw.forkPromise(() => listener.accept(sw));
      const client = await env.net.connect(sw, listener.address);
      const flow = await accepting;
      const byte = new Uint8Array(1);
      for (let i = 0; i < 2000; i++) await client.write(byte);
      await client.shutdown("send");
      assertEquals((await readAll(flow)).length, 2000);
    })
  ));
