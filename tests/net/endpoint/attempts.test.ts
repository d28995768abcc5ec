// Copyright 2026 the Sluice authors. MIT license.

/** What becomes of an attempt, and of what it has opened, when it fails, succeeds or is cancelled. */
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { join } from "node:path";
import process from "node:process";
import { Cancelled, ClosedError, type Connection, type Net, Switch, tcp, withTimeout } from "../../../mod.ts";
import { all, awaitCancel, copyString, interruptible, type NetError, TimeoutError, unix } from "../../../mod.ts";
import { forEachFiber, hostAddress, type StreamAddress } from "../../../mod.ts";
import { type Connector, createConnector, custom, type Endpoint, tls, unknown } from "../../../net/endpoint/mod.ts";
import { memoryNet, type MockClock, mockClock, openCounts } from "../../../net/testing/mod.ts";
import { inCancelledScope, outcomeOf, readText, turns, until, withFolder } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { descriptors, descriptorsBack } from "../../runtime/_helpers.ts";
import { anyPort, assertNetError, ownHost, ownPort, type Signal, signal, withNet } from "../_helpers.ts";
import { authority, serverOptions } from "../tls/_helpers.ts";
import { echoing, exchange, pipeConnection, startServer } from "./_helpers.ts";

const web = tcp("127.0.0.1", 7000);
const x = custom("x", null);
const problem = new Error("Cannot open it");

/** A connector whose scheme "x" is opened by `open`. */
function connectorFor(
  open: (own: Switch) => Promise<Connection>,
  net: Net = memoryNet(),
  timeout?: number,
): Connector {
  return createConnector({ net, timeout, tls: { authorities: authority }, connectors: { x: open } });
}

/** A connector that opens something, tells when, and never answers. */
function stuck(log: string[], net: Net, opened: Signal = signal(), timeout?: number): Connector {
  return connectorFor(
    (own) => {
      own.onRelease(() => log.push("released"));
      opened.resolve();
      return new Promise(() => {});
    },
    net,
    timeout,
  );
}

test("what a failed connector has opened is released before the call fails", async () => {
  await Switch.run(async (sw) => {
    const log: string[] = [];
    const net = memoryNet();
    await startServer(sw, net, web);
    const before = openCounts().sockets;
    const connector = connectorFor(async (own) => {
      own.onRelease(() => log.push("released"));
      own.fork(() => awaitCancel().finally(() => log.push("cancelled")));
      await net.connect(own, web);
      throw problem;
    }, net);
    const error = await outcomeOf(() => connector.connect(sw, x));
    log.push("failed");
    assertStrictEquals(error, problem);
    assertEquals(log, ["cancelled", "released", "failed"]);
    await until(() => openCounts().sockets === before);
  });
});

test("a failure of TLS over a connector releases what that has opened", async () => {
  await Switch.run(async (sw) => {
    const log: string[] = [];
    const connector = connectorFor(async (own) => {
      own.onRelease(() => log.push("released"));
      const [near, far] = pipeConnection();
      await copyString("this is not TLS", far);
      return near;
    });
    await assertRejects(() => connector.connect(sw, tls("localhost", x)));
    assertEquals(log, ["released"]);
  });
});

test("the winner keeps its switch until it is closed", async () => {
  await Switch.run(async (sw) => {
    const log: string[] = [];
    const connector = connectorFor((own) => {
      own.onRelease(() => log.push("released"));
      own.forkDaemon(() => awaitCancel().finally(() => log.push("daemon")));
      return Promise.resolve(pipeConnection()[0]);
    });
    const connection = await connector.connect(sw, x);
    await turns(2);
    assertEquals(log, []);
    await all([() => connection.close(), () => connection.close()]);
    assertEquals(log, ["daemon", "released"]);
  });
});

test("the winner keeps its switch until it is aborted", async () => {
  await Switch.run(async (sw) => {
    const released = signal();
    const connector = connectorFor((own) => {
      own.onRelease(() => released.resolve());
      return Promise.resolve(pipeConnection()[0]);
    });
    (await connector.connect(sw, x)).abort();
    await released.promise;
  });
});

test("the winner's switch ends with the owner, among its other resources", async () => {
  const log: string[] = [];
  const connector = connectorFor((own) => {
    own.onRelease(() => log.push("released"));
    return Promise.resolve(pipeConnection()[0]);
  });
  await Switch.run(async (sw) => {
    await connector.connect(sw, x);
    sw.onRelease(async () => {
      await turns(2);
      log.push("newer hook");
    });
  });
  assertEquals(log, ["newer hook", "released"]);
});

test("a connector may fork what ends with the connection", async () => {
  await Switch.run(async (sw) => {
    const connector = connectorFor((own) => {
      const [near, far] = pipeConnection();
      own.fork(() => readText(far));
      return Promise.resolve(near);
    });
    await connector.connect(sw, x);
  });
});

test("an error of a connector's fiber aborts the connection, and closing throws it", async () => {
  await Switch.run(async (sw) => {
    const fail = signal();
    const connector = connectorFor((own) => {
      own.fork(async () => {
        await interruptible(fail.promise);
        throw problem;
      });
      return Promise.resolve(pipeConnection()[0]);
    });
    const connection = await connector.connect(sw, x);
    const reading = assertRejects(() => connection.read(new Uint8Array(1)), ClosedError);
    fail.resolve();
    await reading;
    assertStrictEquals(await outcomeOf(() => connection.close()), problem);
  });
});

test("an error of a connector's fiber fails the attempt at once", async () => {
  await Switch.run(async (sw) => {
    const connector = connectorFor((own) => {
      own.fork(() => Promise.reject(problem));
      return new Promise(() => {});
    });
    assertStrictEquals(await outcomeOf(() => connector.connect(sw, x)), problem);
  });
});

test("a connector that throws at once, or returns no connection, fails the attempt", async () => {
  await Switch.run(async (sw) => {
    const throwing = connectorFor(() => {
      throw problem;
    });
    assertStrictEquals(await outcomeOf(() => throwing.connect(sw, x)), problem);
    for (const value of [undefined, null, {}, { read() {} }]) {
      const wrong = connectorFor(() => Promise.resolve(value as never));
      await assertRejects(() => wrong.connect(sw, x), TypeError, 'what the connector of "x" returns');
    }
  });
});

test("a connector that never answers is abandoned at the timeout", async () => {
  await Switch.run(async (sw) => {
    const clock = mockClock();
    const log: string[] = [];
    const opened = signal();
    const connector = stuck(log, memoryNet({ clock }), opened, 1000);
    const failed = assertNetError(() => connector.connect(sw, [custom("x", "secret"), web]), "connection_timeout");
    await opened.promise;
    clock.advance();
    assertEquals((await failed).message, "Cannot connect to any of 2 endpoints: connection timeout");
    assertEquals(log, ["released"]);
  });
});

test("a connection that comes after the timeout is aborted", async () => {
  await Switch.run(async (sw) => {
    const clock = mockClock();
    const late = signal<Connection>();
    const aborted = signal();
    const connector = connectorFor(() => late.promise, memoryNet({ clock }), 1000);
    const failed = assertNetError(() => connector.connect(sw, x), "connection_timeout");
    while (!clock.tryAdvance()) await turns(1);
    await failed;
    late.resolve({ ...pipeConnection()[0], abort: () => aborted.resolve() });
    await aborted.promise;
  });
});

/** Advances the clock as soon as a timer waits. */
async function advance(clock: MockClock): Promise<void> {
  while (!clock.tryAdvance()) await turns(1);
}

test("the timeout covers handshakes and resolution, and all attempts together", async () => {
  await Switch.run(async (sw) => {
    const clock = mockClock();
    const net = memoryNet({ clock });
    await startServer(sw, net, web, awaitCancel); // never answers a ClientHello
    const connector = createConnector({ net, timeout: 1000, tls: { authorities: authority } });
    const silent = tls("localhost", web);
    for (
      const [call, target] of [
        [() => connector.connect(sw, silent), "tls:localhost/tcp:127.0.0.1:7000"],
        [() => connector.connect(sw, tls("localhost", silent)), "tls:localhost/tls:localhost/tcp:127.0.0.1:7000"],
        [() => connector.connect(sw, [tcp("127.0.0.1", 1), silent]), "any of 2 endpoints"],
        [() => connector.connectUrl(sw, "x", { resolve: () => new Promise(() => {}) }), "the endpoint of a URL"],
        [() => connector.connectUrl(sw, "x", { resolve: () => Promise.resolve(silent) }), "the endpoint of a URL"],
      ] as const
    ) {
      const failed = assertNetError(call, "connection_timeout");
      await advance(clock);
      assertEquals((await failed).message, `Cannot connect to ${target}: connection timeout`);
    }
    assertEquals(clock.now(), 5000);
  });
});

test("the error of a timeout keeps what has failed before", async () => {
  await Switch.run(async (sw) => {
    const clock = mockClock();
    const opened = signal();
    const connector = stuck([], memoryNet({ clock }), opened, 1000);
    const endpoints = [tcp("127.0.0.1", 1), unknown("why"), x, web];
    const failed = assertNetError(() => connector.connect(sw, endpoints), "connection_timeout");
    await opened.promise;
    clock.advance();
    const error = await failed;
    assertEquals(error.message, "Cannot connect to any of 4 endpoints: connection timeout");
    const { errors } = error.cause as AggregateError;
    assertEquals(errors.map(({ code }) => code), ["connection_refused", "address_lookup_failed", "connection_timeout"]);
  });
});

test("the timeout of a handshake runs on the clock of the network", async () => {
  await Switch.run(async (sw) => {
    const clock = mockClock();
    const net = memoryNet({ clock });
    await startServer(sw, net, web, awaitCancel);
    const connector = createConnector({ net, tls: { handshakeTimeout: 2000 } });
    const failed = assertRejects(
      () => connector.connect(sw, tls("localhost", web)),
      Error,
      "the handshake took too long",
    );
    await advance(clock);
    await failed;
    assertEquals(clock.now(), 2000);
  });
});

test("cancelling the caller abandons an attempt, and tries no further", async () => {
  await Switch.run(async (sw) => {
    const clock = mockClock();
    const log: string[] = [];
    const opened = signal();
    const connector = stuck(log, memoryNet(), opened);
    const cancelled = assertRejects(() => withTimeout(clock, 5, () => connector.connect(sw, [x, web])), TimeoutError);
    await opened.promise;
    clock.advance();
    await cancelled;
    assertEquals(log, ["released"]);
    await inCancelledScope(() => assertRejects(() => connector.connect(sw, x), Cancelled));
  });
});

test("an owner that fails cancels an attempt that runs elsewhere", async () => {
  const log: string[] = [];
  const opened = signal();
  const connector = stuck(log, memoryNet(), opened);
  let attempt: Promise<unknown> = Promise.resolve();
  const failed = await outcomeOf(() =>
    Switch.run(async (outer) => {
      await Switch.run(async (sw) => {
        attempt = outer.forkPromise(() => connector.connect(sw, [x, x]));
        await opened.promise;
        throw problem;
      });
    })
  );
  assertStrictEquals(failed, problem);
  await assertRejects(() => attempt, Cancelled);
  assertEquals(log, ["released"]);
});

test("an owner that ends stops an attempt that runs elsewhere, and waits for it", async () => {
  await Switch.run(async (outer) => {
    const log: string[] = [];
    const opened = signal();
    const connector = stuck(log, memoryNet(), opened);
    let attempt: Promise<unknown> = Promise.resolve();
    await Switch.run(async (sw) => {
      attempt = outer.forkPromise(() => connector.connect(sw, [x, x]));
      await opened.promise;
    });
    assertEquals(log, ["released"]);
    await assertRejects(() => attempt, TypeError, "Cannot connect: the switch is finished");
  });
});

test("an attempt that nobody awaits ends silently with its scope", async () => {
  const log: string[] = [];
  const opened = signal();
  await Switch.run(async (sw) => {
    void stuck(log, memoryNet(), opened).connect(sw, x);
    await opened.promise;
  });
  assertEquals(log, ["released"]);
});

test("a connection that is established as the caller is cancelled is closed", async () => {
  await Switch.run(async (sw) => {
    const log: string[] = [];
    const answer = signal<Connection>();
    const connector = connectorFor((own) => {
      own.onRelease(() => log.push("released"));
      return answer.promise;
    });
    const failed = await outcomeOf(() =>
      Switch.run(async (inner) => {
        inner.fork(() => connector.connect(sw, x));
        await turns(1);
        answer.resolve({ ...pipeConnection()[0], abort: () => log.push("aborted") });
        inner.fail(problem);
      })
    );
    assertStrictEquals(failed, problem);
    assertEquals(log, ["aborted", "released"]);
  });
});

for (const layers of [0, 1]) {
  test(`a connection that comes as its owner fails is closed, under ${layers} layers of TLS`, async () => {
    const log: string[] = [];
    const failed = await outcomeOf(() =>
      Switch.run(async (sw) => {
        const answer = signal<Connection>();
        const connector = connectorFor(() => answer.promise);
        sw.fork(() => connector.connect(sw, layers === 0 ? x : tls("localhost", x)));
        await turns(1);
        answer.resolve({ ...pipeConnection()[0], abort: () => log.push("aborted") });
        await Promise.resolve();
        await Promise.resolve();
        sw.fail(problem);
      })
    );
    assertStrictEquals(failed, problem);
    assert(log.includes("aborted"));
  });
}

test("connections of one connector are independent of each other", async () => {
  await Switch.run(async (sw) => {
    const net = memoryNet();
    await startServer(sw, net, web);
    await startServer(sw, net, unix("/run/x"));
    const connector = createConnector({ net });
    const endpoints: Endpoint[] = [web, unix("/run/x"), web];
    const connections = await all(endpoints.map((endpoint) => () => connector.connect(sw, endpoint)));
    await connections[0].close();
    connections[1].abort();
    assertEquals(await exchange(connections[2], "hello"), "hello");
    assert(sw.dump().includes("tcp:127.0.0.1:7000"));
  });
});

/** What the cases use. */
interface World {
  readonly net: Net;
  readonly folder: string;
  /** The address of the server of the case. */
  readonly address: StreamAddress;
}

/** Starts a server. */
type Server = (sw: Switch, net: Net) => Promise<StreamAddress>;

/** Closes each connection at once. */
const rude: Server = (sw, net) => startServer(sw, net, anyPort, () => {});
const secure: Server = (sw, net) => startServer(sw, net, tls("x", anyPort), echoing, serverSettings);
const nested: Server = (sw, net) => startServer(sw, net, tls("x", tls("y", anyPort)), echoing, serverSettings);

interface Case {
  readonly count: number;
  readonly server?: Server;
  readonly endpoint: (world: World) => Endpoint;
  /** The code or the message of the error. */
  readonly outcome: string;
  readonly net?: Net;
  readonly timeout?: number;
  readonly open?: (own: Switch, world: World) => Promise<Connection>;
}

/** A busy machine may take long for a handshake. */
const settings = { authorities: authority, handshakeTimeout: Infinity };
const serverSettings = { tls: { ...serverOptions, handshakeTimeout: Infinity } };

/** How often each case is tried. A handshake takes as long as many refusals. */
const often = 1000;
const seldom = process.env.SLUICE_SOAK === undefined ? 10 : often;

const cases: Readonly<Record<string, Case>> = {
  "a lookup": {
    count: often,
    endpoint: () => hostAddress("absent.test", 80),
    outcome: "address_lookup_failed",
    net: memoryNet(),
  },
  TCP: { count: often, endpoint: () => tcp(ownHost, ownPort()), outcome: "connection_refused" },
  "a Unix socket": { count: often, endpoint: ({ folder }) => unix(join(folder, "absent")), outcome: "not_found" },
  "a connector": {
    count: seldom,
    endpoint: () => custom("x", null),
    outcome: "Cannot open it",
    server: rude,
    async open(own, { net, address }) {
      await net.connect(own, address);
      throw new Error("Cannot open it");
    },
  },
  "a connector that never answers": {
    count: seldom,
    endpoint: () => custom("x", null),
    outcome: "connection_timeout",
    timeout: 1,
    server: rude,
    async open(own, { net, address }) {
      await net.connect(own, address);
      return await new Promise(() => {});
    },
  },
  "TLS over a connector": {
    count: seldom,
    endpoint: () => tls("localhost", custom("x", null)),
    outcome: "truncated",
    async open() {
      const [near, far] = pipeConnection();
      await far.shutdown("send");
      return near;
    },
  },
  "TLS that the peer cuts": {
    count: seldom,
    server: rude,
    endpoint: ({ address }) => tls("localhost", address),
    outcome: "truncated",
  },
  "TLS with a wrong name": {
    count: seldom,
    server: secure,
    endpoint: ({ address }) => tls("a.test", address),
    outcome: "name_mismatch",
  },
  "TLS in TLS": {
    count: seldom,
    server: nested,
    endpoint: ({ address }) => tls("a.test", tls("localhost", address)),
    outcome: "name_mismatch",
  },
};

for (const [layer, { count, server, endpoint, outcome, net: other, timeout, open }] of Object.entries(cases)) {
  test(`failures of ${layer} leave nothing open`, () =>
    withFolder((folder) =>
      withNet(async (sw, net) => {
        const address = await server?.(sw, net) ?? anyPort;
        const world: World = { net, folder, address };
        const connectors = open && { x: (own: Switch) => open(own, world) };
        const connector = createConnector({ net: other ?? net, timeout, tls: settings, connectors });
        const target = endpoint(world);
        await Switch.run(async (sw) => {
          const fail = async () => {
            const { code, message } = await outcomeOf(() => connector.connect(sw, target)) as NetError;
            assertEquals(code ?? message, outcome, message);
          };
          await fail(); // opens what a runtime opens late
          await until(() => openCounts().sockets === 0);
          const before = descriptors();
          const { stackTraceLimit } = Error;
          Error.stackTraceLimit = 0; // most of the time goes into stack traces
          await forEachFiber(Array(count).fill(fail), (fail) => fail(), { maxFibers: 20 })
            .finally(() => Error.stackTraceLimit = stackTraceLimit);
          await until(() => openCounts().sockets === 0); // those of the server too
          await descriptorsBack(before);
          assertEquals(sw.dump(), "switch");
        });
      })
    ));
}
