// Copyright 2026 the Sluice authors. MIT license.

/** What is measured: one description for each bench. */

/**
 * A program of a file below `bench/servers/`: `node.ts echo`. `deno.ts` and `bun.ts` run on their
 * own runtime only.
 */
export interface Place {
  readonly program: string;
  /** The default is the bench's. */
  readonly connections?: number | undefined;
}

/** A bench of servers. */
export interface NetworkBench {
  readonly name: string;
  /** The load, as `load.c` names it, and how many connections it makes. */
  readonly shape: string;
  readonly connections: number;
  /** How long a message is, in bytes. The default is 64. */
  readonly size?: number | undefined;
  /**
   * CPU time for an operation, CPU time for a megabyte, or bytes of memory for an idle connection.
   */
  readonly unit: "µs" | "ms/MB" | "B";
  /** Programs by the names of what they show. */
  readonly ours: Readonly<Record<string, string | Place>>;
  readonly beside: Readonly<Record<string, string | Place>>;
  /**
   * Whether the servers echo, and are checked before they are timed. The load checks every reply of
   * the others too.
   */
  readonly checked?: boolean | undefined;
  /** Whether they serve at a Unix path. */
  readonly unix?: boolean | undefined;
  /** Whether their peak memory is compared too. */
  readonly memory?: boolean | undefined;
  /** Whether time on the clock is measured, with every core for the server. */
  readonly clock?: boolean | undefined;
}

/** A bench of code in one process, which `bench/inner/main.ts` measures. */
export interface InnerBench {
  readonly name: string;
  /** A file below `bench/inner/`. */
  readonly file: string;
  /** What the file exports the cases as. The default is `cases`. */
  readonly cases?: string | undefined;
  /** The APIs whose peak memory is measured instead: ours, and the other one. */
  readonly peaks?: readonly [ours: string, beside: string] | undefined;
}

const echoes = { "node:net": "node.ts echo", "Deno.listen": "deno.ts echo", "Bun.listen": "bun.ts echo" };
/** What awaiting costs there: on Deno the bare API has promises itself. */
const promises = {
  ...echoes,
  "node:net, promises": "node.ts promise_echo",
  "Bun.listen, promises": "bun.ts promise_echo",
};
const pipes = { "node:net pipe": "node.ts pipe", "Deno.listen": "deno.ts echo", "Bun.listen": "bun.ts echo" };

const loop = { "read/write loop": "ours.ts echo" };
const copying = { "copy(flow, flow)": "ours.ts copy" };

/** Every connection waits for the echo of its message, and sends the next. */
const fifty = { shape: "roundTrip", connections: 50, unit: "µs", checked: true } as const;
const bulk = { shape: "bulk", connections: 4, unit: "ms/MB", checked: true } as const;

/** Every bench of servers. `many` is how many connections are many. */
export function networkBenches(many: number): NetworkBench[] {
  const onMany = (api: string, program: string): NetworkBench => ({
    name: "round trip on many connections",
    ...fifty,
    connections: many,
    ours: { [`${api}, ${many} connections`]: program },
    beside: { [`${api}, 10 connections`]: { program, connections: 10 } },
  });
  return [
    { name: "64-byte round trip, 50 connections", ...fifty, ours: loop, beside: promises },
    { name: "bulk echo, 4 connections", ...bulk, ours: { ...copying, ...loop }, beside: pipes, memory: true },
    {
      name: "relay, 2 pairs of connections",
      shape: "relay",
      connections: 4,
      unit: "ms/MB",
      ours: { "proxy: copy both ways": "ours.ts relay" },
      beside: {
        "node:net pipe": "node.ts relay",
        "Deno.listen": "deno.ts relay",
        "Bun.listen": "bun.ts relay",
      },
    },
    {
      name: "connect, one echo, close",
      ...fifty,
      shape: "connectClose",
      connections: 16,
      ours: { "runServer, copy": "ours.ts copy" },
      beside: echoes,
    },
    { name: "1 KiB copied, 50 connections", ...fifty, size: 1024, ours: copying, beside: pipes },
    onMany("read/write loop", "ours.ts echo"),
    onMany("node:net", "node.ts echo"),
    onMany("Deno.listen", "deno.ts echo"),
    onMany("Bun.listen", "bun.ts echo"),
    {
      name: `idle connection, one of ${many}: memory`,
      shape: "hold",
      connections: many,
      unit: "B",
      ours: { "waiting in readable": "ours.ts idle_readable", "waiting in a BufReader": "ours.ts idle_reader" },
      beside: echoes,
    },
    {
      name: "UDP round trip, 50 sockets",
      ...fifty,
      shape: "datagrams",
      checked: false,
      ours: { "recvMany and send": "ours.ts datagram_echo" },
      beside: { "node:dgram": "node.ts datagram_echo" },
    },
    { name: "Unix socket round trip, 50 connections", ...fifty, unix: true, ours: loop, beside: promises },
    {
      name: "operated: round trip, 50 connections",
      ...fifty,
      ours: {
        "time limits and perPeer": "operated.ts limited",
        "a monitor": "operated.ts monitored",
        "observed": "operated.ts observed",
        "unobserved": "operated.ts unobserved",
        "a pool": "operated.ts pooled",
      },
      beside: { "read/write loop": "operated.ts bare" },
    },
    {
      name: "workers: a handler that computes, 16 connections",
      ...fifty,
      connections: 16,
      checked: false,
      clock: true,
      ours: { "2 workers": "operated.ts workers2" },
      beside: { "1 worker": "operated.ts workers1" },
    },
  ];
}

/** Every bench of code in one process. */
export const innerBenches: readonly InnerBench[] = [
  { name: "scopes, first, timeout", file: "scopes.ts" },
  { name: "lines", file: "lines.ts" },
  { name: "small writes", file: "small_writes.ts" },
  { name: "metered copy", file: "metered.ts" },
  { name: "fetch, small GET kept alive", file: "fetch.ts", cases: "small" },
  { name: "fetch, 64 MiB body", file: "fetch.ts", cases: "large" },
  { name: "fetch, 64 MiB body: resident memory", file: "fetch.ts", cases: "large", peaks: ["createFetch", "fetch"] },
  { name: "fetch, 512 MiB body: resident memory", file: "fetch.ts", cases: "huge", peaks: ["createFetch", "fetch"] },
  { name: "simulations", file: "simulate.ts" },
];
