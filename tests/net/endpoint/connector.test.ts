// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  BufReader,
  type ClosedError,
  type Connection,
  type ConnectOptions,
  copyString,
  hostAddress,
  type Net,
  NetError,
  Switch,
  tcp,
  unix,
} from "../../../mod.ts";
import { publicOnly, restrict } from "../../../net/confine/mod.ts";
import {
  type Connector,
  type ConnectorOptions,
  createConnector,
  custom,
  type Endpoint,
  formatEndpoint,
  systemResolver,
  tls,
  unknown,
} from "../../../net/endpoint/mod.ts";
import { memoryNet, mockClock, mockFlow, mockNet, type SimHost, simulate } from "../../../net/testing/mod.ts";
import { TlsError, tlsServer } from "../../../net/tls/mod.ts";
import { wrapNet } from "../../../net/wrap/mod.ts";
import { outcomeOf, readText } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { assertNetError, finishedSwitch, signal } from "../_helpers.ts";
import { authority, certificate, serverOptions } from "../tls/_helpers.ts";
import { exchange, pipeConnection, startServer } from "./_helpers.ts";

const web = tcp("127.0.0.1", 7000);
const down = tcp("127.0.0.1", 1);

/** Runs `fn` with a network in memory, a connector over it, and an echo server at an endpoint. */
async function withServer(
  endpoint: Endpoint,
  fn: (connector: Connector, sw: Switch, net: Net) => Promise<void>,
  options: Partial<ConnectorOptions> = {},
): Promise<void> {
  await Switch.run(async (sw) => {
    const net = memoryNet({ hosts: { "db.test": ["127.0.0.1"] } });
    await startServer(sw, net, endpoint);
    await fn(createConnector({ net, tls: { authorities: authority }, ...options }), sw, net);
  });
}

for (
  const [server, endpoint] of [
    [web, web],
    [web, hostAddress("db.test", 7000)],
    [unix("/run/x"), unix("/run/x")],
    [tls("x", web), tls("localhost", web)],
    [tls("x", web), tls("127.0.0.1", hostAddress("db.test", 7000))],
    [tls("x", unix("/run/x")), tls("localhost", unix("/run/x"))],
    [tls("x", tls("y", web)), tls("localhost", tls("127.0.0.1", web))],
    [tls("x", tls("y", tls("z", unix("/x")))), tls("localhost", tls("localhost", tls("localhost", unix("/x"))))],
  ] as [Endpoint, Endpoint][]
) {
  test(`connect() connects to ${formatEndpoint(endpoint)}`, () =>
    withServer(server, async (connector, sw) => {
      const connection = await connector.connect(sw, endpoint);
      assertEquals(connection.endpoint, endpoint);
      assertEquals(connection.protocol, undefined);
      assert(connection.peer.transport === "tcp" || connection.peer.transport === "unix");
      assertEquals(await exchange(connection, "hello"), "hello");
    }));
}

test("connect() negotiates the protocols of the endpoint, each layer its own", () =>
  withServer(tls("x", tls("y", web, ["mux"]), ["h2", "http/1.1"]), async (connector, sw) => {
    const connection = await connector.connect(sw, tls("localhost", tls("localhost", web, ["mux"]), ["http/1.1"]));
    assertEquals(connection.protocol, "http/1.1");
    const inner = await connector.connect(sw, tls("localhost", web, ["mux", "other"]));
    assertEquals(inner.protocol, "mux");
  }));

test("connect() sends no server name for an IP address, and verifies the address", async () => {
  const names: unknown[] = [];
  await Switch.run(async (sw) => {
    const net = memoryNet();
    const options = { tls: { certificate: (name?: string) => (names.push(name), certificate("localhost")) } };
    await startServer(sw, net, tls("x", web), undefined, options);
    const connector = createConnector({ net, tls: { authorities: authority } });
    await connector.connect(sw, tls("127.0.0.1", web));
    await connector.connect(sw, tls("localhost", web));
    const error = await assertRejects(() => connector.connect(sw, tls("127.0.0.2", web)), TlsError);
    assertEquals(error.code, "name_mismatch");
  });
  assertEquals(names, [undefined, "localhost", undefined]);
});

test("connect() asks a function for the settings of TLS with each server", async () => {
  const asked: string[] = [];
  await withServer(tls("x", tls("y", web)), async (connector, sw) => {
    await connector.connect(sw, tls("localhost", tls("127.0.0.1", web)));
    assertEquals(asked, ["localhost", "127.0.0.1"]);
  }, { tls: (name) => (asked.push(name), { authorities: authority }) });
});

test("connect() tries several endpoints in order, one at a time, and takes the first that answers", async () => {
  const tried: string[] = [];
  let open = 0;
  const watched = (net: Net) =>
    wrapNet(net, {
      connect: async (next, target) => {
        assertEquals(open++, 0);
        tried.push(formatEndpoint(target));
        try {
          return await next();
        } finally {
          open--;
        }
      },
    });
  await withServer(web, async (_, sw, net) => {
    const connector = createConnector({ net: watched(net) });
    const connection = await connector.connect(sw, [down, unknown("no"), unix("/absent"), web, tcp("127.0.0.1", 2)]);
    assertStrictEquals(formatEndpoint(connection.endpoint), "tcp:127.0.0.1:7000");
    assertEquals(tried, ["tcp:127.0.0.1:1", "unix:/absent", "tcp:127.0.0.1:7000"]);
  });
});

test("connect() keeps all failures of several endpoints in one error, with the code of the last", () =>
  withServer(web, async (connector, sw) => {
    const error = await assertNetError(
      () => connector.connect(sw, [unknown("x"), unix("/absent"), down]),
      "connection_refused",
    );
    assertEquals(error.message, "Cannot connect to any of 3 endpoints: connection refused");
    const { errors } = error.cause as AggregateError;
    assertEquals(errors.map(({ code }) => code), ["address_lookup_failed", "not_found", "connection_refused"]);
  }));

test("connect() says why the last of several endpoints failed, if TLS failed", () =>
  withServer(tls("x", web), async (connector, sw) => {
    const error = await assertNetError(() => connector.connect(sw, [down, tls("a.test", web)]), "unknown");
    assert(/any of 2 endpoints.*cannot start TLS with tcp:127.0.0.1:7000/.test(error.message), error.message);
    assert((error.cause as AggregateError).errors[1] instanceof TlsError);
  }));

test("connect() throws the only failure as it is", () =>
  withServer(tls("x", web), async (connector, sw) => {
    await assertNetError(() => connector.connect(sw, [down]), "connection_refused");
    const error = await assertRejects(() => connector.connect(sw, tls("a.test", web)), TlsError);
    assertEquals(error.code, "name_mismatch");
  }));

test("connect() adds the whole endpoint to the error of a part", () =>
  withServer(web, async (connector, sw) => {
    const error = await assertNetError(() => connector.connect(sw, tls("a.test", unix("/absent"))), "not_found");
    assertEquals(error.context, ["connecting to unix:/absent", "connecting to tls:a.test/unix:/absent"]);
  }));

test("connect() to an unknown endpoint fails with its reason", () =>
  withServer(web, async (connector, sw) => {
    for (const endpoint of [unknown("no such service"), tls("a.test", unknown("no such service"))]) {
      const error = await assertNetError(() => connector.connect(sw, endpoint), "address_lookup_failed");
      assert(error.message.includes("no such service"), error.message);
    }
  }));

test("connect() fails for a custom endpoint without a connector, whose data it does not show", () =>
  withServer(web, async (connector, sw) => {
    for (const endpoint of [custom("vchan", "secret"), tls("a.test", custom("vchan", "secret"))]) {
      const error = await assertNetError(() => connector.connect(sw, endpoint), "not_supported");
      assert(error.message.includes('the scheme "vchan"') && !error.message.includes("secret"), error.message);
    }
  }, { connectors: { other: () => Promise.reject(new Error("Cannot be asked")) } }));

test("connect() checks every argument before anything is opened", async () => {
  const net: Net = { ...memoryNet(), clock: mockClock(), connect: () => Promise.reject(new Error("Cannot be asked")) };
  const wrongTls = createConnector({ net, tls: () => ({ authorities: "x" }) });
  const noTls = createConnector({ net, tls: () => 1 as never });
  const connector = createConnector({ net });
  await Switch.run(async (sw) => {
    const refused: [() => Promise<unknown>, ErrorConstructor, string][] = [
      [() => connector.connect(1 as never, web), TypeError, "sw must be a Switch"],
      [() => connector.connect(sw, []), RangeError, "the list is empty"],
      [() => connector.connect(sw, undefined as never), TypeError, "as it must be an object"],
      [() => connector.connect(sw, "tcp:127.0.0.1:1" as never), TypeError, "as it must be an object"],
      [() => connector.connect(sw, [web, 1 as never]), TypeError, "as it must be an object"],
      [() => connector.connect(sw, [web, tcp("127.0.0.1", 0)]), RangeError, "port 0 can only be listened on"],
      [() => connector.connect(sw, [web, tls("a.test", unix(""))]), TypeError, "it is empty"],
      [() => connector.connect(sw, [web, tls("a.test", unix("x".repeat(200)))]), TypeError, "200 bytes"],
      [() => wrongTls.connect(sw, [web, tls("a.test", web)]), SyntaxError, "authorities must be certificates"],
      [() => noTls.connect(sw, [web, tls("a.test", web)]), TypeError, "options must be an object"],
      [() => connector.connectUrl(1 as never, "x", systemResolver(net)), TypeError, "sw must be a Switch"],
      [() => connector.connectUrl(sw, "x", {} as never), TypeError, "must be a Resolver"],
      [() => connector.connectUrl(sw, 1 as never, systemResolver(net)), TypeError, "must be a string or a URL"],
    ];
    for (const [call, type, message] of refused) await assertRejects(call, type, message);
  });
  const ended = await finishedSwitch();
  await assertRejects(() => connector.connect(ended, web), TypeError, "the switch is finished");
});

test("createConnector() refuses wrong options", () => {
  const net = memoryNet();
  const refused: [unknown, ErrorConstructor, string][] = [
    [undefined, TypeError, "net must be a Net"],
    [1, TypeError, "options must be an object"],
    [{ net: {} }, TypeError, "net must be a Net"],
    [{ net: { connect() {} } }, TypeError, "is not a Clock"],
    [{ net, timeout: -1 }, RangeError, "timeout must be >= 0"],
    [{ net, timeout: "1" }, TypeError, "timeout must be a number"],
    [{ net, bindTo: "127.0.0.1" }, TypeError, "must be an address"],
    [{ net, bindTo: hostAddress("a.test", 1) }, TypeError, "transport must be"],
    [{ net, tls: 1 }, TypeError, "options must be an object"],
    [{ net, tls: { authorities: [] } }, RangeError, "authorities must not be empty"],
    [{ net, tls: { handshakeTimeout: -1 } }, RangeError, "handshakeTimeout"],
    [{ net, tls: { certificate: { ...certificate("localhost"), key: certificate("other").key } } }, TypeError, "key"],
    [{ net, connectors: [] }, TypeError, "connectors must be an object"],
    [{ net, connectors: { vchan: 1 } }, TypeError, 'for the scheme "vchan": 1 is not a function'],
  ];
  for (const [options, type, message] of refused) {
    assertThrows(() => createConnector(options as ConnectorOptions), type, message);
  }
});

test("createConnector() reads its options once", async () => {
  const options = { net: memoryNet(), tls: { authorities: authority }, connectors: {} as Record<string, never> };
  await withServer(tls("x", web), async (_, sw, net) => {
    options.net = net;
    const connector = createConnector(options);
    options.net = memoryNet();
    options.tls.authorities = certificate("stranger").chain as string;
    await connector.connect(sw, tls("localhost", web));
    assert(Object.isFrozen(connector));
  });
});

test("bindTo is for endpoints of its transport", async () => {
  const seen: (ConnectOptions | undefined)[] = [];
  await withServer(web, async (_, sw, net) => {
    const watched: Net = {
      ...net,
      clock: net.clock,
      connect: (sw, target, options) => (seen.push(options), net.connect(sw, target, options)),
    };
    const bindTo = tcp("127.0.0.1", 0);
    const connector = createConnector({ net: watched, bindTo });
    await connector.connect(sw, [unix("/absent"), web]);
    assertEquals(seen, [undefined, { bindTo }]);
  });
});

test("connect() works with a network that a user has written", () =>
  withServer(web, async (_, sw, net) => {
    const own = { connect: net.connect.bind(net), clock: net.clock } as Partial<Net> as Net;
    assertEquals(await exchange(await createConnector({ net: own }).connect(sw, web), "hello"), "hello");
  }));

test("a connector reaches what its network grants, and no more", () =>
  withServer(tls("x", web), async (_, sw, net) => {
    const tlsOptions = { authorities: authority };
    const confined = createConnector({ net: publicOnly(net), tls: tlsOptions });
    for (const endpoint of [web, tls("localhost", web), tls("localhost", hostAddress("db.test", 7000))]) {
      await assertNetError(() => confined.connect(sw, endpoint), "permission_denied");
    }
    const granted = createConnector({ net: restrict(net, { connect: ["127.0.0.1:7000"] }), tls: tlsOptions });
    const connection = await granted.connect(sw, [unix("/x"), tls("localhost", web)]);
    assertEquals(await exchange(connection, "hello"), "hello");
  }));

test("a connection is closed with its switch, and what it took is not lost", async () => {
  let received = Promise.resolve("");
  await Switch.run(async (sw) => {
    const net = memoryNet();
    await startServer(sw, net, tls("x", tls("y", web)), (connection) => received = readText(connection));
    await Switch.run(async (sw) => {
      const connector = createConnector({ net, tls: { authorities: authority } });
      await copyString("hello", await connector.connect(sw, tls("localhost", tls("localhost", web))));
    });
    assertEquals(await received, "hello");
  });
});

test("a connection says why it is closed", async () => {
  const closed: Connection[] = [];
  await Switch.run(async (outer) => {
    const net = memoryNet();
    await startServer(outer, net, tls("x", web));
    await startServer(outer, net, unix("/x"));
    const connector = createConnector({ net, tls: { authorities: authority } });
    for (const endpoint of [tls("localhost", web), unix("/x")]) {
      await Switch.run(async (sw) => {
        closed.push(await connector.connect(sw, endpoint), await connector.connect(sw, endpoint));
        await closed[closed.length - 1].close();
      });
    }
    const errors = await Promise.all(closed.map((connection) => outcomeOf(() => connection.read(new Uint8Array(1)))));
    const states = errors.map((error) => (error as ClosedError).message.split(": ").at(-1));
    const [ended, closedHere] = ["its switch has ended", "closed by this side"];
    assertEquals(states, [ended, closedHere, ended, closedHere]);
  });
});

test("a connection is reset where its switch fails", async () => {
  const served = signal<{ readonly outcome: Promise<unknown> }>();
  await Switch.run(async (sw) => {
    const net = memoryNet();
    await startServer(sw, net, web, async (connection) => {
      const outcome = outcomeOf(() => readText(connection));
      served.resolve({ outcome });
      await outcome;
    });
    const problem = new Error("Cannot go on");
    const failing = Switch.run(async (sw) => {
      await createConnector({ net }).connect(sw, web);
      await served.promise;
      throw problem;
    });
    assertStrictEquals(await outcomeOf(() => failing), problem);
    assertEquals((await (await served.promise).outcome as NetError).code, "connection_reset");
  });
});

test("connectUrl() resolves, and adds TLS where the service says so", async () => {
  await Switch.run(async (sw) => {
    const net = memoryNet({ hosts: { localhost: ["127.0.0.1"] } });
    await startServer(sw, net, tls("x", web));
    const connector = createConnector({ net, tls: { authorities: authority } });
    const resolver = systemResolver(net);
    const connection = await connector.connectUrl(sw, "https://LOCALHOST.:7000/path", resolver);
    assertEquals(formatEndpoint(connection.endpoint), "tls:localhost/host:localhost:7000");
    assertEquals(await exchange(connection, "hello"), "hello");
    const literal = await connector.connectUrl(sw, new URL("https://127.0.0.1:7000"), resolver);
    assertEquals(formatEndpoint(literal.endpoint), "tls:127.0.0.1/tcp:127.0.0.1:7000");
    const error = await assertNetError(
      () => connector.connectUrl(sw, "localhost:7000", resolver),
      "address_lookup_failed",
    );
    assert(error.message.includes("no scheme"));
  });
});

test("connectUrl() passes on the error of a resolver, and refuses what is not an endpoint", () =>
  withServer(web, async (connector, sw) => {
    const problem = new Error("Cannot ask");
    assertStrictEquals(
      await outcomeOf(() => connector.connectUrl(sw, "x", { resolve: () => Promise.reject(problem) })),
      problem,
    );
    const wrong = { resolve: () => Promise.resolve("tcp:127.0.0.1:7000") } as never;
    await assertRejects(() => connector.connectUrl(sw, "x", wrong), TypeError, "as it must be an object");
  }));

test("a custom endpoint is opened by its connector, and TLS goes over it", async () => {
  await Switch.run(async (sw) => {
    const net = memoryNet();
    await startServer(sw, net, tls("x", unix("/far")));
    const seen: Endpoint[] = [];
    const connector = createConnector({
      net,
      tls: { authorities: authority },
      connectors: {
        vchan: (own, endpoint) => {
          seen.push(endpoint);
          return net.connect(own, unix("/far"));
        },
      },
    });
    const endpoint = tls("localhost", custom("vchan", { domain: 3 }));
    const connection = await connector.connect(sw, endpoint);
    assertEquals(connection.endpoint, endpoint);
    assertEquals(seen, [custom("vchan", { domain: 3 })]);
    assertEquals(await exchange(connection, "hello"), "hello");
  });
});

test("a custom endpoint can be a pipe, like a vchan", async () => {
  await Switch.run(async (sw) => {
    const domains = new Map([[3, "from domain 3"], [4, "from domain 4"]]);
    const connector = createConnector({
      net: memoryNet(),
      connectors: {
        vchan: async (own, { data }) => {
          const text = domains.get((data as { domain: number }).domain);
          if (text === undefined) throw new NetError("connection_refused", { operation: "connect" });
          const [near, far] = pipeConnection();
          own.fork(async () => {
            await copyString(text, far);
            await far.close();
          });
          return await Promise.resolve(near);
        },
      },
    });
    const connection = await connector.connect(sw, [2, 4].map((domain) => custom("vchan", { domain })));
    assertEquals(await readText(connection), "from domain 4");
    assertEquals(connection.endpoint, custom("vchan", { domain: 4 }));
    await connection.close();
    const error = await assertNetError(
      () => connector.connect(sw, custom("vchan", { domain: 2 })),
      "connection_refused",
    );
    assertEquals(error.context, ["connecting to custom:vchan"]);
  });
});

test("TLS over a custom endpoint uses the server's options", async () => {
  await Switch.run(async (sw) => {
    const connector = createConnector({
      net: memoryNet(),
      tls: { authorities: authority },
      connectors: {
        memory: (own) => {
          const [near, far] = pipeConnection();
          own.forkDaemon(async () => {
            const secured = await tlsServer(own, far, { ...serverOptions, protocols: ["x"] });
            await copyString("hello", secured);
            await secured.close();
          });
          return Promise.resolve(near);
        },
      },
    });
    const connection = await connector.connect(sw, tls("localhost", custom("memory", null), ["x"]));
    assertEquals(connection.protocol, "x");
    assertEquals(await readText(connection), "hello");
  });
});

test("connect() asks a scripted network once for each endpoint, and closes what it returns", async () => {
  const net = mockNet({ clock: mockClock() });
  const server = mockFlow("server", { log: net.log });
  server.onRead({ return: "hello\n" });
  net.onConnect({ throw: new NetError("connection_refused", { operation: "connect" }) }, { return: server });
  await Switch.run(async (sw) => {
    const candidates = [tcp("10.0.0.5", 80), hostAddress("db.test", 7000)];
    const connection = await createConnector({ net }).connect(sw, candidates);
    assertEquals(connection.endpoint, candidates[1]);
    assertEquals(await new BufReader(connection, { maxSize: 100 }).line(), "hello");
  });
  assertEquals(net.log, [
    "net: connect to tcp:10.0.0.5:80",
    "net: connect to host:db.test:7000",
    'server: read "hello\\n"',
    "server: closed",
  ]);
});

test("an attempt over a simulated network fails when its host does", async () => {
  await simulate({ seed: 1, link: { latency: 5 } }, async (sim) => {
    const client = sim.host("client");
    const served = ({ net }: SimHost) =>
      Switch.run(async (sw) => {
        await startServer(sw, net, tcp("0.0.0.0", 80), (connection) => copyString("hello\n", connection));
        await net.clock.sleep(10_000);
      });
    const server = sim.host("server", { main: served });
    const { net } = client;
    const connector = createConnector({ net, timeout: 1_000 });
    const ask = () =>
      Switch.run(async (sw) => {
        const connection = await connector.connectUrl(sw, "http://server", systemResolver(net));
        return await new BufReader(connection, { maxSize: 100 }).line();
      });
    await sim.run(100);
    assertEquals(await ask(), "hello");
    sim.crash(server);
    const start = net.clock.now();
    const error = await ask().catch((error) => error);
    assertEquals([error.code, net.clock.now() - start], ["connection_timeout", 1_000]);
  });
});
