// Copyright 2026 the Sluice authors. MIT license.

import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { clearTimeout, setTimeout } from "node:timers";
import { guard } from "../../../base/internal.ts";
import { describeAddress, IpAddress, udp, type UdpAddress } from "../../internal.ts";
import type { Attempt } from "../../internal.ts";
import { hostText, type PermissionCheck } from "../shared/internal.ts";
import {
  decodeReply,
  type DnsQuery,
  type DnsReply,
  encodeQuery,
  type RecordType,
  type RecordValues,
} from "./_message.ts";

/** How long a server may take to answer, in milliseconds, and how often a silent one is queried. */
const replyTimeout = 2000;
const maxAttempts = 2;

const nxDomain = 3;

/** The c-ares codes of response codes other than success. */
const errorCodes: Readonly<Record<number, string>> = {
  1: "EFORMERR",
  2: "ESERVFAIL",
  3: "ENOTFOUND",
  4: "ENOTIMP",
  5: "EREFUSED",
};

/** Sends a message to a server over UDP or TCP. Returns a function that closes the socket. */
type Transport = (server: UdpAddress, message: Uint8Array, events: TransportEvents) => () => void;

interface TransportEvents {
  /** Called with each message received, not yet verified. */
  message(bytes: Uint8Array): void;
  /** Called with a transport error. */
  failed(error: unknown): void;
}

/**
 * Queries DNS servers: over UDP, from an unpredictable port with an unpredictable ID, and over TCP
 * if the reply was truncated. The first conclusive answer counts. A server that fails, or is silent
 * for 2 s, is followed by the next; silent ones are queried once more.
 *
 * The runtimes' own clients are not used: they do not distinguish the failures of a server (nor, on
 * Deno, `ENODATA` and `ESERVFAIL` from `ENOTFOUND`), and Deno's queries only the first server.
 *
 * The result rejects with an error whose `code` is one of c-ares.
 */
export function queryServers<R extends RecordType>(
  servers: readonly UdpAddress[],
  name: string,
  type: R,
  permit: PermissionCheck,
): Attempt<readonly RecordValues[R][]> {
  for (const server of servers) {
    permit("bind", udp(server.ip.version === 4 ? IpAddress.any4 : IpAddress.any6, 0));
    permit("send", server);
  }
  const controller = new AbortController();
  const [id] = crypto.getRandomValues(new Uint16Array(1));
  return {
    result: queryInOrder(servers, encodeQuery(id, name, type), controller.signal),
    cancel: () => controller.abort(),
  };
}

/** Queries the servers in order, then the silent ones again. */
async function queryInOrder<R extends RecordType>(
  servers: readonly UdpAddress[],
  query: DnsQuery<R>,
  signal: AbortSignal,
): Promise<readonly RecordValues[R][]> {
  let failure: unknown = Object.assign(new Error("The system has no name servers"), { code: "ECONNREFUSED" });
  let left = servers;
  for (let i = 0; i < maxAttempts; i++) {
    const silent: UdpAddress[] = [];
    for (const server of left) {
      let reply: DnsReply<R>;
      try {
        reply = await queryServer(server, query, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        failure = error;
        if ((error as { code?: unknown }).code === "ETIMEOUT") silent.push(server);
        continue;
      }
      if (reply.code === 0 && reply.values.length > 0) return reply.values;
      failure = dnsError(reply.code === 0 ? "ENODATA" : errorCodes[reply.code] ?? "EBADRESP", query, server);
      // The answer is conclusive: no other server is queried.
      if (reply.code === 0 || reply.code === nxDomain) throw failure;
    }
    left = silent;
  }
  throw failure;
}

async function queryServer<R extends RecordType>(
  server: UdpAddress,
  query: DnsQuery<R>,
  signal: AbortSignal,
): Promise<DnsReply<R>> {
  const reply = await exchange(overUdp, server, query, signal);
  if (!reply.truncated) return reply;
  const whole = await exchange(overTcp, server, query, signal);
  if (whole.truncated) throw dnsError("EBADRESP", query, server);
  return whole;
}

/** Sends a query and waits for its reply. Other messages are ignored, as anyone can send them. */
function exchange<R extends RecordType>(
  transport: Transport,
  server: UdpAddress,
  query: DnsQuery<R>,
  signal: AbortSignal,
): Promise<DnsReply<R>> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const settle = (how: () => void) => { // idempotent
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      close();
      how();
    };
    const failed = (error: unknown) => settle(() => reject(error));
    const onAbort = guard(() => failed(signal.reason), reject);
    const close = transport(server, query.bytes, {
      failed,
      message(bytes) {
        let reply: DnsReply<R> | undefined;
        try {
          reply = decodeReply(bytes, query);
        } catch {
          return failed(dnsError("EBADRESP", query, server));
        }
        if (reply !== undefined) settle(() => resolve(reply));
      },
    });
    const timer = setTimeout(guard(() => failed(dnsError("ETIMEOUT", query, server)), reject), replyTimeout);
    signal.addEventListener("abort", onAbort);
  });
}

const overUdp: Transport = (server, message, { message: received, failed }) => {
  const socket = createSocket(server.ip.version === 4 ? "udp4" : "udp6");
  let closed = false;
  const onError = guard(failed, failed);
  socket.on("error", onError);
  const onMessage = guard((bytes: Uint8Array, from: { address: string; port: number }) => {
    if (from.port === server.port && unscoped(from.address) === unscoped(String(server.ip))) received(bytes);
  }, failed);
  socket.on("message", onMessage);
  // A connected socket receives ICMP errors, and, except on Deno, messages of its peer only.
  const sent = guard((error: Error | null) => error && failed(error), failed);
  const connected = guard(() => {
    if (!closed) socket.send(message, sent);
  }, failed);
  socket.connect(server.port, hostText(server.ip), connected);
  return () => {
    if (closed) return;
    closed = true;
    socket.removeListener("message", onMessage).removeListener("error", onError).on("error", () => {});
    socket.close();
  };
};

/** DNS over TCP: each message is preceded by its length in two bytes (RFC 1035, section 4.2.2). */
const overTcp: Transport = (server, message, { message: received, failed }) => {
  const socket = connect({ host: hostText(server.ip), port: server.port });
  const arrived = new Uint8Array(2 + 0xffff);
  let filled = 0;
  const closed = () => Object.assign(new Error("The server closed the connection"), { code: "EBADRESP" });
  // A reset counts as closing the connection; a failure to connect is reported as it is.
  const onError = (error: NodeJS.ErrnoException) =>
    failed(error.code === "ECONNRESET" || error.code === "EPIPE" ? closed() : error);
  const onData = (chunk: Uint8Array) => {
    const taken = chunk.subarray(0, arrived.length - filled);
    arrived.set(taken, filled);
    filled += taken.length;
    const size = arrived[0] * 256 + arrived[1];
    if (filled < 2 || filled < 2 + size) return;
    received(arrived.slice(2, 2 + size));
    failed(Object.assign(new Error("The server sent another message than the reply"), { code: "EBADRESP" }));
  };
  socket.once("close", guard(() => failed(closed()), failed));
  socket.on("error", guard(onError, failed));
  socket.on("data", guard(onData, failed));
  socket.write(Uint8Array.from([message.length >> 8, message.length & 255, ...message]));
  return () => void socket.destroy();
};

/** Returns an address in its canonical text form, without a zone. */
function unscoped(address: string): string {
  return IpAddress.parse(address.replace(/%.*/s, "")).text;
}

function dnsError(code: string, { name, type }: DnsQuery<RecordType>, server: UdpAddress): Error {
  return Object.assign(new Error(`${code} from ${describeAddress(server)} for ${type} ${name}`), { code });
}
