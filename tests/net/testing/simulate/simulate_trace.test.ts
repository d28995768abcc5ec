// Copyright 2026 the Sluice authors. MIT license.

/** Traces of simulations: their forms, and that the same seed yields the same one on every runtime. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { hostAddress, Switch, tcp } from "../../../../mod.ts";
import { formatTrace, type SimEvent, simulate } from "../../../../net/testing/mod.ts";
import { test } from "../../../_test.ts";
import { everything } from "./_everything.ts";
import { echoServer, serve } from "./_programs.ts";

/** When the scenario ends, what its clients saw, and the hash of the trace. */
const expected = [
  "2077.764682036289 33 33 33 9 33 33 33 timeout timeout 33 36 36",
  "33 33 9 timeout 33 0 0 0 33 21 36 36",
  "33 33 33 33 9 33 33 33 timeout 9 timeout 0 5e43767005281e18",
].join(" | ");

test("traceHash() of the same seed is the same on Deno, Bun and Node", async () => {
  const outcome = await simulate({ seed: 42 }, everything);
  // Changes with everything that changes what the library does in a simulation.
  assertEquals(outcome, expected);
  assertEquals(await simulate({ seed: 42, trace: 0 }, everything), outcome);
});

test("traceHash() differs between seeds", async () => {
  const hashes = new Set<string>();
  for (let seed = 0; seed < 5; seed++) hashes.add(await simulate({ seed }, everything));
  assertEquals(hashes.size, 5);
});

test("traceHash() of the same seed is the same while the process is busy", async () => {
  let isBusy = true;
  const work = (async () => {
    while (isBusy) {
      const end = performance.now() + 0.2;
      while (performance.now() < end);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  const busy = await simulate({ seed: 1 }, everything);
  isBusy = false;
  await work;
  assertEquals(await simulate({ seed: 1 }, everything), busy);
});

test("trace() is plain data, and keeps the latest events", async () => {
  const run = (trace?: number) =>
    simulate({ trace }, async (sim) => {
      sim.host("server", { main: echoServer });
      const client = sim.host("client");
      await Switch.run((sw) => client.net.connect(sw, hostAddress("server", 80), { linger: 0 }));
      await sim.run(10);
      return sim.trace();
    });
  const all = await run();
  assertEquals(all[1], { time: 0, host: "client", what: "lookup server" });
  assertEquals(all[2], {
    time: 0,
    host: "client",
    what: "send SYN",
    from: "tcp:10.0.0.2:32768",
    to: "tcp:10.0.0.1:80",
    bytes: 0,
  });
  assertEquals(JSON.parse(JSON.stringify(all)), all);
  assertEquals(await run(3), all.slice(-3));
  assertEquals(await run(0), []);
});

const events: SimEvent[] = [
  { time: 0, host: "a", what: "crash" },
  { time: 12.5, host: "bcd", what: "send DATA", from: "tcp:1.2.3.4:5", to: "tcp:1.2.3.5:6", bytes: 7 },
];

test("formatTrace() writes a line for each event", () => {
  assertEquals(
    formatTrace(events),
    " 0.000 a   crash\n12.500 bcd send DATA bcd:5 -> tcp:1.2.3.5:6 7 B",
  );
  assertEquals(formatTrace([]), "");
});

test("formatTrace() shows the addresses of hosts as their names, but one of several hosts as it is", () => {
  const loopback = { from: "udp:[::1]:7", to: "udp:[::1]:8" };
  const others: SimEvent[] = [
    { time: 13, host: "longer", what: "receive ACK", from: "tcp:1.2.3.4:5", to: "tcp:1.2.3.5:6" },
    { time: 14, host: "a", what: "send UDP", ...loopback, bytes: 1 },
    { time: 14, host: "bcd", what: "send UDP", ...loopback, bytes: 1 },
    { time: 15, host: "a", what: "heal", to: "bcd" },
  ];
  assertEquals(formatTrace([...events, ...others]).split("\n"), [
    " 0.000 a      crash",
    "12.500 bcd    send DATA   bcd:5 -> longer:6 7 B",
    "13.000 longer receive ACK bcd:5 -> longer:6",
    "14.000 a      send UDP    udp:[::1]:7 -> udp:[::1]:8 1 B",
    "14.000 bcd    send UDP    udp:[::1]:7 -> udp:[::1]:8 1 B",
    "15.000 a      heal -> bcd",
  ]);
});

test("formatTrace() writes JSON, and a trace for Perfetto with a track for each host", () => {
  assertEquals(JSON.parse(formatTrace(events, "json")), events);
  const { traceEvents } = JSON.parse(formatTrace(events, "chrome"));
  const names = traceEvents.filter(({ name }: { name: string }) => name === "thread_name");
  assertEquals(names.map(({ tid, args }: { tid: number; args: { name: string } }) => [tid, args.name]), [[1, "a"], [
    2,
    "bcd",
  ]]);
  const { name, ts, tid, args } = traceEvents.at(-1);
  assertEquals([name, ts, tid, args.bytes], ["send DATA", 12_500, 2, 7]);
  assertThrows(() => formatTrace(events, "xml" as never), TypeError, 'format must be "text", "json" or "chrome"');
});

test("trace() does not grow without bounds", async () => {
  await simulate({ trace: 100 }, async (sim) => {
    const server = sim.host("server");
    void server.fork(() => serve(server.net, (flow) => flow.close()));
    const client = sim.host("client");
    for (let i = 0; i < 100; i++) {
      await Switch.run((sw) => client.net.connect(sw, tcp(server.ip, 80), { linger: 0 }));
    }
    assertEquals(sim.trace().length, 100);
    assert(sim.clock.now() > 0);
  });
});
