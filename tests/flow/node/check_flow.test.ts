// Copyright 2026 the Sluice authors. MIT license.

/** The contract of flows over the bridges to Node streams. */
import { connect, createServer, type Server, type Socket } from "node:net";
import { pipe, type TwoWay } from "../../../flow/mod.ts";
import { fromDuplex, toDuplex } from "../../../flow/node/mod.ts";
import { checkFlow, type FlowPair } from "../../../net/testing/mod.ts";
import type { Switch } from "../../../switch/mod.ts";
import { test } from "../../_test.ts";

/** Checks close one end while the other is open; a short linger keeps them fast. */
const linger = 60;

function bridged(capacity?: number): Promise<FlowPair> {
  const [a, b] = pipe({ capacity });
  return Promise.resolve([fromDuplex(toDuplex(a), { linger }), fromDuplex(toDuplex(b), { linger })]);
}

for (const check of checkFlow(() => bridged(), { clogged: () => bridged(1000) })) {
  test(`fromDuplex(toDuplex(pipe)) ${check.name}`, () => check.run());
}

/** Makes a pair with one bare end, so that the actions of the other are visible. */
function halfBridged(capacity?: number): Promise<FlowPair> {
  const [a, b] = pipe({ capacity });
  return Promise.resolve([fromDuplex(toDuplex(a), { linger }), b]);
}

for (const check of checkFlow(() => halfBridged(), { clogged: () => halfBridged(1000) })) {
  test(`fromDuplex(toDuplex(pipe)) with a pipe ${check.name}`, () => check.run());
}

/** Hides the fast paths, as in foreign flows. */
function plain(flow: TwoWay & { close(): Promise<void> }): TwoWay & AsyncDisposable & { close(): Promise<void> } {
  return {
    read: (buffer) => flow.read(buffer),
    write: (bytes) => flow.write(bytes),
    shutdown: (how) => flow.shutdown(how),
    close: () => flow.close(),
    [Symbol.asyncDispose]: () => flow.close(),
  };
}

function plainBridged(capacity?: number): Promise<FlowPair> {
  const [a, b] = pipe({ capacity });
  return Promise.resolve([fromDuplex(toDuplex(plain(a)), { linger }), b]);
}

for (const check of checkFlow(() => plainBridged(), { clogged: () => plainBridged(1000) })) {
  test(`fromDuplex(toDuplex(plain flow)) ${check.name}`, () => check.run());
}

/** Makes sockets as clients do, which end themselves with the peer by default. */
async function sockets(sw: Switch): Promise<FlowPair> {
  const server: Server = createServer({ allowHalfOpen: true });
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = connect((server.address() as { port: number }).port, "127.0.0.1");
  await new Promise<void>((resolve, reject) => client.once("connect", resolve).once("error", reject));
  const other = await accepted;
  const closed = new Promise((resolve) => server.close(resolve));
  sw.onRelease(() => closed);
  return [fromDuplex(client, { linger }), fromDuplex(other, { linger })];
}

for (const check of checkFlow(sockets, { clogged: sockets })) {
  test(`fromDuplex(socket) ${check.name}`, () => check.run());
}
