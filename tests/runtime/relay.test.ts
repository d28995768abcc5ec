// Copyright 2026 the Sluice authors. MIT license.

/** What a client sees through a network that spoils what goes through it. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BufReader,
  copyString,
  type Net,
  NetError,
  readAll,
  runServer,
  type StreamSocket,
  Switch,
  TimeoutError,
  withTimeout,
  writeAll,
  yieldNow,
} from "../../mod.ts";
import { pattern } from "../../net/testing/_random.ts";
import { test } from "../_test.ts";
import { anyPort, assertNetError, signal, withNet } from "../net/_helpers.ts";
import { Relay, type Toxic } from "./_relay.ts";

/** Serves by `handler`, puts a relay before it, and runs `fn` with the network and where the relay is. */
async function through(
  toxic: Toxic | undefined,
  handler: (flow: StreamSocket) => unknown,
  fn: (net: Net, sw: Switch, relay: Relay) => Promise<void>,
): Promise<void> {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    sw.forkDaemon(() => runServer(listener, handler, { onError: () => {} }));
    await using relay = await new Relay(listener.address.port, toxic).start();
    await Switch.run((inner) => fn(net, inner, relay));
  });
}

const greet = (flow: StreamSocket) => copyString("hello", flow);

test("a relay without a toxic changes nothing", async () => {
  await through(undefined, (flow) => writeAll(flow, pattern(0, 300_000)), async (net, sw, relay) => {
    assertEquals(await readAll(await net.connect(sw, relay.address)), pattern(0, 300_000));
  });
});

test("latency: a read waits, can be given up, and loses nothing", async () => {
  const givenUp = signal();
  await through({ kind: "latency", ms: givenUp.promise }, greet, async (net, sw, relay) => {
    const flow = await net.connect(sw, relay.address);
    await assertRejects(() => withTimeout(net.clock, 5, () => flow.read(new Uint8Array(9))), TimeoutError);
    givenUp.resolve();
    assertEquals(new TextDecoder().decode(await readAll(flow)), "hello");
  });
});

test("bandwidth: a slow reader's relay holds up the writer, and all arrives", async () => {
  const size = 60_000;
  const sent = { bytes: 0 };
  const serve = async (flow: StreamSocket) => {
    for (; sent.bytes < size; sent.bytes += 1000) await writeAll(flow, pattern(sent.bytes, 1000));
  };
  await through({ kind: "bandwidth", bytes: 5000, ms: 1 }, serve, async (net, sw, relay) => {
    assertEquals(await readAll(await net.connect(sw, relay.address)), pattern(0, size));
  });
});

test("slow_close: the end comes late, and after all bytes", async () => {
  const givenUp = signal();
  await through({ kind: "slow_close", ms: givenUp.promise }, greet, async (net, sw, relay) => {
    const flow = await net.connect(sw, relay.address);
    const buffer = new Uint8Array(9);
    assertEquals(await flow.read(buffer), 5);
    await assertRejects(() => withTimeout(net.clock, 2, () => flow.read(buffer)), TimeoutError);
    givenUp.resolve();
    assertEquals(await flow.read(buffer), null);
  });
});

test("timeout: nothing ever comes, and withTimeout() ends the wait and the connection", async () => {
  await through({ kind: "timeout", ms: 0 }, greet, async (net, _, relay) => {
    const ask = () => Switch.run(async (sw) => await readAll(await net.connect(sw, relay.address)));
    await assertRejects(() => withTimeout(net.clock, 20, ask), TimeoutError);
  });
});

test("timeout: a connection that is closed without a word is an end", async () => {
  await through({ kind: "timeout", ms: 10 }, greet, async (net, sw, relay) => {
    assertEquals(await readAll(await net.connect(sw, relay.address)), new Uint8Array(0));
  });
});

test("reset_peer: a reset is connection_reset for reads and later for writes", async () => {
  await through({ kind: "reset_peer" }, greet, async (net, sw, relay) => {
    const flow = await net.connect(sw, relay.address);
    await assertNetError(() => readAll(flow), "connection_reset");
    await assertNetError(() => flow.write(Uint8Array.of(1)), "connection_reset");
  });
});

test("slicer: lines come whole, however they are cut", async () => {
  const lines = Array.from({ length: 50 }, (_, i) => `line ${i} äöü`);
  await through(
    { kind: "slicer", bytes: 3 },
    (flow) => copyString(lines.join("\r\n"), flow),
    async (net, sw, relay) => {
      const reader = new BufReader(await net.connect(sw, relay.address), { maxSize: 1024 });
      assertEquals(await Array.fromAsync(reader.lines()), lines);
    },
  );
});

test("limit_data: what was let through arrives, and then the end", async () => {
  await through(
    { kind: "limit_data", bytes: 1234 },
    (flow) => writeAll(flow, pattern(0, 5000)),
    async (net, sw, relay) => {
      assertEquals(await readAll(await net.connect(sw, relay.address)), pattern(0, 1234));
    },
  );
});

test("down: connections break, new ones are refused, and it works again afterwards", async () => {
  const wait = async (flow: StreamSocket) => {
    await greet(flow);
    await flow.read(new Uint8Array(1));
  };
  await through(undefined, wait, async (net, sw, relay) => {
    const flow = await net.connect(sw, relay.address);
    const buffer = new Uint8Array(9);
    await flow.read(buffer);
    await relay.spoil({ kind: "down" });
    await assertNetError(() => flow.read(buffer), "connection_reset");
    await assertNetError(() => net.connect(sw, relay.address), "connection_refused");
    await relay.spoil(undefined);
    assertEquals(await (await net.connect(sw, relay.address)).read(buffer), 5);
  });
});

test("a relay that stops at any time causes only failures, and leaves nothing open", async () => {
  const toxics: (Toxic | undefined)[] = [
    undefined,
    { kind: "slicer", bytes: 1000 },
    { kind: "reset_peer" },
    { kind: "limit_data", bytes: 100 },
    { kind: "timeout", ms: 3 },
    { kind: "latency", ms: 2 },
  ];
  await through(undefined, (flow) => writeAll(flow, pattern(0, 20_000)), async (net, _, relay) => {
    let whole = 0;
    for (let round = 0; round < 60; round++) {
      await relay.spoil(toxics[round % toxics.length]);
      relay.passed = 0;
      try {
        const got = await Switch.run(async (sw) => await readAll(await net.connect(sw, relay.address)));
        assertEquals(got, pattern(0, got.length));
        if (got.length === 20_000) whole++;
      } catch (error) {
        assert(error instanceof NetError, String(error));
      }
      await yieldNow();
    }
    assertEquals(whole, 30);
  });
});
