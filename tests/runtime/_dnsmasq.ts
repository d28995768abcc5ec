// Copyright 2026 the Sluice authors. MIT license.

/** DNS servers on loopback: a real dnsmasq, and one whose every answer is the test's. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type Net, run, udp, type UdpAddress } from "../../mod.ts";
import { ownPort } from "../net/_helpers.ts";
import { Peer } from "./_peers.ts";

/** The program that {@linkcode withDnsmasq} needs. */
export const dnsmasq = "dnsmasq";

/** What dnsmasq is told on its command line, whatever the records: it answers for `test` and `arpa` alone, and refuses the rest. */
const alone = [
  "--conf-file=/dev/null",
  "--no-resolv",
  "--no-hosts",
  "--no-daemon",
  "--pid-file=",
  "--listen-address=127.0.0.1",
  "--bind-interfaces",
  "--local=/test/",
  "--local=/arpa/",
];

/** Runs `fn` with a dnsmasq that has `records`, written as its options: `"host-record=a.test,10.0.0.1"`. */
export async function withDnsmasq<T>(records: readonly string[], fn: (server: UdpAddress) => Promise<T>): Promise<T> {
  for (let tries = 0;; tries++) {
    const port = ownPort();
    await using peer = new Peer(dnsmasq, [...alone, `--port=${port}`, ...records.map((record) => `--${record}`)]);
    if (!await started(peer)) {
      if (tries < 5 && peer.errors.includes("Address already in use")) continue;
      throw new Error(`Cannot start dnsmasq: ${peer.errors}`);
    }
    return await fn(udp("127.0.0.1", port));
  }
}

async function started(peer: Peer): Promise<boolean> {
  let over = false;
  peer.ended.finally(() => over = true).catch(() => {});
  while (!over && !peer.errors.includes("started, version")) await new Promise((resolve) => setTimeout(resolve, 2));
  return !over;
}

/** One question. */
export interface Question {
  /** Answers it from another port than the server's, as an attacker would. */
  forge(ips: readonly string[]): Promise<void>;
  /** The name, in lower case. */
  name: string;
  type: "A" | "AAAA" | "SRV" | "PTR" | "other";
}

/** What {@linkcode withNameServer} answers: addresses, an error's number (2 is SERVFAIL), that they are too many for a datagram, raw bytes, or nothing at all. */
export type Answer = readonly string[] | number | "truncated" | Uint8Array | undefined;

/** Runs `fn` with a server that answers by `answer`, which may take its time. */
export async function withNameServer<T>(
  answer: (question: Question) => Answer | Promise<Answer>,
  fn: (server: UdpAddress) => Promise<T>,
  port = 0,
): Promise<T> {
  const socket = createSocket("udp4");
  socket.on("message", async (query, { address, port }) => {
    const { end, ...question } = parse(query);
    const forge = (ips: readonly string[]) => sendFrom(respond(query.subarray(0, end), ips), port);
    const given = await answer({ ...question, forge });
    if (given === undefined) return;
    const reply = given instanceof Uint8Array ? given : respond(query.subarray(0, end), given);
    socket.send(reply, port, address, () => {}); // nobody may be left to hear it
  });
  socket.bind(port, "127.0.0.1");
  await once(socket, "listening");
  try {
    return await fn(udp("127.0.0.1", socket.address().port));
  } finally {
    socket.close();
    await once(socket, "close");
  }
}

/** Runs `fn` with a network whose names come from `server`. */
export function withNames<T>(server: UdpAddress, fn: (net: Net) => Promise<T>): Promise<T> {
  return run((env) => fn(env.net), { nameServers: [server] });
}

const types: Record<number, Question["type"]> = { 1: "A", 28: "AAAA", 33: "SRV", 12: "PTR" };

/** Sends a datagram to a port on loopback, and waits until it is there. */
async function sendFrom(bytes: Uint8Array, port: number): Promise<void> {
  const socket = createSocket("udp4");
  await new Promise((resolve) => socket.send(bytes, port, "127.0.0.1", resolve));
  socket.close();
  await once(socket, "close");
}

function parse(query: Uint8Array): Omit<Question, "forge"> & { end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let size = query[at]; size > 0; size = query[at]) {
    labels.push(new TextDecoder().decode(query.subarray(at + 1, at + 1 + size)));
    at += 1 + size;
  }
  return { name: labels.join(".").toLowerCase(), type: types[query[at + 2]] ?? "other", end: at + 5 };
}

/** A response to `query`, which ends after its question. */
function respond(query: Uint8Array, answer: Exclude<Answer, Uint8Array | undefined>): Uint8Array {
  const records = typeof answer === "object" ? answer.map((ip) => record(ip.split(".").map(Number))) : [];
  const reply = Uint8Array.from([...query, ...records.flat()]);
  reply.set([answer === "truncated" ? 0x83 : 0x81, 0x80 | (typeof answer === "number" ? answer : 0)], 2); // a recursive response, and its code
  reply.set([records.length >> 8, records.length & 255, 0, 0, 0, 0], 6);
  return reply;
}

/** An A record for the name in the question, that nobody may keep. */
function record(bytes: number[]): number[] {
  return [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...bytes];
}
