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
}

/** A bench of code in one process, which `bench/inner/main.ts` measures. */
export interface InnerBench {
  readonly name: string;
  /** A file below `bench/inner/` that exports `cases`. */
  readonly file: string;
  /** Whether the bytes that a call allocates are measured instead of its time. */
  readonly memory?: boolean | undefined;
}

const echoes = { "node:net": "node.ts echo", "Deno.listen": "deno.ts echo", "Bun.listen": "bun.ts echo" };
const pipes = { "node:net pipe": "node.ts pipe", "Deno.listen": "deno.ts echo", "Bun.listen": "bun.ts echo" };

/** Every bench of servers. `many` is how many connections are many. */
export function networkBenches(many: number): NetworkBench[] {
  const onMany = (api: string, program: string): NetworkBench => ({
    name: "round trip on many connections",
    shape: "roundTrip",
    connections: many,
    unit: "µs",
    ours: { [`${api}, ${many} connections`]: program },
    beside: { [`${api}, 10 connections`]: { program, connections: 10 } },
    checked: true,
  });
  return [
    {
      name: "64-byte round trip, 50 connections",
      shape: "roundTrip",
      connections: 50,
      unit: "µs",
      ours: { "read/write loop": "ours.ts echo" },
      beside: echoes,
      checked: true,
    },
    {
      name: "bulk echo, 4 connections",
      shape: "bulk",
      connections: 4,
      unit: "ms/MB",
      ours: { "copy(flow, flow)": "ours.ts copy", "read/write loop": "ours.ts echo" },
      beside: pipes,
      checked: true,
      memory: true,
    },
    {
      name: "relay, 2 pairs of connections",
      shape: "relay",
      connections: 4,
      unit: "ms/MB",
      ours: { "proxy: copy both ways": "ours.ts relay" },
      beside: {
        "node:net pipe": "node.ts relay",
        "web pipeTo": "node.ts web_relay",
        "Deno.listen": "deno.ts relay",
        "Bun.listen": "bun.ts relay",
      },
    },
    {
      name: "metered copy, 4 connections",
      shape: "bulk",
      connections: 4,
      unit: "ms/MB",
      ours: { "copy(flow, flow), metered": "ours.ts metered_copy" },
      beside: { "copy(flow, flow)": "ours.ts copy" },
      checked: true,
    },
    {
      name: "metered relay, 2 pairs of connections",
      shape: "relay",
      connections: 4,
      unit: "ms/MB",
      ours: { "proxy, metered": "ours.ts metered_relay" },
      beside: { "proxy": "ours.ts relay" },
    },
    {
      name: "connect, one echo, close",
      shape: "connectClose",
      connections: 16,
      unit: "µs",
      ours: { "runServer, copy": "ours.ts copy" },
      beside: echoes,
      checked: true,
    },
    {
      name: "1 KiB copied, 50 connections",
      shape: "roundTrip",
      connections: 50,
      size: 1024,
      unit: "µs",
      ours: { "copy(flow, flow)": "ours.ts copy" },
      beside: pipes,
      checked: true,
    },
    onMany("read/write loop", "ours.ts echo"),
    onMany("node:net", "node.ts echo"),
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
      shape: "datagrams",
      connections: 50,
      unit: "µs",
      ours: { "recvMany and send": "ours.ts datagram_echo" },
      beside: { "node:dgram": "node.ts datagram_echo" },
    },
    {
      name: "UDP, one way",
      shape: "datagramFlood",
      connections: 1,
      unit: "µs",
      ours: { "recvMany": "ours.ts datagram_count" },
      beside: { "node:dgram": "node.ts datagram_count" },
    },
    {
      name: "Unix socket round trip, 50 connections",
      shape: "roundTrip",
      connections: 50,
      unit: "µs",
      ours: { "read/write loop": "ours.ts echo" },
      beside: echoes,
      checked: true,
      unix: true,
    },
    {
      name: "HTTP-like service, 100 connections",
      shape: "http",
      connections: 100,
      unit: "µs",
      ours: { "BufReader and BufWriter": "ours.ts http" },
      beside: { "node:http": "node.ts http", "Deno.serve": "deno.ts http", "Bun.serve": "bun.ts http" },
    },
  ];
}

/** Every bench of code in one process. */
export const innerBenches: readonly InnerBench[] = [
  { name: "check, not cancelled", file: "check.ts" },
  { name: "check, not cancelled: memory", file: "check.ts", memory: true },
  { name: "scopes, first, timeout", file: "scopes.ts" },
  { name: "lines", file: "lines.ts" },
  { name: "small writes", file: "small_writes.ts" },
  { name: "simulations", file: "simulate.ts" },
];
