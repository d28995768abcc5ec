// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "../_test.ts";
import { startExample } from "./_program.ts";

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`echo_server echoes, and ends by itself on ${signal}`, async () => {
    await using program = startExample("echo_server");
    const [, port] = await program.until(/^listening on tcp:127\.0\.0\.1:(\d+)$/m);
    const client = connect(Number(port), "127.0.0.1").end("hello");
    assertEquals(await text(client), "hello");
    program.signal(signal);
    assertEquals(await program.end, { status: 0, errors: "" });
    assertEquals(program.output, `listening on tcp:127.0.0.1:${port}\nstopped by ${signal}\n`);
  });
}

test("echo_server waits for a client that is not done", async () => {
  await using program = startExample("echo_server");
  const [, port] = await program.until(/:(\d+)$/m);
  const client = connect(Number(port), "127.0.0.1");
  const reply = text(client);
  client.write("before, ");
  await new Promise((resolve) => client.once("data", resolve));
  program.signal("SIGTERM");
  client.end("after");
  assertEquals(await reply, "before, after");
  assertEquals(await program.end, { status: 0, errors: "" });
});
