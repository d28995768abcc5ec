// Copyright 2026 the Sluice authors. MIT license.

/** Names of certificates, with plain `node:tls` on the other side. */
import { assertEquals } from "@std/assert";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { tcp } from "../../mod.ts";
import { tlsClient, tlsServer } from "../../net/tls/mod.ts";
import { test } from "../_test.ts";
import { anyPort, withNet } from "../net/_helpers.ts";
import { authority, certificate, clientOptions, serverOptions } from "../net/tls/_helpers.ts";

const { chain, key } = certificate("forger") as { chain: string; key: string };
const forgedLine = "O=Evil\\, Inc\\0ACN=admin/O=Bank";

test("tlsClient() shows the forged name of a node:tls server as one line", () =>
  withNet(async (sw, net) => {
    const server = createServer({ cert: chain, key }, (socket) => socket.on("error", () => {}).resume().end());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const tls = await tlsClient(sw, await net.connect(sw, tcp("127.0.0.1", port)), clientOptions);
    const shown = tls.peerCertificate;
    await tls.close();
    server.close();
    await once(server, "close");
    assertEquals(shown?.subject.split("\n")[1], forgedLine);
  }));

test("tlsServer() shows the forged name of a node:tls client as one line", () =>
  withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const { port } = listener.address;
    const socket: TLSSocket = connect({
      port,
      host: "127.0.0.1",
      servername: "localhost",
      ca: authority,
      cert: chain,
      key,
    });
    socket.on("error", () => {}).resume();
    const closed = once(socket, "close");
    const tls = await tlsServer(sw, await listener.accept(sw), { ...serverOptions, authorities: authority });
    const shown = tls.peerCertificate;
    await tls.close();
    socket.destroy();
    await closed;
    assertEquals(shown?.subject.split("\n")[1], forgedLine);
  }));
