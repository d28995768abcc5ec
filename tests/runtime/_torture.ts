// Copyright 2026 the Sluice authors. MIT license.

/** Everything that can be opened or waited for, and the ways to cancel it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  acceptFork,
  all,
  both,
  bufferSink,
  Cancelled,
  type Clock,
  ClosedError,
  connectAny,
  copy,
  copyString,
  first,
  hostAddress,
  interruptible,
  type ListeningSocket,
  MultipleErrors,
  type Net,
  NetError,
  pipe,
  proxy,
  Queue,
  readable,
  readAll,
  readExact,
  retry,
  runServer,
  Semaphore,
  type StreamAddress,
  type StreamSocket,
  Switch,
  tcp,
  type TcpAddress,
  TimeoutError,
  type TwoWay,
  udp,
  type UdpAddress,
  unix,
  withTcpConnect,
  withTimeout,
  writeAll,
} from "../../mod.ts";
import { fromDuplex, toDuplex } from "../../flow/node/mod.ts";
import { pattern } from "../../net/testing/_random.ts";
import { tlsClient, TlsError, tlsServer } from "../../net/tls/mod.ts";
import { textOf } from "../_helpers.ts";
import { anyPort } from "../net/_helpers.ts";
import { clientOptions, secured, serverOptions } from "../net/tls/_helpers.ts";

/** Where operations are tortured: a network, and servers on it that outlive them. */
export interface Place {
  readonly net: Net;
  readonly echo: TcpAddress;
  readonly echoUnix: StreamAddress;
  readonly echoDatagrams: UdpAddress;
  readonly echoTls: TcpAddress;
  /** Nothing listens there. */
  readonly dead: TcpAddress;
  /** A path for a Unix socket, another one each time. */
  path(): string;
  /** What the servers reported that they should not have. */
  readonly reported: unknown[];
}

/** One thing to do, in a switch of its own. It throws if a byte is wrong. */
export type Operation = (place: Place, sw: Switch) => Promise<unknown>;

const message = "a message to and fro";

async function talk(flow: StreamSocket): Promise<void> {
  await copyString(message, flow);
  await flow.shutdown("send");
  same(textOf(await readAll(flow)), message);
}

/** A byte that is wrong. */
export class WrongBytes extends Error {}

function same(actual: string, expected: string): void {
  if (actual !== expected) throw new WrongBytes(`Expected ${expected}: it is ${actual}`);
}

async function onOwnListener(net: Net, sw: Switch, at: StreamAddress): Promise<void> {
  const listener = await net.listen(sw, at);
  const [served, flow] = await all([() => listener.accept(sw), () => net.connect(sw, listener.address)]);
  await all([() => talk(flow), () => copy(served, served).then(() => served.shutdown("send"))]);
}

/** Both sides of a relay: what goes in one side comes out of the other, up to the end. */
async function relayed(a: StreamSocket, net: Net, sw: Switch, echo: TcpAddress): Promise<void> {
  const [near, far] = pipe({ capacity: 7 });
  const upstream = await net.connect(sw, echo);
  a.abort();
  await all([() => proxy(far, upstream), async () => {
    await all([
      () => writeAll(near, new TextEncoder().encode(message)).then(() => near.shutdown("send")),
      async () => same(textOf(await readAll(near)), message),
    ]);
  }]);
}

/** All that can be opened. */
export const operations: Record<string, Operation> = {
  "connect to TCP": async ({ net, echo }, sw) => await talk(await net.connect(sw, echo)),
  "connect with a timeout": async ({ net, echo }, sw) => await talk(await net.connect(sw, echo, { timeout: 5000 })),
  "connect to a Unix socket": async ({ net, echoUnix }, sw) => await talk(await net.connect(sw, echoUnix)),
  "connect to a name": async ({ net, echo }, sw) =>
    await talk(await net.connect(sw, hostAddress("localhost", echo.port))),
  "connect to the dead": async ({ net, dead }, sw) => await net.connect(sw, dead).catch(expected("connection_refused")),
  "connectAny": async ({ net, echo, dead }, sw) => await talk(await connectAny(net, sw, [dead, echo])),
  "withTcpConnect": async ({ net, echo }) =>
    await withTcpConnect(net, { host: "localhost", service: echo.port, timeout: 5000 }, talk),
  "listen and accept": async ({ net }, sw) => await onOwnListener(net, sw, anyPort),
  "listen on a Unix path": async ({ net, path }, sw) => await onOwnListener(net, sw, unix(path())),
  "accept from nobody": async ({ net }, sw) =>
    await all([1, 2, 3].map(() => async () => {
      const listener = await net.listen(sw, anyPort);
      await listener.accept(sw);
    })),
  "acceptFork": async ({ net }, sw) => {
    const listener = await net.listen(sw, anyPort);
    const options = { onError: () => {} };
    sw.forkDaemon(() => acceptFork(sw, listener, (flow) => copyString(message, flow), options));
    same(textOf(await readAll(await net.connect(sw, listener.address))), message);
  },
  "runServer": async ({ net }, sw) => {
    const listener = await net.listen(sw, anyPort);
    const stop = new AbortController();
    const server = () =>
      runServer(listener, (flow, _, scope) => scope.sw.name === "" ? undefined : copy(flow, flow), {
        onError: () => {},
        stop: stop.signal,
        grace: 1,
      });
    const client = async () => {
      await all([1, 2].map(() => async () => await talk(await net.connect(sw, listener.address))));
      stop.abort();
    };
    await all([server, client]);
  },
  "datagrams": async ({ net, echoDatagrams }, sw) => {
    const socket = await net.datagramSocket(sw, udp("127.0.0.1", 0));
    const buffer = new Uint8Array(100);
    for (let i = 0; i < 2; i++) {
      await socket.send(new TextEncoder().encode(message), echoDatagrams);
      const { size } = await socket.recv(buffer);
      same(textOf(buffer.subarray(0, size)), message);
    }
  },
  "TLS over a pipe": async (_, sw) => {
    const [a, b] = await secured(sw, pipe());
    await all([() => copyString(message, a).then(() => a.shutdown("send")), async () => {
      same(textOf(await readAll(b)), message);
    }]);
  },
  "TLS over a socket": async ({ net, echoTls }, sw) => {
    const tls = await tlsClient(sw, await net.connect(sw, echoTls), clientOptions);
    await copyString(message, tls);
    await tls.shutdown("send");
    same(textOf(await readAll(tls)), message);
  },
  "TLS with a silent peer": async (_, sw) => await tlsClient(sw, pipe()[0], clientOptions),
  "lookups": async ({ net }) =>
    await all([
      () => net.getAddrInfo("localhost", { service: "80" }),
      () => net.getAddrInfo("127.0.0.1"),
    ]),
  "toDuplex": async ({ net, echo }, sw) => {
    const stream = toDuplex(() => net.connect(sw, echo), { sw });
    const whole = new Promise<string>((resolve, reject) => {
      let heard = "";
      stream.setEncoding("utf8").on("data", (data: string) => heard += data);
      stream.on("end", () => resolve(heard)).on("error", reject).on("close", () => reject(new ClosedError("read")));
    });
    whole.catch(() => {});
    stream.end(message);
    same(await interruptible(whole), message);
  },
  "retry": async ({ net, dead }, sw) =>
    await retry(net.clock, { attempts: 3, delay: 2, jitter: 0.5 }, () => net.connect(sw, dead))
      .catch(expected("connection_refused")),
  "a queue": async () => {
    const queue = new Queue<number>(1);
    const got: number[] = [];
    await all([
      async () => {
        for (let i = 0; i < 5; i++) await queue.push(i);
      },
      async () => {
        for (let i = 0; i < 5; i++) got.push(await queue.pop());
      },
    ]);
    same(got.join(), "0,1,2,3,4");
  },
  "a semaphore": async ({ net }) => {
    const semaphore = new Semaphore(2);
    try {
      await all([1, 2, 3, 4, 5].map(() => async () => {
        const permit = await semaphore.acquire();
        try {
          await net.clock.sleep(1);
        } finally {
          permit.release();
        }
      }));
    } finally {
      same(String(semaphore.available), "2");
    }
  },
  "a pipe whose writer is blocked": async () => {
    const [a] = pipe({ capacity: 3 });
    await copyString(message, a);
  },
  "a pipe whose reader is blocked": async () => {
    const [a, b] = pipe();
    await all([() => readExact(a, new Uint8Array(1)), () => b.read(new Uint8Array(1))]);
  },
  "a copy through pipes": async () => {
    const [a, b] = pipe({ capacity: 5 });
    const sink = bufferSink();
    await all([() => copyString(message, a).then(() => a.shutdown("send")), () => copy(b, sink)]);
    same(sink.text(), message);
  },
  "a proxy": async ({ net, echo }, sw) => await relayed(await net.connect(sw, echo), net, sw, echo),
  "all at once": async (place, sw) =>
    await all(
      ["connect to TCP", "datagrams", "listen and accept", "TLS over a pipe"].map((name) => () =>
        (operations[name] as Operation)(place, sw)
      ),
    ),
};

function expected(code: string): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof NetError && error.code === code)) throw error;
  };
}

/** Two ends of something that carries bytes. */
export const carriers: Record<string, (place: Place, sw: Switch) => Promise<readonly [TwoWay, TwoWay]>> = {
  "a pipe": () => Promise.resolve(pipe({ capacity: 5000 })),
  "a TCP connection": (place, sw) => connected(place, sw, anyPort),
  "a Unix connection": (place, sw) => connected(place, sw, unix(place.path())),
  "TLS": async (place, sw) => await secured(sw, await connected(place, sw, anyPort)),
  "bridges to Node and back": async (place, sw) => {
    const [a, b] = await connected(place, sw, anyPort);
    return [fromDuplex(toDuplex(a, { sw })), fromDuplex(toDuplex(b, { sw }))];
  },
};

async function connected(
  { net }: Place,
  sw: Switch,
  at: StreamAddress,
): Promise<readonly [StreamSocket, StreamSocket]> {
  const listener = await net.listen(sw, at);
  return await both(() => net.connect(sw, listener.address), () => listener.accept(sw));
}

/**
 * Sends a pattern through a carrier by `count` operations on each side, each of which is cancelled at some moment. What
 * was not counted was not taken, and what was not received is still to come.
 *
 * @returns How many of the operations were cancelled.
 */
export async function carry(
  [near, far]: readonly [TwoWay, TwoWay],
  count: number,
  random: () => number,
): Promise<number> {
  let cancelled = 0;
  let sent = 0;
  let received = 0;
  const below = (n: number) => Math.floor(random() * n);
  /** What `fn` comes to, if that is not cancelled before. */
  const attempt = async <T>(fn: () => Promise<T>): Promise<T | undefined> => {
    const moment = momentAfter(below(52));
    const controller = new AbortController();
    moment().then(() => controller.abort());
    try {
      return await Switch.run(fn, { signal: controller.signal });
    } catch (error) {
      if (!(error instanceof Cancelled)) throw error;
      cancelled++;
      return undefined;
    }
  };
  /** Keeps the other side waiting, now and then. */
  const dawdle = async () => {
    for (let turns = below(12) - 6; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
  };
  const check = (bytes: Uint8Array) => {
    const wrong = pattern(received, bytes.length).findIndex((byte, i) => byte !== bytes[i]);
    if (wrong >= 0) throw new WrongBytes(`Byte ${received + wrong} is wrong`);
    received += bytes.length;
    return Promise.resolve(bytes.length);
  };
  const writes = async () => {
    for (let i = 0; i < count; i++) {
      await dawdle();
      const bytes = pattern(sent, 1 + below(20_000));
      sent += await attempt(() => near.write(bytes)) ?? 0;
      bytes.fill(0); // it is ours again
    }
    await near.shutdown("send");
  };
  const reads = async () => {
    for (let i = 0;; i++) {
      await dawdle();
      const buffer = new Uint8Array(1 + below(30_000));
      // At the end nothing is cancelled, so that it ends.
      const read = () => far.read(buffer);
      const size = await (i < count ? attempt(read) : read());
      if (size === null) break;
      if (size !== undefined) await check(buffer.subarray(0, size));
      else if (i % 4 === 0) await attempt(() => copy(far, { write: check }));
      else if (i % 4 === 1) await attempt(() => readable(far));
    }
  };
  await both(writes, reads);
  same(String(received), String(sent));
  return cancelled;
}

/** Runs `fn` with servers on `net`. */
export async function withPlace(net: Net, fn: (place: Place) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-torture-"));
  let paths = 0;
  const path = () => join(folder, `socket${paths++}`);
  const reported: unknown[] = [];
  try {
    await Switch.run(async (sw) => {
      const report = (error: unknown) => {
        if (!isExpected(error)) reported.push(error);
      };
      const echoAt = async <A extends StreamAddress>(at: A): Promise<ListeningSocket<A>> => {
        const listener = await net.listen(sw, at);
        sw.forkDaemon(() => runServer(listener, (flow) => copy(flow, flow), { onError: report }));
        return listener;
      };
      const overTls = await net.listen(sw, anyPort);
      sw.forkDaemon(() =>
        runServer(overTls, async (flow, _, scope) => {
          const tls = await tlsServer(scope.sw, flow, serverOptions);
          await copy(tls, tls);
        }, { onError: report })
      );
      const datagrams = await net.datagramSocket(sw, udp("127.0.0.1", 0));
      sw.forkDaemon(async () => {
        for (;;) for (const { data, from } of await datagrams.recvMany()) await datagrams.send(data, from);
      });
      const gone = await net.listen(sw, anyPort);
      await gone.close();
      await fn({
        net,
        echo: (await echoAt(anyPort)).address,
        echoUnix: (await echoAt(unix(path()))).address,
        echoDatagrams: datagrams.local as UdpAddress,
        echoTls: overTls.address,
        dead: tcp("127.0.0.1", gone.address.port),
        path,
        reported,
      });
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether it is what may come of an operation, or of a server, that is cancelled at any moment. */
export function isExpected(error: unknown): boolean {
  if (error instanceof MultipleErrors) return error.errors.every(isExpected);
  if (error instanceof WrongBytes) return false;
  if (error instanceof Tortured || error instanceof Cancelled || error instanceof TimeoutError) return true;
  if (error instanceof ClosedError || error instanceof TlsError) return true;
  // What is said to those who let a switch end too early.
  if (error instanceof Error && /was not awaited|the switch is (finished|releasing)/.test(error.message)) return true;
  return error instanceof NetError && ["connection_reset", "connection_refused"].includes(error.code);
}

/** Why the operations fail. */
export class Tortured extends Error {}

type Moment = () => Promise<void>;
type Means = (place: Place, work: (sw: Switch) => Promise<unknown>, moment: Moment) => Promise<unknown>;

/** Microtasks for small numbers, then turns of the event loop, then timers. */
export function momentAfter(k: number): Moment {
  return async () => {
    if (k < 48) { for (let i = 0; i < k; i++) await undefined; }
    else if (k < 64) {
      for (let i = 48; i <= k; i++) await new Promise((resolve) => setImmediate(resolve));
    } else await new Promise((resolve) => setTimeout(resolve, k - 64));
  };
}

/** How many moments there are. */
export const moments = 72;

/** The ways to cancel. */
export const means: Record<string, Means> = {
  "a signal": async (_, work, moment) => {
    const controller = new AbortController();
    moment().then(() => controller.abort(new Tortured()));
    await Switch.run(work, { signal: controller.signal });
  },
  "its switch": (_, work, moment) =>
    Switch.run(async (sw) => {
      moment().then(() => {
        try {
          sw.fail(new Tortured());
        } catch { /* it has ended already */ }
      });
      return await work(sw);
    }),
  "a sibling": (_, work, moment) =>
    all([() => Switch.run(work), async () => {
      await moment();
      throw new Tortured();
    }]),
  "a race": (_, work, moment) => first(() => Switch.run(work), () => moment()),
  "a fiber of the same switch": (_, work, moment) =>
    Switch.run(async (sw) => {
      sw.fork(async () => {
        await moment();
        throw new Tortured();
      });
      await work(sw);
    }),
  "the caller's scope, under another switch": (_, work, moment) =>
    Switch.run((sw) => first(() => work(sw), () => moment())),
  "the end of the switch": (_, work, moment) =>
    Switch.run(async (sw) => {
      work(sw).catch(() => {});
      await moment();
    }),
  "the end of another switch": (_, work, moment) =>
    Switch.run((outer) =>
      Switch.run((sw) => {
        outer.forkDaemon(() => work(sw));
        return moment();
      })
    ),
  "a timeout": ({ net }, work, moment) => withTimeout(clockAfter(net.clock, moment), 1, () => Switch.run(work)),
};

/** A clock that rings when told to. */
function clockAfter(clock: Clock, moment: Moment): Clock {
  return { now: () => clock.now(), sleep: () => moment(), sleepUntil: () => moment() };
}
