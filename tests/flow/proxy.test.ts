// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  BrokenPipeError,
  ClosedError,
  type CopyFailure,
  copyString,
  pipe,
  proxy,
  readAll,
  writeAll,
} from "../../flow/mod.ts";
import { NetError, type StreamSocket } from "../../net/mod.ts";
import { socketPair } from "../../net/testing/mod.ts";
import { pattern } from "../../net/testing/_random.ts";
import { all, Switch, yieldNow } from "../../switch/mod.ts";
import { readText } from "../_helpers.ts";
import { test } from "../_test.ts";
import { cancelling, readOnce } from "./_helpers.ts";

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
  assertEquals(await readText(server), "request");
  await copyString("answer", server);
  await server.shutdown("send");
  assertEquals(await readText(client), "answer");
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
  assertEquals(await readText(server) + await readText(front), "foobar");
});

test("proxy() leaves no fiber when its switch ends", async () => {
  const [, front] = pipe();
  const [back] = pipe();
  await Switch.run((sw) => sw.forkDaemon(() => proxy(front, back)));
});

/** Runs a proxy between two sockets, and returns them with the two outer ends. */
function proxied(): { client: StreamSocket; server: StreamSocket; front: StreamSocket; back: StreamSocket } {
  const [client, front] = socketPair();
  const [back, server] = socketPair();
  return { client, front, back, server };
}

test("proxy() passes a reset on as a reset, so that a cut answer never looks whole", async () => {
  const { client, front, back, server } = proxied();
  const proxying = assertRejects(() => proxy(front, back), NetError);
  await copyString("half of an ans", server);
  assertEquals(await readOnce(client), "half of an ans");
  const reading = assertRejects(() => readAll(client), NetError);
  server.abort();
  assertEquals([(await proxying as NetError).code, (await reading as NetError).code], [
    "connection_reset",
    "connection_reset",
  ]);
});

test("proxy() whose write fails aborts both flows", async () => {
  const { client, front, back, server } = proxied();
  const proxying = assertRejects(() => proxy(front, back), NetError);
  const reading = assertRejects(() => readAll(client), NetError);
  await server.close(); // an end, and then a broken pipe
  await copyString("a question", client).catch(() => {});
  await proxying;
  await reading.catch(() => {});
  await assertRejects(() => front.read(new Uint8Array(1)), ClosedError);
  await assertRejects(() => back.read(new Uint8Array(1)), ClosedError);
});

test("proxy() that is cancelled aborts both flows", async () => {
  const { client, front, back, server } = proxied();
  await copyString("half of an ans", server);
  await cancelling(() => proxy(front, back), async () => assertEquals(await readOnce(client), "half of an ans"));
  for (const end of [client, server]) {
    const error = await assertRejects(() => readAll(end), NetError);
    assertEquals(error.code, "connection_reset");
  }
});

test("proxy() aborts both flows where a foreign one throws, with the error as the reason", async () => {
  const error = new Error("Cannot read");
  const reasons: unknown[] = [];
  const abort = (reason: unknown) => reasons.push(reason);
  const [, idle] = pipe();
  const waiting = { read: idle.read.bind(idle), write: idle.write.bind(idle), shutdown: noFlow.shutdown, abort };
  const broken = { ...noFlow, read: () => Promise.reject(error), abort };
  await assertRejects(() => proxy(waiting, broken));
  assertEquals(reasons, [error, error]);
});

test("proxy() throws the failure although aborting fails too", async () => {
  const error = new Error("Cannot read");
  const aborts = [
    () => {
      throw new Error("Cannot abort");
    },
    () => Promise.reject(new Error("Cannot abort")),
  ];
  for (const abort of aborts) {
    const broken = { ...noFlow, read: () => Promise.reject(error), abort };
    assertStrictEquals(await assertRejects(() => proxy(broken, broken)), error);
  }
});

test("proxy() aborts nothing where both directions have ended, and nothing that it refuses", async () => {
  let aborted = 0;
  const flow = { ...noFlow, abort: () => aborted++ };
  await proxy(flow, flow);
  await assertRejects(() => proxy(flow, { ...flow, shutdown: undefined } as unknown as typeof flow), TypeError);
  assertEquals(aborted, 0);
});

test("proxy() that fails leaves open what has no abort()", async () => {
  const { client, front, server, back } = proxied();
  const [pipeEnd, other] = pipe();
  const proxying = assertRejects(() => proxy(front, pipeEnd), NetError);
  client.abort();
  await proxying;
  await copyString("still open", pipeEnd);
  assertEquals(await readOnce(other), "still open");
  await Promise.all([server.close(), back.close()]);
});

const noFlow = {
  read: (_: Uint8Array) => Promise.resolve(null),
  write: (bytes: Uint8Array) => Promise.resolve(bytes.length),
  shutdown: () => Promise.resolve(),
};
