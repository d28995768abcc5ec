// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import { test } from "../_test.ts";
import { authority, fixture } from "../net/tls/_helpers.ts";
import { startExample } from "./_program.ts";

const request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

test("sniff serves TLS, HTTP and an echo on one port, and HTTP and the echo within TLS", async () => {
  await using program = startExample("sniff", fixture("localhost.crt"), fixture("localhost.key"));
  const [, port] = await program.until(/:(\d+)$/m);
  const plain = () => Promise.resolve(connect(Number(port), "127.0.0.1"));
  const secure = async () => {
    const socket = connectTls({ port: Number(port), host: "127.0.0.1", servername: "localhost", ca: authority });
    await once(socket, "secureConnect");
    return socket;
  };
  for (const open of [plain, secure]) {
    const browser = await open();
    browser.write(request);
    const [head, body] = (await text(browser)).split("\r\n\r\n");
    assertEquals([head.split("\r\n")[0], body], ["HTTP/1.1 200 OK", "hello over HTTP\n"]);

    for (const message of ["hello\n", "GETTING\n"]) {
      const client = await open();
      client.write(message);
      let answer = "";
      for await (const chunk of client.setEncoding("utf8")) {
        answer += chunk;
        if (answer.length >= message.length) client.end();
      }
      assertEquals(answer, message);
    }
  }
  const short = await plain(); // could still become "GET "
  assertEquals(await text(short.end("G")), "G");
  program.signal("SIGTERM");
  assertEquals(await program.end, { status: 0, errors: "" });
});

test("sniff finds HTTP in pieces, and ends a client that says nothing when it stops", async () => {
  await using program = startExample("sniff", fixture("localhost.crt"), fixture("localhost.key"));
  const [, port] = await program.until(/:(\d+)$/m);
  const browser = connect(Number(port), "127.0.0.1").setNoDelay();
  await once(browser, "connect");
  for (const letter of request) await new Promise((resolve) => browser.write(letter, resolve));
  assertEquals((await text(browser)).split("\r\n")[0], "HTTP/1.1 200 OK");
  program.signal("SIGTERM");
  assertEquals(await program.end, { status: 0, errors: "" });
});
