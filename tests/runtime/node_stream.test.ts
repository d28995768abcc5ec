// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertRejects } from "@std/assert";
import { NetError, readable, readAll, run, Switch, tcp, withTimeout, writeAll } from "@sluice/io";
import { test } from "../_test.ts";

test("write() to a connection that was reset fails, and does not take bytes for ever", () =>
  run((env) =>
    Switch.run(async (sw) => {
      const listener = await env.net.listen(sw, tcp("127.0.0.1", 0));
      const accepting = sw.forkPromise(() => listener.accept(sw));
      const flow = await env.net.connect(sw, listener.address);
      const other = await accepting;
      const bytes = new Uint8Array(64 * 1024);
      await assertRejects(() =>
        withTimeout(env.clock, 200, async () => {
          while (true) await flow.write(bytes);
        })
      );
      sw.fork(async () => {
        await env.clock.sleep(50);
        other.abort();
      });
      await assertRejects(() =>
        flow.write(bytes).then(async () => {
          for (let i = 0; i < 1000; i++) await flow.write(bytes);
          throw new Error("taken");
        }), NetError);
    })
  ));

test("close() of a cancelled connection ends while the end of stream is on its way", () =>
  run((env) =>
    Switch.run(async (sw) => {
      const listener = await env.net.listen(sw, tcp("127.0.0.1", 0));
      const accepting = sw.forkPromise(() => listener.accept(sw));
      await Switch.run(async (inner) => {
        const flow = await env.net.connect(inner, listener.address);
        await accepting;
        inner.fork(() => flow.shutdown("send"));
        inner.fail(new Error("enough"));
      }).catch((error) => assertEquals(error.message, "enough"));
    })
  ));

test("close() delivers what was taken although there is input that nobody has read", () =>
  run((env) =>
    Switch.run(async (sw) => {
      const listener = await env.net.listen(sw, tcp("127.0.0.1", 0));
      const accepting = sw.forkPromise(() => listener.accept(sw));
      const client = await env.net.connect(sw, listener.address);
      const server = await accepting;
      await writeAll(server, new Uint8Array(100_000));
      const received = sw.forkPromise(() => readAll(server));
      await readable(client);
      await writeAll(client, new Uint8Array(1_000_000));
      await client.close();
      assertEquals((await received).length, 1_000_000);
    })
  ));
