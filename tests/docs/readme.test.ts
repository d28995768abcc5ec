// Copyright 2026 the Sluice authors. MIT license.

/** Samples of the README that need nothing from outside, run as its reader runs them. */
import { assertEquals } from "@std/assert";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "../_test.ts";
import { startSample } from "./_samples.ts";

const page = "README.md";

test("README.md: a page is fetched over a network that is an argument", async () => {
  const server = createServer((_, response) => response.end("hello")).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as AddressInfo;
    await using program = startSample(page, "function httpGet", { "8080": String(port) });
    assertEquals(await program.end, { status: 0, errors: "" });
    assertEquals(program.output.split("\r\n\r\n")[1], "hello");
  } finally {
    server.close();
    await once(server, "close");
  }
});

test("README.md: network code is tested without a network", async () => {
  await using program = startSample(page, "socketPair()");
  assertEquals(await program.end, { status: 0, errors: "" });
  assertEquals(program.output.startsWith("5 "), true, program.output);
});
