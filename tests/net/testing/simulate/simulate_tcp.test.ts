// Copyright 2026 the Sluice authors. MIT license.

/** TCP between simulated hosts. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { NetError, type NetErrorCode, readAll, type StreamSocket, Switch, tcp } from "../../../../mod.ts";
import { type Sim, type SimHost, type SimOptions, simulate } from "../../../../net/testing/mod.ts";
import { test } from "../../../_test.ts";
import { echoServer, readError, serve } from "./_programs.ts";

/** Runs `fn` with two hosts, a listener of the server, and a switch. */
function between(
  fn: (context: {
    sim: Sim;
    sw: Switch;
    client: SimHost;
    server: SimHost;
    /** Connects, and accepts the connection. */
    connect: () => Promise<[StreamSocket, StreamSocket]>;
  }) => Promise<void>,
  options: SimOptions = {},
): Promise<void> {
  return simulate(options, async (sim) => {
    const server = sim.host("server");
    const client = sim.host("client");
    await Switch.run(async (sw) => {
      const listener = await server.net.listen(sw, tcp(server.ip, 80), { linger: 0 });
      const connect = async (): Promise<[StreamSocket, StreamSocket]> => {
        const accepting = listener.accept(sw);
        return [await client.net.connect(sw, listener.address, { linger: 0 }), await accepting];
      };
      await fn({ sim, sw, client, server, connect });
    });
  });
}

function codeOf(error: unknown): NetErrorCode | undefined {
  return error instanceof NetError ? error.code : undefined;
}

async function connectError(sw: Switch, host: SimHost, ...at: Parameters<typeof tcp>): Promise<NetErrorCode> {
  return (await assertRejects(() => host.net.connect(sw, tcp(...at), { timeout: Infinity }), NetError)).code;
}

/** The kinds of packets in the trace, in order. */
function packets(sim: Sim, prefix = "send "): string[] {
  return sim.trace().filter(({ what }) => what.startsWith(prefix)).map(({ what }) => what.slice(prefix.length));
}

test("connect() takes a round trip of the link", () =>
  between(async ({ sim, client, server, connect }) => {
    await connect();
    assertEquals(sim.clock.now(), 3); // the server hears of it half a round trip later
    sim.link(client, server, { latency: 50 });
    const before = sim.clock.now();
    await connect();
    assertEquals(sim.clock.now() - before, 150);
  }));

test("connect() to a closed port is refused, and to an address without a host unreachable", () =>
  between(async ({ sim, sw, client }) => {
    assertEquals(await connectError(sw, client, "10.0.0.1", 81), "connection_refused");
    assertEquals(sim.clock.now(), 2);
    assertEquals(await connectError(sw, client, "10.9.9.9", 80), "host_unreachable");
    assertEquals(await connectError(sw, client, "2001:db8::1", 80), "network_unreachable");
  }));

test("connect() through a partition gives up like Linux, after 127 s", () =>
  between(async ({ sim, sw, client, server }) => {
    sim.partition(client, server);
    assertEquals(await connectError(sw, client, "10.0.0.1", 80), "connection_timeout");
    assertEquals(sim.clock.now(), 127_000);
    assertEquals(packets(sim), Array(7).fill("SYN"));
  }));

test("connect() fails at its own timeout, and leaves nothing behind", () =>
  between(async ({ sim, sw, client, server }) => {
    sim.partition(client, server, "oneway");
    const attempt = () => client.net.connect(sw, tcp(server.ip, 80), { timeout: 1500 });
    assertEquals((await assertRejects(attempt, NetError)).code, "connection_timeout");
    assertEquals(sim.clock.now(), 1500);
    assertEquals(sim.sockets().filter(({ host }) => host === "client"), []);
  }));

test("connect() waits while the backlog is full, and succeeds once it has room", () =>
  simulate({}, async (sim) => {
    const [server, client] = [sim.host("server"), sim.host("client")];
    await Switch.run(async (sw) => {
      const listener = await server.net.listen(sw, tcp(server.ip, 80), { backlog: 1, linger: 0 });
      await client.net.connect(sw, listener.address, { linger: 0 });
      sim.schedule(500, () => listener.accept(sw));
      await client.net.connect(sw, listener.address, { linger: 0 });
      assertEquals(sim.clock.now(), 1004); // the SYN is repeated after a second
      assertEquals(packets(sim, "drop "), ["SYN"]);
    });
  }));

test("write() waits for the reader: 64 KiB are sent, and 64 KiB are stored", () =>
  between(async ({ sim, connect }) => {
    const [one, other] = await connect();
    let written = 0;
    const writing = (async () => {
      while (written < 1_000_000) written += await one.write(new Uint8Array(Math.min(10_000, 1_000_000 - written)));
      await one.shutdown("send");
    })();
    await sim.run(10_000);
    assertEquals(written, 131_072);
    assertEquals(sim.sockets().map(({ unread }) => unread), [0, 65_536, 0]);
    assertEquals((await readAll(other)).length, 1_000_000);
    await writing;
  }));

test("write() is cut into segments whose sizes follow from the seed", async () => {
  const sizes = async (seed: number) => {
    let found: number[] = [];
    await between(async ({ sim, connect }) => {
      const [one, other] = await connect();
      await one.write(new Uint8Array(20_000));
      await one.shutdown("send");
      await readAll(other);
      found = sim.trace().filter(({ what }) => what === "send DATA").map(({ bytes }) => bytes as number);
    }, { seed });
    return found;
  };
  const [some, same, others] = [await sizes(1), await sizes(1), await sizes(2)];
  assertEquals(some, same);
  assert(String(some) !== String(others));
  assert(Math.max(...some) === 1460 && Math.min(...some) < 100 && some.length > 15, String(some));
});

test("link() with every fault delivers every byte once and in order", () =>
  between(async ({ sim, client, server, connect }) => {
    sim.link(client, server, { jitter: 5, loss: 0.2, duplicate: 0.2, reorder: 0.3, mtu: 600 });
    const [one, other] = await connect();
    const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => i * 31 ^ i >> 8);
    const writing = (async () => {
      for (let done = 0; done < bytes.length;) done += await one.write(bytes.subarray(done));
      await one.shutdown("send");
    })();
    assertEquals(await readAll(other), bytes);
    await writing;
    for (const fault of ["drop DATA", "duplicate DATA", "drop ACK"]) {
      assert(sim.trace().some(({ what }) => what === fault), fault);
    }
  }, { seed: 5 }));

test("link() with a bandwidth takes the time that the bytes need", () =>
  between(async ({ sim, client, server, connect }) => {
    const [one, other] = await connect();
    sim.link(client, server, { bandwidth: 10_000 });
    const start = sim.clock.now();
    const reading = readAll(other);
    for (let done = 0; done < 100_000;) done += await one.write(new Uint8Array(100_000 - done));
    await one.shutdown("send");
    await reading;
    const seconds = (sim.clock.now() - start) / 1000;
    assert(seconds > 10 && seconds < 12, `${seconds} s`);
  }));

test("partition() breaks a connection with bytes on their way after 15 repetitions", () =>
  between(async ({ sim, client, server, connect }) => {
    const [one, other] = await connect();
    sim.partition(client, server);
    await one.write(new Uint8Array(10));
    assertEquals(codeOf(await readError(one)), "connection_timeout");
    assert(sim.clock.now() > 600_000 && sim.clock.now() < 1_200_000, `${sim.clock.now()} ms`);
    other.abort();
  }));

test("partition() that is healed in time loses nothing", () =>
  between(async ({ sim, client, server, connect }) => {
    const [one, other] = await connect();
    for (let i = 0; i < 5; i++) {
      sim.partition(client, server, i % 2 === 0 ? "oneway" : "both");
      await one.write(Uint8Array.of(i));
      await sim.run(10_000);
      sim.heal(client, server);
      const buffer = new Uint8Array(9);
      assertEquals([await other.read(buffer), buffer[0]], [1, i]);
    }
  }));

test("partition() of an idle connection is found by keep-alive probes only", () =>
  between(async ({ sim, client, server, connect }) => {
    const [one, other] = await connect();
    one.setOption("SO_KEEPALIVE", true);
    one.setOption("TCP_KEEPIDLE", 10);
    one.setOption("TCP_KEEPINTVL", 1);
    one.setOption("TCP_KEEPCNT", 3);
    await sim.run(60_000);
    sim.partition(client, server);
    assertEquals(codeOf(await readError(one)), "connection_timeout");
    assert(sim.clock.now() < 60_000 + 10_000 + 4000, `${sim.clock.now()} ms`);
    other.abort();
  }));

test("hold() keeps packets in order until release()", () =>
  between(async ({ sim, client, server, connect }) => {
    const [one, other] = await connect();
    sim.hold(client, server);
    await one.write(Uint8Array.of(1));
    await sim.run(50);
    assertEquals(sim.sockets().map(({ unread }) => unread), [0, 0, 0]);
    sim.release(client, server);
    await other.read(new Uint8Array(1));
    assertEquals(sim.clock.now(), 53);
  }));

test("close() with unread bytes resets the peer", () =>
  between(async ({ sim, connect }) => {
    const [one, other] = await connect();
    await one.write(new Uint8Array(10));
    await sim.run(5);
    other.abort();
    assertEquals(codeOf(await readError(one)), "connection_reset");
  }));

test("write() to a peer that has closed is reset by its system", () =>
  between(async ({ sim, sw, client }) => {
    const server = sim.host("server");
    void server.fork(() => serve(server.net, (flow) => flow.close(), 81));
    const flow = await client.net.connect(sw, tcp(server.ip, 81), { linger: 0 });
    await sim.run(10_000);
    assertEquals(await flow.write(new Uint8Array(1)), 1);
    await sim.run(10);
    const error = await assertRejects(() => flow.write(new Uint8Array(1)), NetError);
    assertEquals(error.code, "connection_reset");
  }));

test("close() keeps the client's port in TIME_WAIT for a minute", () =>
  between(async ({ sim, sw, client, server, connect }) => {
    const [one, other] = await connect();
    const { local } = one;
    assert(local.transport === "tcp");
    await Promise.all([one.close(), (async () => (await sim.run(5), await other.close()))()]);
    await sim.run(10);
    assertEquals(sim.sockets().filter(({ host }) => host === "client").map(({ state }) => state), ["TIME_WAIT"]);
    const again = () => client.net.connect(sw, tcp(server.ip, 80), { bindTo: local, linger: 0 });
    assertEquals((await assertRejects(again, NetError)).code, "address_in_use");
    await sim.run(60_000);
    await again();
  }));

test("listen() on a port in use, and on a foreign address, fails", () =>
  between(async ({ sw, server }) => {
    const listen = async (ip: string) => (await assertRejects(() => server.net.listen(sw, tcp(ip, 80)), NetError)).code;
    assertEquals(await listen("0.0.0.0"), "address_in_use");
    assertEquals(await listen("10.0.0.2"), "address_not_available");
  }));

test("maxSockets limits what a host opens and accepts", () =>
  simulate({}, async (sim) => {
    const [server, client] = [sim.host("server", { maxSockets: 2 }), sim.host("client", { maxSockets: 3 })];
    await Switch.run(async (sw) => {
      const linger = 0;
      const listener = await server.net.listen(sw, tcp(server.ip, 80), { linger });
      const connect = () => client.net.connect(sw, listener.address, { linger });
      const flows = [await connect(), await connect(), await connect()];
      assertEquals((await assertRejects(connect, NetError)).code, "too_many_open_files");
      const first = await listener.accept(sw);
      assertEquals((await assertRejects(() => listener.accept(sw), NetError)).code, "too_many_open_files");
      await first.close();
      await listener.accept(sw);
      await flows[0].close();
      await connect();
    });
    await sim.run(1);
  }));

test("maxSockets counts no attempt that has failed", () =>
  simulate({}, async (sim) => {
    const [server, client] = [sim.host("server"), sim.host("client", { maxSockets: 1 })];
    await Switch.run(async (sw) => {
      for (let i = 0; i < 3; i++) {
        assertEquals(await connectError(sw, client, "10.0.0.1", 81), "connection_refused");
        assertEquals(await connectError(sw, client, "10.9.9.9", 81), "host_unreachable");
      }
      sim.partition(client, server);
      for (let i = 0; i < 3; i++) {
        await assertRejects(() => client.net.connect(sw, tcp(server.ip, 81), { timeout: 10 }), NetError);
      }
      sim.heal();
      const listener = await server.net.listen(sw, tcp(server.ip, 80));
      for (let i = 0; i < 3; i++) (await client.net.connect(sw, listener.address)).abort();
    });
  }));

test("close() is forgotten by the system if the peer never closes", () =>
  between(async ({ sim, connect }) => {
    const [one, other] = await connect();
    await one.close();
    await sim.run(1000);
    assertEquals(sim.sockets().map(({ state }) => state), ["LISTEN", "CLOSE_WAIT", "FIN_WAIT_2"]);
    await sim.run(60_000);
    assertEquals(sim.sockets().map(({ state }) => state), ["LISTEN", "CLOSE_WAIT"]);
    await other.write(new Uint8Array(1));
    assertEquals(codeOf(await readError(other)), undefined); // the end came first
    await sim.run(10);
    await assertRejects(() => other.write(new Uint8Array(1)), NetError, "connection reset");
  }));

test("sockets() shows the states of both ends", () =>
  between(async ({ sim, connect }) => {
    const states = () => sim.sockets().map(({ host, state }) => `${host} ${state}`);
    const [one, other] = await connect();
    assertEquals(states(), ["server LISTEN", "server ESTABLISHED", "client ESTABLISHED"]);
    await one.shutdown("send");
    await sim.run(5);
    assertEquals(states(), ["server LISTEN", "server CLOSE_WAIT", "client FIN_WAIT_2"]);
    await other.shutdown("send");
    assertEquals(states(), ["server LISTEN", "server LAST_ACK", "client FIN_WAIT_2"]);
    await sim.run(5);
    assertEquals(states(), ["server LISTEN", "client TIME_WAIT"]);
    assertEquals(sim.sockets()[1].peer, "tcp:10.0.0.1:80");
  }));

test("sockets() is empty when everything has ended and a minute has passed", () =>
  simulate({ link: { loss: 0.1 } }, async (sim) => {
    const server = sim.host("server");
    const client = sim.host("client");
    void server.fork(() => echoServer(server));
    await sim.run(1);
    for (let i = 0; i < 20; i++) {
      await Switch.run(async (sw) => {
        const flow = await client.net.connect(sw, tcp(server.ip, 80));
        await flow.write(new Uint8Array(100));
        await flow.shutdown("send");
        assertEquals((await readAll(flow)).length, 100);
      });
    }
    await sim.run(400_000);
    assertEquals(sim.sockets().map(({ state }) => state), ["LISTEN"]);
  }));
