// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { BrokenPipeError, type CopyFailure, copyString, pipe, proxy, readAll, writeAll } from "../../flow/mod.ts";
import { pattern } from "../../net/testing/random.ts";
import { all, Switch, yieldNow } from "../../switch/mod.ts";
import { test } from "../_test.ts";
import { cancelling, textOf } from "./_helpers.ts";

test("proxy() passes bytes on in both directions", async () => {
  const [client, front] = pipe();
  const [back, server] = pipe();
  const send = async (end: typeof client, seed: number) => {
    await writeAll(end, pattern(seed, 300_000));
    await end.shutdown("send");
  };
  const [, , , up, down] = await all([
    () => proxy(front, back),
    () => send(client, 1),
    () => send(server, 2),
    () => readAll(server),
    () => readAll(client),
  ]);
  assertEquals([up, down], [pattern(1, 300_000), pattern(2, 300_000)]);
});

test("proxy() passes on the end of one direction while the other goes on", async () => {
  const [client, front] = pipe();
  const [back, server] = pipe();
  const proxying = proxy(front, back);
  await copyString("request", client);
  await client.shutdown("send");
  assertEquals(await textOf(server), "request");
  await copyString("answer", server);
  await server.shutdown("send");
  assertEquals(await textOf(client), "answer");
  await proxying;
});

test("proxy() is not done before both directions are", async () => {
  const [client, front] = pipe();
  const [back, server] = pipe();
  let done = false;
  const proxying = proxy(front, back).then(() => done = true);
  await client.shutdown("send");
  for (let i = 0; i < 5; i++) await yieldNow();
  assertEquals(done, false);
  await server.shutdown("send");
  await proxying;
});

test("proxy() closes neither flow", async () => {
  const [client, front] = pipe();
  const [back, server] = pipe();
  await Promise.all([proxy(front, back), client.shutdown("send"), server.shutdown("send")]);
  await front.write(new Uint8Array(0)).catch((error) => assert(error.message.includes("sending was shut down")));
  assertEquals(await back.read(new Uint8Array(1)), null);
});

test("proxy() that fails in one direction cancels the other, and throws the failure", async () => {
  const [client, front] = pipe();
  const [back, server] = pipe();
  const failing = assertRejects(() => proxy(front, back), BrokenPipeError);
  await server.shutdown("send");
  await server.close();
  await copyString("nobody", client);
  assertEquals((await failing as BrokenPipeError & CopyFailure).copied, 0);
});

test("proxy() throws what a read throws, as it is", async () => {
  const [, front] = pipe();
  const error = new Error("Cannot read");
  const broken = { ...noFlow, read: () => Promise.reject(error) };
  assertStrictEquals(await assertRejects(() => proxy(front, broken)), error);
});

test("proxy() throws what shutdown throws, as it is", async () => {
  const [client, front] = pipe();
  const error = new Error("Cannot shut down");
  const broken = { ...noFlow, shutdown: () => Promise.reject(error) };
  await client.shutdown("send");
  assertStrictEquals(await assertRejects(() => proxy(front, broken)), error);
});

test("proxy() that is cancelled leaves what was not passed on", async () => {
  const [client, front] = pipe();
  const [back, server] = pipe({ capacity: 3 });
  await copyString("foobar", client);
  await cancelling(() => proxy(front, back), yieldNow);
  await client.close();
  await back.close();
  assertEquals(await textOf(server) + await textOf(front), "foobar");
});

test("proxy() leaves no fiber when its switch ends", async () => {
  const [, front] = pipe();
  const [back] = pipe();
  await Switch.run((sw) => sw.forkDaemon(() => proxy(front, back)));
});

const noFlow = {
  read: (_: Uint8Array) => Promise.resolve(null),
  write: (bytes: Uint8Array) => Promise.resolve(bytes.length),
  shutdown: () => Promise.resolve(),
};
