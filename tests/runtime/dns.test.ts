// Copyright 2026 the Sluice authors. MIT license.

/** Names, as a real dnsmasq and hostile servers tell them. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { once } from "node:events";
import { createServer } from "node:net";
import {
  both,
  Cancelled,
  first,
  formatAddress,
  hostAddress,
  type LookupCode,
  type Net,
  run,
  Switch,
  tcp,
  udp,
  type UdpAddress,
  withTcpConnect,
} from "../../mod.ts";
import { test } from "../_test.ts";
import { anyPort, assertNetError, ownHost, ownPort, signal, withNet } from "../net/_helpers.ts";
import { dnsmasq, type Question, withDnsmasq, withNames, withNameServer } from "./_dnsmasq.ts";

const peers = [dnsmasq];

async function addressesOf(net: Net, name: string): Promise<string[]> {
  return (await net.getAddrInfo(name, { type: "stream" })).map(({ ip }) => `${ip}`);
}

async function lookupCode(operation: () => Promise<unknown>): Promise<LookupCode | undefined> {
  return (await assertNetError(operation, "address_lookup_failed")).lookupCode;
}

test("getAddrInfo() gives what dnsmasq has, IPv6 first, and follows an alias", async () => {
  const records = [
    "host-record=both.test,10.0.0.1,fd00::1",
    "host-record=four.test,10.0.0.4",
    "cname=alias.test,four.test",
  ];
  await withDnsmasq(records, (server) =>
    withNames(server, async (net) => {
      assertEquals(await addressesOf(net, "both.test"), ["fd00::1", "10.0.0.1"]);
      assertEquals(await addressesOf(net, "four.test"), ["10.0.0.4"]);
      assertEquals(await addressesOf(net, "ALIAS.test."), ["10.0.0.4"]);
    }));
}, { peers });

test("getAddrInfo() of a name that dnsmasq does not know is NONAME", async () => {
  await withDnsmasq([], (server) =>
    withNames(server, async (net) => {
      const error = await assertNetError(() => net.getAddrInfo("nobody.test"), "address_lookup_failed");
      assertEquals([error.lookupCode, error.context], ["NONAME", ['looking up "nobody.test"']]);
    }));
}, { peers });

test(
  "getAddrInfo() of a name without addresses is NODATA",
  async () => {
    await withDnsmasq(["txt-record=text.test,hello"], (server) =>
      withNames(server, async (net) => {
        const code = await lookupCode(() => net.getAddrInfo("text.test"));
        assert(code === "NODATA" || code === "NONAME", code);
      }));
  },
  { peers },
);

test("getAddrInfo() gives all of 500 addresses that dnsmasq has", async () => {
  const ips = Array.from({ length: 500 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
  await withDnsmasq(ips.map((ip) => `host-record=many.test,${ip}`), (server) =>
    withNames(server, async (net) => {
      assertEquals((await addressesOf(net, "many.test")).sort(), ips.sort());
    }));
}, { peers });

test("getNameInfo() gives the name that dnsmasq has, and the address itself where it has none", async () => {
  const records = ["ptr-record=1.0.0.10.in-addr.arpa,db.test", "ptr-record=2.0.0.10.in-addr.arpa,127.0.0.1"];
  await withDnsmasq(records, (server) =>
    withNames(server, async (net) => {
      assertEquals(await net.getNameInfo(tcp("10.0.0.1", 5432)), { hostname: "db.test", service: "postgresql" });
      assertEquals(await net.getNameInfo(udp("10.0.0.9", 40_000)), { hostname: "10.0.0.9", service: "40000" });
      assertEquals(await net.getNameInfo(tcp("10.0.0.2", 80)), { hostname: "10.0.0.2", service: "http" });
    }));
}, { peers });

test("getServices() gives what dnsmasq has, by priority", async () => {
  const records = ["srv-host=_http._tcp.test,b.test,81,2,5", "srv-host=_http._tcp.test,a.test,80,1,7"];
  await withDnsmasq(records, (server) =>
    withNames(server, async (net) => {
      assertEquals(await net.getServices("_http._tcp.test"), [
        { name: "a.test", port: 80, priority: 1, weight: 7 },
        { name: "b.test", port: 81, priority: 2, weight: 5 },
      ]);
      assertEquals(await lookupCode(() => net.getServices("_ssh._tcp.test")), "NONAME");
    }));
}, { peers });

test("getServices() is SERVICE where the domain says that it does not offer it", async () => {
  await withDnsmasq(["srv-host=_http._tcp.test"], (server) =>
    withNames(server, async (net) => {
      assertEquals(await lookupCode(() => net.getServices("_http._tcp.test")), "SERVICE");
    }));
}, { peers });

test("connect() to what getServices() gave reaches the service", async () => {
  await withNet(async (sw, listening) => {
    const listener = await listening.listen(sw, anyPort);
    const records = [`srv-host=_echo._tcp.test,here.test,${listener.address.port}`, "host-record=here.test,127.0.0.1"];
    await withDnsmasq(records, (server) =>
      withNames(server, (net) =>
        Switch.run(async (inner) => {
          const [{ name, port }] = await net.getServices("_echo._tcp.test");
          assertEquals((await net.connect(inner, hostAddress(name, port))).peer, listener.address);
        })));
  });
}, { peers });

test("connect() to a name with dead addresses reaches the one that is alive", async () => {
  await withNet(async (sw, listening) => {
    const { address } = await listening.listen(sw, tcp(ownHost, ownPort()));
    const records = ["127.0.0.2", "127.0.0.3", "::1", ownHost].map((ip) => `host-record=some.test,${ip}`);
    await withDnsmasq(records, (server) =>
      withNames(server, (net) =>
        Switch.run(async (inner) => {
          assertEquals((await net.connect(inner, hostAddress("some.test", address.port))).peer, address);
          const target = { host: "some.test", service: String(address.port), timeout: 5000 };
          assertEquals(await withTcpConnect(net, target, ({ peer }) => formatAddress(peer)), formatAddress(address));
        })));
  });
}, { peers });

test("connect() to a name whose addresses are all dead lists an error for each", async () => {
  const records = [ownHost, "127.0.0.2", "::1"].map((ip) => `host-record=dead.test,${ip}`);
  await withDnsmasq(records, (server) =>
    withNames(server, (net) =>
      Switch.run(async (sw) => {
        const target = hostAddress("dead.test", ownPort());
        const { cause } = await assertNetError(() => net.connect(sw, target), "connection_refused");
        assertInstanceOf(cause, AggregateError);
        assertEquals(cause.errors.map(({ code }) => code), Array(3).fill("connection_refused"));
      })));
}, { peers });

const errors: [name: string, code: number, expected: LookupCode][] = [
  ["SERVFAIL", 2, "FAIL"],
  ["REFUSED", 5, "FAIL"],
  ["NXDOMAIN", 3, "NONAME"],
];

for (const [name, code, expected] of errors) {
  test(`getAddrInfo() of a name that a server answers with ${name} is ${expected}`, async () => {
    await withNameServer(() => code, (server) =>
      withNames(server, async (net) => {
        assertEquals(await lookupCode(() => net.getAddrInfo("a.test")), expected);
      }));
  });
}

test("getAddrInfo() is AGAIN on a server that sends nothing, or anything but a reply", async () => {
  const giveUp = (said: Uint8Array | undefined) =>
    withNameServer(() => said, (server) =>
      withNames(server, async (net) => {
        assertEquals(await lookupCode(() => net.getAddrInfo("a.test")), "AGAIN");
      }));
  await both(() => giveUp(undefined), () => giveUp(new Uint8Array([1, 2, 3])));
});

for (const [how, hangUp] of [["closes", "end"], ["resets", "resetAndDestroy"]] as const) {
  test(`getAddrInfo() of a server that ${how} its TCP connection is FAIL`, async () => {
    const listener = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket[hangUp]());
    });
    const port = ownPort(); // free for both protocols
    listener.listen(port, "127.0.0.1");
    await once(listener, "listening");
    try {
      const lookUp = (server: UdpAddress) =>
        withNames(server, async (net) => {
          assertEquals(await lookupCode(() => net.getAddrInfo("a.test")), "FAIL");
        });
      await withNameServer(() => "truncated", lookUp, port);
    } finally {
      listener.close();
      await once(listener, "close");
    }
  });
}

test("getAddrInfo() believes only the server that it has asked", async () => {
  const answer = async ({ type, forge }: Question) => {
    if (type !== "A") return [];
    await forge(["10.6.6.6"]);
    return ["10.0.0.1"];
  };
  await withNameServer(
    answer,
    (server) => withNames(server, async (net) => assertEquals(await addressesOf(net, "a.test"), ["10.0.0.1"])),
  );
});

test("getAddrInfo() asks the next server when one cannot answer, and believes one that knows", async () => {
  const servfail = 2;
  const nxdomain = 3;
  await withNameServer(
    () => servfail,
    (broken) =>
      withNameServer(
        () => nxdomain,
        (knows) =>
          withNameServer(() => ["10.0.0.1"], (last) =>
            run(async ({ net }) =>
              assertEquals(
                await lookupCode(() => net.getAddrInfo("a.test")),
                "NONAME",
              ), {
              nameServers: [broken, knows, last],
            })),
      ),
  );
});

test("getAddrInfo() asks the next server when one says nothing", async () => {
  await withNameServer(() => undefined, (silent) =>
    withNameServer(
      ({ type }) => type === "A" ? ["10.0.0.1"] : [],
      (server) =>
        run(async ({ net }) => assertEquals(await addressesOf(net, "a.test"), ["10.0.0.1"]), {
          nameServers: [silent, server],
        }),
    ));
});

const questions: [name: string, ask: (net: Net) => Promise<unknown>][] = [
  ["getAddrInfo()", (net) => net.getAddrInfo("a.test")],
  ["getNameInfo()", (net) => net.getNameInfo(tcp("10.0.0.1", 80))],
  ["getServices()", (net) => net.getServices("_http._tcp.test")],
];

for (const [name, ask] of questions) {
  test(`${name} is cancelled promptly while a slow server thinks`, async () => {
    const asked = signal();
    await withNameServer(() => void asked.resolve(), (server) =>
      withNames(server, async (net) => {
        let error: unknown;
        await first(() => ask(net).catch((caught) => Promise.reject(error = caught)), () => asked.promise);
        assertInstanceOf(error, Cancelled);
      }));
  });
}

test("connect() to a name counts a slow server within its timeout", async () => {
  await withNameServer(() => undefined, (server) =>
    withNames(server, (net) =>
      Switch.run(async (sw) => {
        await assertNetError(() => net.connect(sw, hostAddress("a.test", 80), { timeout: 20 }), "connection_timeout");
      })));
});

test("connect() to a name does not wait for a family whose answer is slow", async () => {
  await withNet(async (sw, listening) => {
    const { address } = await listening.listen(sw, anyPort);
    const answer = ({ type }: Question) => type === "A" ? ["127.0.0.1"] : undefined;
    await withNameServer(answer, (server) =>
      run(({ net }) =>
        Switch.run(async (inner) => {
          const started = performance.now();
          assertEquals((await net.connect(inner, hostAddress("a.test", address.port))).peer, address);
          assert(performance.now() - started < 19_000, "waited for the other family"); // which takes 20 s: 2 s for each try
        }), { nameServers: Array(5).fill(server) }));
  });
});

test("connect() to a name asks once for each family, though the answers flip", async () => {
  await withNet(async (sw, listening) => {
    const { address } = await listening.listen(sw, tcp(ownHost, ownPort()));
    const asked: Question["type"][] = [];
    const flip = ({ type }: Question) => {
      asked.push(type);
      if (type !== "A") return [];
      return asked.filter((each) => each === "A").length % 2 === 1 ? [ownHost] : ["127.0.0.2"];
    };
    await withNameServer(flip, (server) =>
      withNames(server, (net) =>
        Switch.run(async (inner) => {
          const target = hostAddress("flip.test", address.port);
          assertEquals((await net.connect(inner, target)).peer, address);
          assertEquals(asked.sort(), ["A", "AAAA"]);
          await assertNetError(() => net.connect(inner, target), "connection_refused");
        })));
  });
});

test("getAddrInfo() of localhost asks no server", async () => {
  let asked = 0;
  await withNameServer(() => void asked++, (server) =>
    withNames(server, async (net) => {
      for (const name of ["localhost", "LOCALHOST.", "a.localhost"]) {
        assertEquals(await addressesOf(net, name), ["::1", "127.0.0.1"]);
      }
      assertEquals(asked, 0);
    }));
});

test("getAddrInfo() of a literal, and of what can be no name, asks no server", async () => {
  let asked = 0;
  await withNameServer(() => void asked++, (server) =>
    withNames(server, async (net) => {
      assertEquals(await addressesOf(net, "127.0.0.1"), ["127.0.0.1"]);
      for (const name of ["127.1", "0x7f.1", "2130706433", "１２７.0.0.1", "a\0b", "[::1]", `${"a".repeat(64)}.test`]) {
        assertEquals(await lookupCode(() => net.getAddrInfo(name)), "NONAME");
      }
      assertEquals(asked, 0);
    }));
});

test("getAddrInfo() leaves nothing open after 200 lookups, half of them cancelled", async () => {
  const answer = ({ name }: Question) => name.startsWith("slow") ? undefined : ["10.0.0.1"];
  await withNameServer(answer, (server) =>
    withNames(server, async (net) => {
      for (let i = 0; i < 100; i++) {
        await first(() => net.getAddrInfo("slow.test"), () => net.getAddrInfo("quick.test"));
      }
    }));
});

const refused: [why: string, nameServers: readonly UdpAddress[], error: ErrorConstructor][] = [
  ["an empty list", [], RangeError],
  ["port 0", [udp("127.0.0.1", 0)], RangeError],
  ["a TCP address", [tcp("127.0.0.1", 53) as unknown as UdpAddress], TypeError],
  ["a zone", [udp("fe80::1%lo", 53)], TypeError],
];

for (const [why, nameServers, error] of refused) {
  test(`run() refuses ${why} as name servers`, async () => {
    await assertRejects(() => run(() => {}, { nameServers }), error, "Cannot use");
  });
}

test("getNameInfo() of the system knows loopback", async () => {
  await withNet(async (_, net) => {
    assertEquals(await net.getNameInfo(tcp("127.0.0.1", 80)), { hostname: "localhost", service: "http" });
  });
});
