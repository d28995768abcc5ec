// Copyright 2026 the Sluice authors. MIT license.

import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { clearTimeout, setTimeout } from "node:timers";
import { guard, open } from "../../../base/internal.ts";
import { describeAddress, IpAddress, udp, type UdpAddress } from "../../internal.ts";
import type { Attempt } from "../../internal.ts";
import type { Permit } from "../shared/internal.ts";
import { hostText } from "../shared/internal.ts";
import {
  decodeReply,
  type DnsQuery,
  type DnsReply,
  encodeQuery,
  type RecordType,
  type RecordValues,
} from "./_message.ts";

/** How long a server has for an answer, in milliseconds, and how often one that says nothing is asked. */
const patience = 2000;
const tries = 2;

const noSuchName = 3;

/** What a server says that did not answer the question, in the words of c-ares. */
const failures: Readonly<Record<number, string>> = {
  1: "EFORMERR",
  2: "ESERVFAIL",
  3: "ENOTFOUND",
  4: "ENOTIMP",
  5: "EREFUSED",
};

/** A way to a server. */
type Transport = (server: UdpAddress, message: Uint8Array, events: TransportEvents) => () => void;

interface TransportEvents {
  /** A message has come, whoever sent it. */
  message(bytes: Uint8Array): void;
  failed(error: unknown): void;
}

/**
 * Asks DNS servers: over UDP, from a port and with a number that nobody can guess, and over TCP where the answer is too long for that. The first server that
 * knows is believed; one that cannot answer, or says nothing for 2 s, is followed by the next, and who said nothing is asked once more.
 *
 * It is our own because the runtimes' own clients do not tell the failures of a server apart (on Deno nor `ENODATA` and `ESERVFAIL` from `ENOTFOUND`), and
 * Deno's asks only the first server.
 *
 * The rejection has a code of c-ares.
 */
export function askServers<R extends RecordType>(
  servers: readonly UdpAddress[],
  name: string,
  type: R,
  permit: Permit,
): Attempt<readonly RecordValues[R][]> {
  for (const server of servers) {
    permit("bind", udp(server.ip.version === 4 ? IpAddress.any4 : IpAddress.any6, 0));
    permit("send", server);
  }
  const gone = new AbortController();
  const [id] = crypto.getRandomValues(new Uint16Array(1));
  return { result: askInTurn(servers, encodeQuery(id, name, type), gone.signal), cancel: () => gone.abort() };
}

/** Asks one server after the other, and then those again that said nothing. */
async function askInTurn<R extends RecordType>(
  servers: readonly UdpAddress[],
  query: DnsQuery<R>,
  gone: AbortSignal,
): Promise<readonly RecordValues[R][]> {
  let failure: unknown = Object.assign(new Error("There is no name server"), { code: "ECONNREFUSED" });
  let left = servers;
  for (let i = 0; i < tries; i++) {
    const silent: UdpAddress[] = [];
    for (const server of left) {
      let reply: DnsReply<R>;
      try {
        reply = await askOne(server, query, gone);
      } catch (error) {
        if (gone.aborted) throw error;
        failure = error;
        if ((error as { code?: unknown }).code === "ETIMEOUT") silent.push(server);
        continue;
      }
      if (reply.code === 0 && reply.values.length > 0) return reply.values;
      failure = dnsError(reply.code === 0 ? "ENODATA" : failures[reply.code] ?? "EBADRESP", query, server);
      if (reply.code === 0 || reply.code === noSuchName) throw failure; // it knows; nobody else needs to be asked
    }
    left = silent;
  }
  throw failure;
}

async function askOne<R extends RecordType>(
  server: UdpAddress,
  query: DnsQuery<R>,
  gone: AbortSignal,
): Promise<DnsReply<R>> {
  const reply = await exchange(overUdp, server, query, gone);
  if (!reply.truncated) return reply;
  const whole = await exchange(overTcp, server, query, gone);
  if (whole.truncated) throw dnsError("EBADRESP", query, server);
  return whole;
}

/** Sends a question and waits for its reply. Messages that are none are not heard: anybody can send one. */
function exchange<R extends RecordType>(
  transport: Transport,
  server: UdpAddress,
  query: DnsQuery<R>,
  gone: AbortSignal,
): Promise<DnsReply<R>> {
  return new Promise((resolve, reject) => {
    gone.throwIfAborted();
    const settle = (how: () => void) => { // more than once changes nothing
      clearTimeout(timer);
      gone.removeEventListener("abort", onGone);
      close();
      how();
    };
    const failed = (error: unknown) => settle(() => reject(error));
    const onGone = guard(() => failed(gone.reason), reject);
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
    const timer = setTimeout(guard(() => failed(dnsError("ETIMEOUT", query, server)), reject), patience);
    gone.addEventListener("abort", onGone);
  });
}

const overUdp: Transport = (server, message, { message: heard, failed }) => {
  const socket = createSocket(server.ip.version === 4 ? "udp4" : "udp6");
  open.sockets++;
  let closed = false;
  socket.once("close", () => open.sockets--);
  const onError = guard(failed, failed);
  socket.on("error", onError);
  const listen = guard((bytes: Uint8Array, from: { address: string; port: number }) => {
    if (from.port === server.port && unscoped(from.address) === unscoped(String(server.ip))) heard(bytes);
  }, failed);
  socket.on("message", listen);
  // A connected socket hears of errors, and nobody else but on Deno.
  const sent = guard((error: Error | null) => error && failed(error), failed);
  const connected = guard(() => {
    if (!closed) socket.send(message, sent);
  }, failed);
  socket.connect(server.port, hostText(server.ip), connected);
  return () => {
    if (closed) return;
    closed = true;
    socket.removeListener("message", listen).removeListener("error", onError).on("error", () => {});
    socket.close();
  };
};

/** Each message follows its length in two bytes. */
const overTcp: Transport = (server, message, { message: heard, failed }) => {
  const socket = connect({ host: hostText(server.ip), port: server.port });
  open.sockets++;
  const arrived = new Uint8Array(2 + 0xffff);
  let filled = 0;
  const closed = () => Object.assign(new Error("The server closed the connection"), { code: "EBADRESP" });
  const onClose = () => {
    open.sockets--;
    failed(closed());
  };
  // A server that broke the connection has closed it; one that took none is not there.
  const onError = (error: NodeJS.ErrnoException) =>
    failed(error.code === "ECONNRESET" || error.code === "EPIPE" ? closed() : error);
  const onData = (chunk: Uint8Array) => {
    const taken = chunk.subarray(0, arrived.length - filled);
    arrived.set(taken, filled);
    filled += taken.length;
    const size = arrived[0] * 256 + arrived[1];
    if (filled < 2 || filled < 2 + size) return;
    heard(arrived.slice(2, 2 + size));
    failed(Object.assign(new Error("The server answered something else"), { code: "EBADRESP" }));
  };
  socket.once("close", guard(onClose, failed));
  socket.on("error", guard(onError, failed));
  socket.on("data", guard(onData, failed));
  socket.write(Uint8Array.from([message.length >> 8, message.length & 255, ...message]));
  return () => void socket.destroy();
};

/** An address as text in its one form, without a zone. */
function unscoped(address: string): string {
  return IpAddress.parse(address.replace(/%.*/s, "")).text;
}

function dnsError(code: string, { name, type }: DnsQuery<RecordType>, server: UdpAddress): Error {
  return Object.assign(new Error(`${code} from ${describeAddress(server)} for ${type} ${name}`), { code });
}
