// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "../_test.ts";
import { ownHost, ownPort } from "../net/_helpers.ts";
import { startExample } from "./_program.ts";

const page = "<p>This page comes from a server that is not ours.\n".repeat(5000);

test("http_get prints a page of the runtime's own HTTP server", async () => {
  const server = createServer((_, response) => response.end(page)).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await using program = startExample("http_get", "127.0.0.1", String((server.address() as AddressInfo).port));
    assertEquals(await program.end, { status: 0, errors: "" });
    const [head, ...body] = program.output.split("\r\n\r\n");
    assertEquals(head.split("\r\n")[0], "HTTP/1.1 200 OK");
    assertEquals(body, [page]);
  } finally {
    server.close();
    await once(server, "close");
  }
});

test("http_get fails with the reason if there is no listener", async () => {
  const port = ownPort();
  await using program = startExample("http_get", ownHost, String(port));
  const { status, errors } = await program.end;
  assertEquals(status, 1);
  assertEquals(errors.includes(`Cannot connect to tcp:${ownHost}:${port}: connection refused`), true, errors);
});
