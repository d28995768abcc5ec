// Copyright 2026 the Sluice authors. MIT license.

/** Crashes, restarts and pauses of simulated hosts, and their Unix sockets and datagrams. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { awaitCancel, Cancelled, IpAddress, NetError, readAll, Switch, tcp, udp, unix } from "../../../../mod.ts";
import { openCounts, type Sim, type SimHost, simulate } from "../../../../net/testing/mod.ts";
import { test } from "../../../_test.ts";
import { echoServer, readError, serve } from "./_programs.ts";

function codeOf(error: unknown): string | undefined {
  return error instanceof NetError ? error.code : undefined;
}

/** Sends bytes to port 80 of a host, and returns what comes back. */
function ask(client: SimHost, server: SimHost, bytes: Uint8Array): Promise<Uint8Array> {
  return client.fork(() =>
    Switch.run(async (sw) => {
      const flow = await client.net.connect(sw, tcp(server.ip, 80));
      await flow.write(bytes);
      await flow.shutdown("send");
      return await readAll(flow);
    })
  );
}

test("crash() sends nothing, and cancels the host's fibers", () =>
  simulate({}, async (sim) => {
    let reason: unknown;
    const server = sim.host("server", {
      main: async (host) => {
        try {
          await echoServer(host);
        } catch (error) {
          reason = error;
          throw error;
        }
      },
    });
    const client = sim.host("client");
    await Switch.run(async (sw) => {
      const flow = await client.net.connect(sw, tcp(server.ip, 80), { linger: 0 });
      await sim.run(5);
      const { length } = sim.trace();
      sim.crash(server);
      await sim.run(100_000);
      assert(reason instanceof Cancelled, String(reason));
      assertEquals(sim.trace().slice(length).map(({ what }) => what), ["crash"]);
      assertEquals(sim.sockets().map(({ host }) => host), ["client"]);
      flow.abort();
    });
    assertThrows(() => server.fork(() => {}), Error, 'Cannot fork on host "server": it is down');
    const error = await assertRejects(() => Switch.run((sw) => server.net.connect(sw, tcp(client.ip, 80))), NetError);
    assertEquals(error.code, "network_unreachable");
  }));

test("crash() makes connections to the host time out", () =>
  simulate({}, async (sim) => {
    const server = sim.host("server", { main: echoServer });
    const client = sim.host("client");
    await Switch.run(async (sw) => {
      const flow = await client.net.connect(sw, tcp(server.ip, 80), { linger: 0 });
      sim.crash(server);
      await flow.write(new Uint8Array(1));
      assertEquals(codeOf(await readError(flow)), "connection_timeout");
    });
  }));

test("crash() breaks sockets that code outside the host uses", () =>
  simulate({}, async (sim) => {
    const server = sim.host("server", { main: echoServer });
    const client = sim.host("client");
    await Switch.run(async (sw) => {
      const flow = await client.net.connect(sw, tcp(server.ip, 80), { linger: 0 });
      const local = await client.net.listen(sw, unix("/run/x"));
      const one = await client.net.connect(sw, local.address);
      sim.schedule(100, () => sim.crash(client));
      assertEquals(codeOf(await readError(flow)), "connection_reset");
      assertEquals(codeOf(await readError(one)), "connection_reset");
      assertEquals(sim.clock.now(), 100);
    });
    assertEquals(openCounts().sockets, 1); // the server's end, which has heard nothing
  }));

test("restart() starts main again, with the port free, and resets connections of the former life", () =>
  simulate({}, async (sim) => {
    let lives = 0;
    const server = sim.host("server", { main: (host) => (lives++, echoServer(host)) });
    const client = sim.host("client");
    await Switch.run(async (sw) => {
      const flow = await client.net.connect(sw, tcp(server.ip, 80), { linger: 0 });
      sim.crash(server);
      await flow.write(new Uint8Array(1));
      await sim.run(500);
      sim.restart(server);
      assertEquals(codeOf(await readError(flow)), "connection_reset");
    });
    assertEquals(lives, 2);
    assertEquals(await ask(client, server, Uint8Array.of(7)), Uint8Array.of(7));
    sim.restart(server);
    assertEquals(await ask(client, server, Uint8Array.of(8)), Uint8Array.of(8));
    assertEquals(lives, 3);
  }));

test("fork() on a host that crashes rejects with Cancelled if it is awaited", () =>
  simulate({}, async (sim) => {
    const host = sim.host("a");
    sim.schedule(1, () => sim.crash(host));
    await assertRejects(() => host.fork(() => awaitCancel()), Cancelled);
  }));

test("pause() stops a host's program, not its system", () =>
  simulate({}, async (sim) => {
    const wakes: number[] = [];
    const server = sim.host("server", {
      main: async (host) => {
        void host.fork(() => echoServer(host));
        for (let i = 1; i < 4; i++) {
          await host.clock.sleepUntil(i * 100);
          wakes.push(sim.clock.now());
        }
      },
    });
    const client = sim.host("client");
    await Switch.run(async (sw) => {
      const flow = await client.net.connect(sw, tcp(server.ip, 80), { linger: 0 });
      await sim.run(50);
      sim.pause(server, 200);
      const start = sim.clock.now();
      await flow.write(new Uint8Array(1));
      await sim.run(5);
      assert(sim.trace().some(({ what, host, time }) => what === "receive ACK" && host === "client" && time > start));
      await flow.read(new Uint8Array(1));
      assertEquals(sim.clock.now(), start + 201);
      await sim.run(100);
      assertEquals(wakes, [start + 200, start + 200, 300]);
      flow.abort();
    });
  }));

test("crash() of a paused host ends its program at once, and restart() is not paused", () =>
  simulate({}, async (sim) => {
    const ends: number[] = [];
    const host = sim.host("a", {
      main: async ({ clock }) => {
        try {
          await clock.sleep(10);
        } finally {
          ends.push(sim.clock.now());
        }
      },
    });
    sim.pause(host, 1000);
    await sim.run(50);
    assertEquals(ends, []);
    sim.crash(host);
    await sim.run(50);
    assertEquals(ends, [50]);
    sim.restart(host);
    await sim.run(50);
    assertEquals(ends, [50, 110]);
  }));

test("datagramSocket() loses, doubles and reorders datagrams as its link does", () =>
  simulate({ seed: 3 }, async (sim) => {
    const [a, b] = [sim.host("a"), sim.host("b")];
    await Switch.run(async (sw) => {
      const receiver = await b.net.datagramSocket(sw, udp(b.ip, 53));
      const sender = await a.net.datagramSocket(sw, "udp4");
      const send = async () => {
        for (let i = 0; i < 200; i++) {
          await sender.send(Uint8Array.of(i), receiver.local);
          await sim.run(1);
        }
        await sim.run(50);
        return (await receiver.recvMany()).map(({ data }) => data[0]);
      };
      assertEquals(await send(), Array.from({ length: 200 }, (_, i) => i));
      sim.link(a, b, { loss: 0.2, duplicate: 0.2, reorder: 0.2, jitter: 2 });
      const got = await send();
      const kinds = new Set(got);
      assert(kinds.size < 190 && kinds.size > 120, `${kinds.size} of 200 arrived`);
      assert(got.length > kinds.size, "none was doubled");
      assert(got.some((value, i) => i > 0 && value < got[i - 1]), "none was overtaken");
    });
  }));

test("datagramSocket() loses a large datagram with any of its fragments", () =>
  simulate({ seed: 3, link: { loss: 0.1, mtu: 1000 } }, async (sim) => {
    const [a, b] = [sim.host("a"), sim.host("b")];
    await Switch.run(async (sw) => {
      const receiver = await b.net.datagramSocket(sw, udp(b.ip, 53));
      const sender = await a.net.datagramSocket(sw, "udp4");
      const count = async (size: number) => {
        for (let i = 0; i < 50; i++) await sender.send(new Uint8Array(size), receiver.local);
        await sim.run(50);
        return (await receiver.recvMany()).length;
      };
      const [small, large] = [await count(10), await count(10_000)];
      assert(small > 35 && large < 30, `${small} and ${large} of 50`);
      await assertRejects(() => sender.send(new Uint8Array(70_000), receiver.local), NetError, "too large");
    });
  }));

test("datagramSocket() that is connected learns that its peer's port is closed", () =>
  simulate({}, async (sim) => {
    const [a, b] = [sim.host("a"), sim.host("b")];
    await Switch.run(async (sw) => {
      const socket = await a.net.datagramSocket(sw, "udp4", { remote: udp(b.ip, 53) });
      await socket.send(new Uint8Array(1));
      const error = await assertRejects(() => socket.recv(new Uint8Array(1)), NetError);
      assertEquals([error.code, sim.clock.now()], ["connection_refused", 2]);
      const loose = await a.net.datagramSocket(sw, "udp4");
      await loose.send(new Uint8Array(1), udp(b.ip, 53));
      await loose.send(new Uint8Array(1), udp("10.9.9.9", 53));
    });
  }));

test("datagramSocket() drops what its full queue cannot hold", () =>
  simulate({}, async (sim) => {
    const [a, b] = [sim.host("a"), sim.host("b")];
    await Switch.run(async (sw) => {
      const receiver = await b.net.datagramSocket(sw, udp(b.ip, 53));
      const sender = await a.net.datagramSocket(sw, "udp4");
      for (let i = 0; i < 1100; i++) await sender.send(new Uint8Array(1), receiver.local);
      await sim.run(10);
      assertEquals([receiver.dropped, sim.sockets()[1].unread], [76, 1024]);
    });
  }));

test("listen() on a Unix path is for the own host only", () =>
  simulate({}, async (sim) => {
    const [a, b] = [sim.host("a"), sim.host("b")];
    await Switch.run(async (sw) => {
      const listener = await a.net.listen(sw, unix("/run/app"));
      await a.net.connect(sw, listener.address);
      await listener.accept(sw);
      const error = await assertRejects(() => b.net.connect(sw, listener.address), NetError);
      assertEquals(error.code, "not_found");
    });
  }));

/** Asks a host for the addresses of a name, and returns them or the resolver's code. */
async function lookup(host: SimHost, name: string): Promise<string> {
  try {
    return (await host.net.getAddrInfo(name, { type: "stream" })).map((at) => at.transport === "tcp" ? at.ip : "")
      .join();
  } catch (error) {
    return error instanceof NetError ? `${error.lookupCode}` : String(error);
  }
}

test("dns resolves the names of hosts, and what is set", () =>
  simulate({}, async (sim: Sim) => {
    const a = sim.host("a", { ip6: "2001:db8::1" });
    const web = sim.host("Web.example", { ip: "192.0.2.7" });
    const { dns } = sim;
    assertEquals(await lookup(a, "web.EXAMPLE."), "192.0.2.7");
    assertEquals(await lookup(web, "a"), "2001:db8::1,10.0.0.1");
    assertEquals(await lookup(a, "localhost"), "::1,127.0.0.1");
    assertEquals(await lookup(a, "none"), "NONAME");
    dns.set("web.example", { a: ["10.0.0.9", IpAddress.parse("10.0.0.8")], aaaa: ["2001:db8::9"] });
    assertEquals(await lookup(a, "web.example"), "2001:db8::9,10.0.0.9,10.0.0.8");
    for (const fail of ["NONAME", "AGAIN", "FAIL"] as const) {
      dns.set("web.example", { fail });
      assertEquals(await lookup(a, "web.example"), fail);
    }
    dns.set("_http._tcp.web.example", { srv: [{ name: "a", port: 80, priority: 0, weight: 0 }] });
    assertEquals(await lookup(a, "_http._tcp.web.example"), "NODATA");
    assertEquals((await a.net.getServices("_http._tcp.web.example")).map(({ name, port }) => [name, port]), [[
      "a",
      80,
    ]]);
    assertEquals((await a.net.getNameInfo(tcp("192.0.2.7", 80))).hostname, "Web.example");
  }));

test("dns asks a function each time, takes its delay, and remembers for the ttl", () =>
  simulate({}, async (sim) => {
    const a = sim.host("a");
    const asked: string[] = [];
    let count = 0;
    sim.dns.set("b", ({ name, type, host }) => {
      asked.push(`${host} ${type} ${name}`);
      return { a: [`10.1.0.${++count}`], ttl: count > 2 ? 1000 : 0 };
    }, { delay: 30 });
    assertEquals([await lookup(a, "b"), sim.clock.now()], ["10.1.0.1", 30]);
    assertEquals([await lookup(a, "b"), await lookup(a, "b"), await lookup(a, "B")], [
      "10.1.0.2",
      "10.1.0.3",
      "10.1.0.3",
    ]);
    await sim.run(1000);
    assertEquals(await lookup(a, "b"), "10.1.0.4");
    assertEquals(asked, Array(4).fill("a address b"));
    sim.restart(a); // forgets
    assertEquals(await lookup(a, "b"), "10.1.0.5");
  }));

test("dns set() checks its arguments", () =>
  simulate({}, ({ dns }) => {
    assertThrows(() => dns.set("a b", {}), SyntaxError);
    assertThrows(() => dns.set("a", { a: ["::1"] }), TypeError, "a must have IPv4 addresses");
    assertThrows(() => dns.set("a", { fail: "NOPE" as never }), TypeError, 'fail must be "NONAME", "AGAIN" or "FAIL"');
    assertThrows(() => dns.set("a", null as never), TypeError);
    assertThrows(() => dns.set("a", {}, { delay: -1 }), RangeError);
    return Promise.resolve();
  }));

test("connect() to a name with a dead first address falls through to the next", () =>
  simulate({}, async (sim) => {
    const [dead, live, client] = [sim.host("dead"), sim.host("live", { main: echoServer }), sim.host("client")];
    sim.crash(dead);
    sim.dns.set("db", { a: [dead.ip, live.ip] });
    await Switch.run(async (sw) => {
      const flow = await client.net.connect(sw, { transport: "host", name: "db", port: 80 }, { linger: 0 });
      assertEquals(sim.clock.now(), 252); // RFC 8305: the next attempt after 250 ms
      flow.abort();
    });
    void serve;
  }));
