// Copyright 2026 the Sluice authors. MIT license.

/** STARTTLS of WinterTC's sockets against OpenSSL, by Python. */
import { assertEquals } from "@std/assert";
import { toConnect } from "../../net/wintertc/mod.ts";
import { test } from "../_test.ts";
import { withNet } from "../net/_helpers.ts";
import { authority, fixture } from "../net/tls/_helpers.ts";
import { receive, receiveAll, send } from "../net/wintertc/_helpers.ts";
import { Peer } from "./_peers.ts";

const script = `
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
context.set_alpn_protocols(["smtp"])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
plain, _ = listener.accept()
plain.sendall(b"220 ready\\r\\n")
assert plain.recv(100) == b"STARTTLS\\r\\n"
plain.sendall(b"220 go ahead\\r\\n")
tls = context.wrap_socket(plain, server_side=True)
tls.sendall(tls.recv(100).upper())
tls.unwrap()
tls.close()
`;

test("startTls() takes over from plaintext with a server of OpenSSL", () =>
  withNet(async (sw, net) => {
    await using peer = new Peer("python3", ["-c", script, fixture("localhost.crt"), fixture("localhost.key")]);
    const port = Number(await peer.line());
    const connect = toConnect(net, sw, { tls: { authorities: authority } });
    const plain = connect(`localhost:${port}`, { secureTransport: "starttls", alpn: ["smtp"] });
    assertEquals(await receive(plain), "220 ready\r\n");
    await send(plain, "STARTTLS\r\n");
    assertEquals(await receive(plain), "220 go ahead\r\n");
    const socket = plain.startTls();
    assertEquals((await socket.opened).alpn, "smtp");
    await send(socket, "hello");
    assertEquals(await receive(socket), "HELLO");
    assertEquals(await receiveAll(socket), "");
    await socket.closed;
    assertEquals(await peer.ended, { code: 0, signal: null });
  }), { peers: ["python3"] });
