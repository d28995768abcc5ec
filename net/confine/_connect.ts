// Copyright 2026 the Sluice authors. MIT license.

import { isInstance } from "../../base/internal.ts";
import { ignore } from "../../flow/internal.ts";
import type { Switch } from "../../switch/internal.ts";
import {
  addContext,
  type ConnectOptions,
  connectToAnyOf,
  describeAddress,
  hasPlainZone,
  type HostAddress,
  type IpAddress,
  literalOf,
  type Net,
  NetError,
  type StreamAddress,
  type StreamSocket,
  tcp,
  type TcpAddress,
} from "../internal.ts";
import { judgedAnswers } from "./_answers.ts";
import type { Judge } from "./_judge.ts";
import type { Answers } from "./_resolved_address.ts";
import { canonicalName } from "./_rule.ts";
import { judgedOptions, optionsFor } from "./_socket_options.ts";

/** A network, and what decides on its connections. */
export interface Confined {
  readonly net: Net;
  readonly judge: Judge;
  /** What its own lookups have found. */
  readonly answers: Answers;
}

/** Connects to what a judge allows. */
export function connectJudged(
  confined: Confined,
  sw: Switch,
  target: StreamAddress | HostAddress,
  options: ConnectOptions,
): Promise<StreamSocket> {
  const given = judgedConnectOptions(confined.judge, options);
  if (target.transport !== "host") return connectToAddress(confined, sw, target, target, given);
  const literal = literalOf(target.name);
  if (literal === undefined) return connectToName(confined, sw, target, given);
  return connectToAddress(confined, sw, tcp(literal, target.port), target, {
    ...given,
    socketOptions: optionsFor(literal.version, given.socketOptions),
  });
}

/** Copies and judges the known options; a network inside gets no others. */
function judgedConnectOptions(judge: Judge, options: ConnectOptions): ConnectOptions {
  const { bindTo, linger, timeout, socketOptions } = options;
  const verdict = bindTo && judge.local("bind", bindTo);
  if (verdict !== undefined) throw judge.refuse("bind", bindTo as StreamAddress, verdict);
  const port = bindTo?.transport === "tcp" ? bindTo.port : 0;
  return { bindTo, linger, timeout, socketOptions: judgedOptions(judge, socketOptions, port) };
}

/** @param target The target as the caller named it. */
async function connectToAddress(
  { net, judge, answers }: Confined,
  sw: Switch,
  address: StreamAddress,
  target: StreamAddress | HostAddress,
  options: ConnectOptions,
): Promise<StreamSocket> {
  const found = address.transport === "tcp" ? answers.get(address.ip) : undefined;
  if (found === undefined || address.transport !== "tcp") {
    const verdict = judge.remote("connect", address);
    if (verdict !== undefined) throw judge.refuse("connect", target, verdict);
    return await dial(net, judge, sw, address, target, options);
  }
  const answer = tcp(found.answer, address.port);
  const verdict = judge.found(found.name, answer);
  if (verdict !== undefined) throw judge.refuse("connect", target, verdict);
  return await dial(net, judge, sw, answer, target, options);
}

/** Looks the name up, once; judges each address, and races those that are allowed. */
async function connectToName(
  { net, judge }: Confined,
  sw: Switch,
  target: HostAddress,
  options: ConnectOptions,
): Promise<StreamSocket> {
  const verdict = judge.host(target);
  if (verdict !== undefined) throw judge.refuse("connect", target, verdict);
  const { port } = target;
  const host: HostAddress = Object.freeze({ ...target, name: canonicalName(target.name) });
  const answers = judgedAnswers({
    ask: () => net.addresses(host.name),
    pass(ip) {
      const verdict = hasPlainZone(ip) ? judge.reached(ip, port) : { reason: `${ip} has no valid zone` };
      if (verdict === undefined) return ip;
      judge.report("connect", host, verdict);
      return undefined;
    },
    noneAllowed: () => judge.refuse("connect", target, { reason: "every address of the name is denied" }),
    failed: (error) => isDenial(error) ? denied(target) : addContext(error, `connecting to ${describeAddress(target)}`),
  });
  const dialled: Pick<Net, "connect" | "clock"> = {
    clock: net.clock,
    connect: (sw, address, options) =>
      dial(net, judge, sw, address as TcpAddress, target, {
        ...options,
        socketOptions: optionsFor((address as TcpAddress).ip.version, options?.socketOptions),
      }),
  };
  return await connectToAnyOf(dialled, sw, addressesAt(port, answers), options, host);
}

/** Connects to an address that was judged, and compares the peer. */
async function dial(
  net: Net,
  judge: Judge,
  sw: Switch,
  address: StreamAddress,
  target: StreamAddress | HostAddress,
  options: ConnectOptions,
): Promise<StreamSocket> {
  const socket = await net.connect(sw, address, options);
  const verdict = address.transport === "tcp" ? judge.connected(address, socket) : undefined;
  if (verdict === undefined) return socket;
  if (typeof socket.abort === "function") socket.abort();
  else Promise.resolve((socket as StreamSocket).close()).catch(ignore);
  throw judge.refuse("connect", target, verdict);
}

function addressesAt(
  port: number,
  answers: AsyncIterable<readonly IpAddress[]>,
): AsyncIterable<readonly TcpAddress[]> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = answers[Symbol.asyncIterator]();
      return {
        async next() {
          const { done, value } = await iterator.next();
          return done ? { done, value: undefined } : { done: false, value: value.map((ip) => tcp(ip, port)) };
        },
        async return() {
          await iterator.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

/** Reports whether an error is a denial of a confined network inside, and not the system's. */
function isDenial(error: unknown): boolean {
  return isInstance(error, NetError) && error.code === "permission_denied" && error.cause === undefined;
}

function denied(target: HostAddress): NetError {
  return new NetError("permission_denied", { operation: "connect", address: target });
}
