// Copyright 2026 the Sluice authors. MIT license.

/** Datagrams of 64 bytes: what it costs to give one back to each of 50 sockets, and to take them from one that sends as fast as it can. */
import { type Bench, together } from "./_bench.ts";
import { servedBench, type ServedPlan } from "./_served.ts";

const plan = { echo: false, unit: "µs", scale: 1e-3 } as const;

const roundTrip: ServedPlan = {
  ...plan,
  name: "UDP round trip",
  turns: { "UDP round trip, 50 sockets": { shape: "datagramRoundTrip", connections: 50 } },
  ours: [{ api: "recvMany and send", path: "servers/datagram_echo.ts", goal: 1.1 }],
  bare: [{ api: "node:dgram", path: "bare/node_datagram_echo.ts" }],
};

const oneWay: ServedPlan = {
  ...plan,
  name: "UDP one way",
  turns: { "UDP, one way": { shape: "datagramFlood", connections: 1 } },
  ours: [{ api: "recvMany", path: "servers/datagram_count.ts", goal: 1.1 }],
  bare: [{ api: "node:dgram", path: "bare/node_datagram_count.ts" }],
};

export const bench: Bench = together("UDP round trip, UDP one way", [servedBench(roundTrip), servedBench(oneWay)]);
