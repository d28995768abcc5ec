// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { test } from "../_test.ts";
import { ownHost, ownPort } from "../net/_helpers.ts";
import { startExample } from "./_program.ts";

test("reconnect connects again when the server is back, and stops at once while it waits", async () => {
  const port = ownPort();
  const server = await serve(port, "first\n");
  await using program = startExample("reconnect", ownHost, String(port));
  await program.until(/^first$/m);
  await end(server);
  await program.until(/^retrying in 200 ms$/m);
  const again = await serve(port, "second\n");
  await program.until(/^second$/m);
  await end(again);
  await program.until(/^retrying in 1600 ms$/m);
  program.signal("SIGTERM");
  assertEquals(await program.end, { status: 0, errors: "" });

  const connected = `connected to tcp:${ownHost}:${port}`;
  const lost = "lost: the other side has ended the connection";
  const refused = `no connection: Cannot connect to host:${ownHost}:${port}: connection refused`;
  const lines = program.output.trimEnd().split("\n");
  assertEquals(lines.slice(0, 6), [connected, "first", lost, "retrying in 100 ms", refused, "retrying in 200 ms"]);
  assertEquals(lines.slice(lines.indexOf("second") - 1), [
    ...[connected, "second", lost, "retrying in 100 ms"],
    ...[200, 400, 800, 1600].flatMap((delay) => [refused, `retrying in ${delay} ms`]),
    "stopped by SIGTERM",
  ]);
});

async function serve(port: number, greeting: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.write(greeting);
    server.once("closing", () => socket.end());
  });
  server.listen(port, ownHost);
  await once(server, "listening");
  return server;
}

async function end(server: Server): Promise<void> {
  server.close();
  server.emit("closing");
  await once(server, "close");
}
