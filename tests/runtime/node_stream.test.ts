// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertRejects } from "@std/assert";
import { both, NetError, readable, readAll, readExact, run, Switch, tcp, withTimeout, writeAll } from "@sluice/io";
import { test } from "../_test.ts";

test("write() to a connection that was reset fails, and does not take bytes forever", () =>
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

test("close() delivers what was taken although there is unread input", () =>
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

test("write() that the system has not taken keeps its bytes while other connections write", () =>
  run(({ net }) =>
    Switch.run(async (sw) => {
      const listener = await net.listen(sw, tcp("127.0.0.1", 0));
      const dial = () => both(() => net.connect(sw, listener.address), () => listener.accept(sw));
      const [slow, reader] = await dial();
      const [quick, echo] = await dial();
      const total = 32 * 1024 * 1024; // more than the system takes without a reader
      const [ones, twos] = [1, 2].map((byte) => new Uint8Array(64 * 1024).fill(byte));
      const exchange = () => both(() => writeAll(quick, twos), () => readExact(echo, new Uint8Array(twos.length)));
      await writeAll(slow, ones);
      await exchange();
      const writing = sw.forkPromise(async () => {
        for (let left = total; left > 0;) left -= await slow.write(ones.subarray(0, left));
        await slow.shutdown("send");
      });
      for (let i = 0; i < 300; i++) await exchange();
      const got = await readAll(reader);
      await writing;
      assertEquals([got.length, got.findIndex((byte) => byte !== 1)], [total + ones.length, -1]);
    })
  ));
