// Copyright 2026 the Sluice authors. MIT license.

/**
 * Hostile arguments are read once and refused before anything is opened, and leave nothing behind.
 */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import * as io from "../../mod.ts";
import { IpAddress, type Net, NetError, Switch, tcp, udp, unix } from "../../mod.ts";
import { createNet } from "../../net/provider/mod.ts";
import * as testing from "../../net/testing/mod.ts";
import { memoryNet, openCounts } from "../../net/testing/mod.ts";
import * as tls from "../../net/tls/mod.ts";
import {
  assertOurs,
  assertReadOnce,
  Lie,
  noNumber,
  noOptions,
  noText,
  noWhole,
  one,
  readOnce,
  refusalOf,
  refusing,
  revoked,
  strangers,
  strangersBut,
  throwingAt,
  thrownBy,
} from "../_lies.ts";
import { test } from "../_test.ts";
import { fakeNet, FakeStream } from "./_fake_provider.ts";
import { anyPort } from "./_helpers.ts";
import { clientOptions, serverOptions } from "./tls/_helpers.ts";

type Loose = (...args: unknown[]) => unknown;
type Strangers = typeof strangers;

/** The library without types. */
const js = { ...io, createNet, ...testing, ...tls } as unknown as Record<string, Loose>;

interface Place {
  readonly net: Net;
  /** The same library without types. */
  readonly loose: Record<string, Loose>;
  readonly sw: Switch;
  readonly listener: io.ListeningSocket<io.TcpAddress>;
  readonly client: Record<string, Loose>;
  readonly socket: Record<string, Loose>;
}
const onError = () => {};
const noBoolean = strangersBut("true");
/** Values that are not lists: a string can be iterated, but contains no addresses. */
const noList = strangersBut("an array", "a list with holes");

/** Asynchronous functions, and the argument that is replaced by a stranger. */
const refused:
  readonly (readonly [name: string, strangers: Strangers, call: (value: unknown, place: Place) => unknown])[] = [
    ["connect(?, address)", strangers, (value, { loose }) => loose.connect(value, tcp("127.0.0.1", 1))],
    ["connect(sw, ?)", strangers, (value, { loose, sw }) => loose.connect(sw, value)],
    [
      "connect(sw, address, ?)",
      noOptions,
      (value, { loose, sw, listener }) => loose.connect(sw, listener.address, value),
    ],
    ...Object.entries({ timeout: noNumber, linger: noNumber, bindTo: strangers, socketOptions: noOptions })
      .map(
        ([key, values]): typeof refused[number] => [
          `connect(sw, address, { ${key}: ? })`,
          values,
          (value, { loose, sw, listener }) => loose.connect(sw, listener.address, { [key]: value }),
        ],
      ),
    ["listen(?, address)", strangers, (value, { loose }) => loose.listen(value, anyPort)],
    ["listen(sw, ?)", strangers, (value, { loose, sw }) => loose.listen(sw, value)],
    ["listen(sw, address, ?)", noOptions, (value, { loose, sw }) => loose.listen(sw, anyPort, value)],
    ...Object.entries({
      backlog: strangersBut("a number"),
      linger: noNumber,
      reuseAddr: noBoolean,
      reusePort: noBoolean,
      mode: strangers,
      socketOptions: noOptions,
    }).map(([key, values]): typeof refused[number] => [
      `listen(sw, address, { ${key}: ? })`,
      values,
      (value, { loose, sw }) => loose.listen(sw, anyPort, { [key]: value }),
    ]),
    ["datagramSocket(?, address)", strangers, (value, { loose }) => loose.datagramSocket(value, udp("127.0.0.1", 0))],
    ["datagramSocket(sw, ?)", strangers, (value, { loose, sw }) => loose.datagramSocket(sw, value)],
    ["datagramSocket(sw, address, ?)", noOptions, (value, { loose, sw }) => loose.datagramSocket(sw, "udp4", value)],
    ...Object.entries({ reuseAddr: noBoolean, reusePort: noBoolean, remote: strangers, socketOptions: noOptions }).map(
      ([key, values]): typeof refused[number] => [
        `datagramSocket(sw, address, { ${key}: ? })`,
        values,
        (value, { loose, sw }) => loose.datagramSocket(sw, "udp4", { [key]: value }),
      ],
    ),
    ["getAddrInfo(?)", noText, (value, { loose }) => loose.getAddrInfo(value)],
    ["getAddrInfo(name, ?)", noOptions, (value, { loose }) => loose.getAddrInfo("localhost", value)],
    ["getAddrInfo(name, { service: ? })", noText, (service, { loose }) => loose.getAddrInfo("localhost", { service })],
    ["getAddrInfo(name, { type: ? })", strangers, (type, { loose }) => loose.getAddrInfo("localhost", { type })],
    ["getNameInfo(?)", strangers, (value, { loose }) => loose.getNameInfo(value)],
    [
      "addresses(?)",
      noText,
      (value, { loose }) => (loose.addresses(value) as AsyncIterable<unknown>)[Symbol.asyncIterator]().next(),
    ],
    ["getServices(?)", noText, (value, { loose }) => loose.getServices(value)],
    ["getAddrInfoStream(?, name)", strangers, (value) => js.getAddrInfoStream(value, "localhost")],
    ["getAddrInfoStream(net, ?)", noText, (value, { net }) => js.getAddrInfoStream(net, value)],
    ["getAddrInfoStream(net, name, ?)", noOptions, (value, { net }) => js.getAddrInfoStream(net, "localhost", value)],
    ["getAddrInfoDatagram(?, name)", strangers, (value) => js.getAddrInfoDatagram(value, "localhost")],
    ["getAddrInfoDatagram(net, ?)", noText, (value, { net }) => js.getAddrInfoDatagram(net, value)],
    [
      "connectAny(?, sw, addresses)",
      strangers,
      (value, { sw, listener }) => js.connectAny(value, sw, [listener.address]),
    ],
    [
      "connectAny(net, ?, addresses)",
      strangers,
      (value, { net, listener }) => js.connectAny(net, value, [listener.address]),
    ],
    ["connectAny(net, sw, ?)", strangers, (value, { net, sw }) => js.connectAny(net, sw, value)],
    ["connectAny(net, sw, [?])", strangers, (value, { net, sw }) => js.connectAny(net, sw, [value])],
    [
      "connectAny(net, sw, addresses, ?)",
      noOptions,
      (value, { net, sw, listener }) => js.connectAny(net, sw, [listener.address], value),
    ],
    [
      "connectAny(net, sw, addresses, { timeout: ? })",
      noNumber,
      (timeout, { net, sw, listener }) => js.connectAny(net, sw, [listener.address], { timeout }),
    ],
    [
      "withTcpConnect(?, options, fn)",
      strangers,
      (value) => js.withTcpConnect(value, { host: "localhost", service: 80 }, one),
    ],
    ["withTcpConnect(net, ?, fn)", strangers, (value, { net }) => js.withTcpConnect(net, value, one)],
    [
      "withTcpConnect(net, options, ?)",
      strangers,
      (value, { net }) => js.withTcpConnect(net, { host: "localhost", service: 80 }, value),
    ],
    [
      "withTcpConnect(net, { host: ? }, fn)",
      noText,
      (host, { net }) => js.withTcpConnect(net, { host, service: 80 }, one),
    ],
    [
      "withTcpConnect(net, { service: ? }, fn)",
      strangersBut("a text", "a huge text", "a number"),
      (service, { net }) => js.withTcpConnect(net, { host: "localhost", service }, one),
    ],
    [
      "withTcpConnect(net, { timeout: ? }, fn)",
      noNumber,
      (timeout, { net }) => js.withTcpConnect(net, { host: "nowhere.example", service: 80, timeout }, one),
    ],
    ["accept(?)", strangers, (value, { listener }) => (listener as unknown as Record<string, Loose>).accept(value)],
    ["acceptFork(?, …)", strangers, (value, { listener }) => js.acceptFork(value, listener, one, { onError })],
    ["acceptFork(sw, ?, …)", strangers, (value, { sw }) => js.acceptFork(sw, value, one, { onError })],
    [
      "acceptFork(sw, listener, ?, …)",
      strangers,
      (value, { sw, listener }) => js.acceptFork(sw, listener, value, { onError }),
    ],
    [
      "acceptFork(sw, listener, handler, ?)",
      strangers,
      (value, { sw, listener }) => js.acceptFork(sw, listener, one, value),
    ],
    [
      "acceptFork with an onError",
      strangers,
      (value, { sw, listener }) => js.acceptFork(sw, listener, one, { onError: value }),
    ],
    ["runServer(?, …)", strangers, (value) => js.runServer(value, one, { onError })],
    ["runServer(listener, ?, …)", strangers, (value, { listener }) => js.runServer(listener, value, { onError })],
    ["runServer(listener, handler, ?)", strangers, (value, { listener }) => js.runServer(listener, one, value)],
    ...Object.entries({
      onError: strangers,
      onAcceptError: strangers,
      maxConnections: strangersBut("a number"),
      stop: strangersBut("a thenable", "a thenable that throws"),
      grace: noNumber,
      keepListening: noBoolean,
    }).map(([key, values]): typeof refused[number] => [
      `runServer(listener, handler, { ${key}: ? })`,
      values,
      (value, { listener }) => js.runServer(listener, one, { onError, [key]: value }),
    ]),
    ["shutdown(?)", strangers, (value, { client }) => client.shutdown(value)],
    [
      "DatagramSocket.send(?, to)",
      strangersBut("an array"),
      (value, { socket }) => socket.send(value, udp("127.0.0.1", 9)),
    ],
    ["DatagramSocket.send([?], to)", strangers, (value, { socket }) => socket.send([value], udp("127.0.0.1", 9))],
    ["DatagramSocket.send(data, ?)", strangers, (value, { socket }) => socket.send(new Uint8Array(1), value)],
    ["DatagramSocket.recv(?)", strangers, (value, { socket }) => socket.recv(value)],
    ["run(?)", strangers, (value) => js.run(value)],
    ["run(main, ?)", noOptions, (value) => js.run(one, value)],
    ["run(main, { nameServers: ? })", strangers, (nameServers) => js.run(one, { nameServers })],
    ["run(main, { nameServers: [?] })", strangers, (value) => js.run(one, { nameServers: [value] })],
    ["tlsClient(?, flow, …)", strangers, (value) => js.tlsClient(value, io.pipe()[0], clientOptions)],
    ["tlsClient(sw, ?, …)", strangers, (value, { sw }) => js.tlsClient(sw, value, clientOptions)],
    ["tlsClient(sw, flow, ?)", strangers, (value, { sw }) => js.tlsClient(sw, io.pipe()[0], value)],
    ...Object.entries({
      serverName: strangers.filter(([name]) => name !== "a text"),
      authorities: strangers,
      certificate: strangers,
      verification: strangers,
      protocols: strangersBut("an array"),
      handshakeTimeout: noNumber,
      linger: noNumber,
      clock: strangers,
      closeNotify: strangers,
    }).map(([key, values]): typeof refused[number] => [
      `tlsClient(sw, flow, { ${key}: ? })`,
      values,
      (value, { sw }) => js.tlsClient(sw, io.pipe()[0], { ...clientOptions, [key]: value }),
    ]),
    [
      "tlsClient with a list of authorities",
      strangers,
      (value, { sw }) => js.tlsClient(sw, io.pipe()[0], { ...clientOptions, authorities: [value] }),
    ],
    [
      "tlsClient with a list of protocols",
      strangersBut("a text"),
      (value, { sw }) => js.tlsClient(sw, io.pipe()[0], { ...clientOptions, protocols: [value] }),
    ],
    ["tlsServer(sw, flow, ?)", strangers, (value, { sw }) => js.tlsServer(sw, io.pipe()[0], value)],
    [
      "tlsServer with a certificate",
      strangers,
      (certificate, { sw }) => js.tlsServer(sw, io.pipe()[0], { certificate }),
    ],
    [
      "tlsServer with a chain",
      strangers,
      (chain, { sw }) => js.tlsServer(sw, io.pipe()[0], { certificate: { ...serverOptions.certificate, chain } }),
    ],
    [
      "tlsServer with a key",
      strangers,
      (key, { sw }) => js.tlsServer(sw, io.pipe()[0], { certificate: { ...serverOptions.certificate, key } }),
    ],
  ];

for (const [name, values, call] of refused) {
  test(`${name} is refused by a rejection with a clear error, and opens nothing, whatever the stranger is`, () =>
    withPlace(async (place) => {
      const before = openCounts();
      for (const [stranger, value] of values) {
        const error = await refusalOf(() => call(value, place));
        assertEquals(openCounts(), before, stranger);
        if (isItsOwn(error, stranger)) continue;
        try {
          assertOurs(error);
        } catch (problem) {
          throw new Error(`${stranger}: ${(problem as Error).message}`);
        }
      }
    }));
}

/** Functions that throw synchronously. */
const thrown:
  readonly (readonly [name: string, strangers: Strangers, call: (value: unknown, place: Place) => unknown])[] = [
    ["tcp(?, port)", strangers, (value) => js.tcp(value, 80)],
    ["tcp(ip, ?)", noWhole, (value) => js.tcp("127.0.0.1", value)],
    ["udp(?, port)", strangers, (value) => js.udp(value, 80)],
    ["udp(ip, ?)", noWhole, (value) => js.udp("127.0.0.1", value)],
    ["unix(?)", noText, (value) => js.unix(value)],
    ["hostAddress(?, port)", strangersBut("a text"), (value) => js.hostAddress(value, 80)],
    ["hostAddress(name, ?)", noWhole, (value) => js.hostAddress("localhost", value)],
    ["formatAddress(?)", strangers, (value) => js.formatAddress(value)],
    ["parseAddress(?)", strangers, (value) => js.parseAddress(value)],
    ["sameAddress(?, b)", strangers, (value) => js.sameAddress(value, anyPort)],
    ["sameAddress(a, ?)", strangers, (value) => js.sameAddress(anyPort, value)],
    ["IpAddress.parse(?)", strangers, (value) => IpAddress.parse(value as string)],
    ["IpAddress.fromBytes(?)", strangers, (value) => IpAddress.fromBytes(value as Uint8Array)],
    ["createNet(?)", strangers, (value) => js.createNet(value)],
    ["memoryNet(?)", noOptions, (value) => js.memoryNet(value)],
    ["memoryNet({ clock: ? })", strangers, (clock) => js.memoryNet({ clock })],
    ["memoryNet({ hosts: ? })", noOptions, (hosts) => js.memoryNet({ hosts })],
    ["memoryNet with addresses of a host", noList, (value) => js.memoryNet({ hosts: { name: value } })],
    ["memoryNet with an address of a host", strangers, (value) => js.memoryNet({ hosts: { name: [value] } })],
    ["memoryNet({ services: ? })", noOptions, (services) => js.memoryNet({ services })],
    ["memoryNet with a service", strangers, (value) => js.memoryNet({ services: { name: [value] } })],
    ["socketPair(?)", noOptions, (value) => js.socketPair(value)],
    ["socketPair({ local: ? })", strangers, (local) => js.socketPair({ local })],
    ["socketPair({ peer: ? })", strangers, (peer) => js.socketPair({ peer })],
    [
      "MockClock.setTime(?)",
      strangersBut("a number", "-1", "1.5", "2 ** 53"),
      (value) => testing.mockClock().setTime(value as number),
    ],
    ["setOption(?, value)", [], (value, { client }) => client.setOption(value, true)],
    ["setOption(name, ?)", strangersBut("true"), (value, { client }) => client.setOption("TCP_NODELAY", value)],
    ["setOption(IP_ADD_MEMBERSHIP, ?)", strangers, (value, { socket }) => socket.setOption("IP_ADD_MEMBERSHIP", value)],
    [
      "setOption(IP_ADD_MEMBERSHIP, { group: ? })",
      strangers,
      (group, { socket }) => socket.setOption("IP_ADD_MEMBERSHIP", { group }),
    ],
    ["checkFlow(?)", strangers, (value) => js.checkFlow(value)],
    ["checkNet(?)", strangers, (value) => js.checkNet(value)],
  ];
for (const [name, values, call] of thrown) {
  test(`${name} is refused at once with a clear error, whatever the stranger is`, () =>
    withPlace((place) => {
      for (const [stranger, value] of values) {
        const error = thrownBy(() => call(value, place));
        if (isItsOwn(error, stranger)) continue;
        try {
          assertOurs(error);
        } catch (problem) {
          throw new Error(`${stranger}: ${(problem as Error).message}`);
        }
      }
      return Promise.resolve();
    }));
}

const certificate = serverOptions.certificate;

/** Functions with options, all of them set. */
const withOptions: Record<string, { options: object; call: (options: unknown, place: Place) => unknown }> = {
  connect: {
    options: { timeout: 1000, linger: 1, socketOptions: { TCP_NODELAY: true }, bindTo: tcp("127.0.0.1", 0) },
    call: (options, { loose, sw, listener }) => loose.connect(sw, listener.address, options),
  },
  listen: {
    options: { backlog: 1, linger: 1, reuseAddr: true, reusePort: true, mode: undefined, socketOptions: {} },
    call: (options, { loose, sw }) => loose.listen(sw, anyPort, options),
  },
  "connect, an address": {
    options: { transport: "tcp", ip: IpAddress.loopback4, port: 7777 },
    call: (address, { loose, sw }) => loose.connect(sw, address),
  },
  "listen, an address": {
    options: { transport: "tcp", ip: IpAddress.loopback4, port: 0 },
    call: (address, { loose, sw }) => loose.listen(sw, address),
  },
  "getNameInfo, an address": {
    options: { transport: "tcp", ip: IpAddress.loopback4, port: 80 },
    call: (address, { loose }) => loose.getNameInfo(address),
  },
  "formatAddress, an address": {
    options: { transport: "tcp", ip: IpAddress.loopback4, port: 80 },
    call: (address) => Promise.resolve().then(() => assertEquals(js.formatAddress(address), "tcp:127.0.0.1:80")),
  },
  datagramSocket: {
    options: { reuseAddr: true, reusePort: true, remote: udp("127.0.0.1", 9), socketOptions: {} },
    call: (options, { loose, sw }) => loose.datagramSocket(sw, "udp4", options),
  },
  "a membership of a group": {
    options: { group: "224.0.0.251", interface: "127.0.0.1" },
    call: async (group, { socket }) => {
      const error = await Promise.resolve().then(() => socket.setOption("IP_ADD_MEMBERSHIP", group)).catch((e) => e);
      if (!(error instanceof NetError && error.code === "not_supported")) throw error; // a network in memory supports none
    },
  },
  getAddrInfo: {
    options: { service: "80", type: "stream" },
    call: (options, { loose }) => loose.getAddrInfo("localhost", options),
  },
  withTcpConnect: {
    options: { host: "localhost", service: 7777, timeout: 1000 },
    call: (options, { net }) => js.withTcpConnect(net, options, one),
  },
  connectAny: {
    options: { timeout: 1000, linger: 1, socketOptions: { TCP_NODELAY: true }, bindTo: tcp("127.0.0.1", 0) },
    call: (options, { net, sw, listener }) => js.connectAny(net, sw, [listener.address, tcp("127.0.0.1", 1)], options),
  },
  runServer: {
    options: {
      onError,
      onAcceptError: onError,
      maxConnections: 1,
      stop: Promise.resolve(),
      grace: 1,
      keepListening: true,
    },
    call: (options, { listener }) => js.runServer(listener, one, options),
  },
  tlsClient: {
    options: {
      ...clientOptions,
      certificate,
      verification: undefined,
      protocols: ["a"],
      handshakeTimeout: 5,
      linger: 0,
      clock: memoryNet().clock,
      closeNotify: "optional",
    },
    call: async (options, { sw }) => {
      await handshakeTimeout(js.tlsClient(sw, io.pipe()[0], options));
    },
  },
  "tlsClient, a certificate": {
    options: { ...certificate as object, passphrase: undefined },
    call: async (certificate, { sw }) => {
      const options = { ...clientOptions, certificate, handshakeTimeout: 5, linger: 0 };
      await handshakeTimeout(js.tlsClient(sw, io.pipe()[0], options));
    },
  },
  memoryNet: {
    options: { clock: testing.mockClock(), hosts: {}, services: {} },
    call: (options) => Promise.resolve().then(() => js.memoryNet(options)),
  },
  "memoryNet, a service": {
    options: { name: "localhost", port: 1, priority: 1, weight: 1 },
    call: (record) => Promise.resolve().then(() => js.memoryNet({ services: { name: [record] } })),
  },
  socketPair: {
    options: { local: anyPort, peer: unix("/x") },
    call: (options) => Promise.resolve().then(() => js.socketPair(options)),
  },
  "socketPair, an address": {
    options: { transport: "tcp", ip: IpAddress.loopback4, port: 80 },
    call: (local) =>
      Promise.resolve().then(() => {
        const [socket] = testing.socketPair({ local: local as io.TcpAddress });
        assertEquals(io.formatAddress(socket.local), "tcp:127.0.0.1:80");
      }),
  },
};
for (const [name, { options, call }] of Object.entries(withOptions)) {
  test(`${name}: each field is read once, so that the checked value is the one used`, () =>
    withPlace(async (place) => {
      const lying = readOnce(options);
      await call(lying.options, place);
      assertReadOnce(options, lying.reads());
    }));

  test(`${name}: what a getter throws is thrown, and nothing is opened`, () =>
    withPlace(async (place) => {
      const before = openCounts();
      for (const key of Object.keys(options)) {
        const error = await refusalOf(async () => await call(throwingAt(options, key), place));
        assertInstanceOf(error, Lie, `${key}: ${(error as Error).stack}`);
        assertEquals(openCounts(), before);
      }
    }));
}

test("an address that is forged by the prototype of IpAddress is refused everywhere", () =>
  withPlace(async ({ loose, sw, socket }) => {
    for (const ip of [Object.create(IpAddress.prototype), refusing(IpAddress.loopback4), { ...IpAddress.loopback4 }]) {
      for (const make of [js.tcp, js.udp]) assertOurs(thrownBy(() => make(ip, 80)));
      const address = { transport: "tcp", ip, port: 80 };
      for (const call of [loose.connect, loose.listen]) assertOurs(await refusalOf(() => call(sw, address)));
      assertOurs(await refusalOf(() => loose.getNameInfo(address)));
      assertOurs(thrownBy(() => js.formatAddress(address)));
      assertOurs(thrownBy(() => js.sameAddress(address, anyPort)));
      assertEquals(IpAddress.loopback4.equals(ip), false);
      assertOurs(thrownBy(() => socket.setOption("IP_ADD_MEMBERSHIP", { group: ip })));
      assertOurs(await refusalOf(() => socket.send(new Uint8Array(1), { ...address, transport: "udp" })));
    }
  }));

test("a switch that is forged by its prototype, or a proxy of one, owns nothing", () =>
  withPlace(async ({ loose, sw, listener, net }) => {
    for (const forged of [Object.create(Switch.prototype), Object.create(sw), new Proxy(sw, {}), { ...sw }]) {
      assertOurs(await refusalOf(() => loose.connect(forged, listener.address)));
      assertOurs(await refusalOf(() => loose.listen(forged, anyPort)));
      assertOurs(await refusalOf(() => loose.datagramSocket(forged, "udp4")));
      assertOurs(await refusalOf(() => (listener as unknown as Record<string, Loose>).accept(forged)));
      assertOurs(await refusalOf(() => js.acceptFork(forged, listener, one, { onError })));
      assertOurs(await refusalOf(() => js.connectAny(net, forged, [listener.address])));
      assertOurs(await refusalOf(() => js.tlsClient(forged, io.pipe()[0], clientOptions)));
    }
  }));

for (
  const [kind, stop] of Object.entries({
    "by its prototype": Object.create(AbortSignal.prototype),
    "by its members": { aborted: false, addEventListener() {}, removeEventListener() {} },
    "of a refusing proxy": refusing(new AbortController().signal),
    "of a revoked proxy": revoked(new AbortController().signal),
  })
) {
  test(`runServer() refuses a stop that is a signal forged ${kind}`, () =>
    withPlace(async ({ listener }) => {
      const before = openCounts();
      assertOurs(await refusalOf(() => js.runServer(listener, one, { onError, stop })));
      assertEquals(openCounts(), before);
    }));
}

test("runServer() listens to a signal by the platform's own methods, and believes no event that a program dispatches", () =>
  withPlace(async ({ listener, net, sw }) => {
    const controller = new AbortController();
    Object.assign(controller.signal, { addEventListener: undefined, removeEventListener: undefined });
    const server = js.runServer(listener, one, { onError, stop: controller.signal }) as Promise<unknown>;
    controller.signal.dispatchEvent(new Event("abort"));
    await io.readAll(await net.connect(sw, listener.address)); // it still serves
    controller.abort();
    assertEquals(await server, undefined);
  }));

test("runServer() ignores later calls of a stop thenable's callbacks", () =>
  withPlace(async ({ net, sw }) => {
    const words: Record<string, (resolve: Loose, reject: Loose) => unknown> = {
      "at once": (resolve) => resolve(7),
      "twice": (resolve) => (resolve(7), resolve(8)),
      "and then throws": (resolve) => {
        resolve(7);
        throw new Lie();
      },
    };
    for (const [name, then] of Object.entries(words)) {
      const listener = await net.listen(sw, anyPort);
      assertEquals(await js.runServer(listener, one, { onError, stop: { then } }), 7, name);
    }
    const listener = await net.listen(sw, anyPort);
    const stop = {
      then() {
        throw new Lie();
      },
    };
    assertInstanceOf(await refusalOf(() => js.runServer(listener, one, { onError, stop })), Lie);
  }));

/** Results of a user's listener. */
for (const [stranger, value] of strangersBut("a thenable", "a thenable that throws", "a refusing proxy")) {
  test(`a listener that returns ${stranger} as a connection fails its server with a clear error, and nothing hangs`, async () => {
    const listener = { address: anyPort, accept: () => value, close: () => Promise.resolve() };
    const error = await refusalOf(() => js.runServer(listener, one, { onError }));
    if (!isItsOwn(error, stranger)) assertOurs(error);
    await Switch.run(async (sw) => {
      const error = await refusalOf(() => js.acceptFork(sw, listener, one, { onError }));
      if (!isItsOwn(error, stranger)) assertOurs(error);
    });
  });
}

/** Results of a user's network. */
for (const [stranger, value] of strangersBut("a thenable", "an array", "a list with holes")) {
  test(`a network that returns ${stranger} fails its caller with a clear error, and nothing hangs`, async () => {
    const net = { clock: testing.mockClock(), connect: () => value, getAddrInfo: () => value } as unknown as Net;
    const asked = [
      () => js.getAddrInfoStream(net, "localhost"),
      () => js.withTcpConnect(net, { host: "localhost", service: 80 }, one),
    ];
    for (const ask of asked) {
      const error = await refusalOf(ask);
      if (!isItsOwn(error, stranger)) assertOurs(error);
    }
  });
}

test("handlers and onError are called without a this, and with the arguments that they are promised", () =>
  withPlace(async ({ net, sw, listener }) => {
    const seen: unknown[] = [];
    const stop = new AbortController();
    const options = {
      onError(this: unknown, ...args: unknown[]) {
        seen.push(this ?? "none", args.length);
        stop.abort();
      },
      onAcceptError(this: unknown) {
        seen.push(this ?? "none");
      },
      stop: stop.signal,
    };
    const handler = function (this: unknown, ...args: unknown[]) {
      seen.push(this ?? "none", args.length);
      throw new Error("Cannot serve");
    };
    Object.assign(handler, { call: refusing(one), apply: refusing(one) });
    const server = js.runServer(listener, handler, options);
    await io.readAll(await net.connect(sw, listener.address)).catch(() => {});
    await server;
    assertEquals(seen, ["none", 3, "none", 2]);
  }));

test("an error of a handler is reported, even if it throws on every access, and the server continues", () =>
  withPlace(async ({ net, sw, listener }) => {
    const errors = [
      refusing({}),
      refusing(new Error()),
      revoked({}),
      null,
      Object.freeze(new Error("x")),
      refusing(new Lie()),
    ];
    const reported: unknown[] = [];
    let next = 0;
    sw.forkDaemon(() =>
      io.runServer(listener, () => {
        throw errors[next++];
      }, { onError: (error) => reported.push(error) })
    );
    for (const _ of errors) await io.readAll(await net.connect(sw, listener.address));
    assertEquals(reported.length, errors.length);
    reported.forEach((error, i) => assert(Object.is(error, errors[i])));
  }));

test("the library's errors accept any argument, or refuse it with a clear error", () => {
  for (const [stranger, value] of strangers) {
    for (
      const make of [
        () => new NetError(value as io.NetErrorCode, { operation: "read" }),
        () => new NetError("unknown", value as io.NetErrorSource),
        () => new NetError("unknown", { operation: value as string }),
        () => new NetError("unknown", { operation: "read", address: value as string }),
        () => new NetError("unknown", { operation: "read", remedy: value as string }),
        () => new NetError("unknown", { operation: "read", cause: value }),
      ]
    ) {
      try {
        const { message } = make();
        assert(message.length < 3000 && !/\p{Cc}/u.test(message), message.slice(0, 1000));
      } catch (error) {
        if (!isItsOwn(error, stranger)) assertOurs(error);
      }
    }
    const error = new NetError("unknown", { operation: "read" });
    try {
      io.addContext(error, value as string);
      assert(error.message.length < 3000 && !/\p{Cc}/u.test(error.message), error.message.slice(0, 1000));
    } catch (problem) {
      if (!isItsOwn(problem, stranger)) assertOurs(problem);
    }
  }
});

/** Waits for a handshake without a peer to time out: its arguments were valid. */
async function handshakeTimeout(shaking: unknown): Promise<void> {
  const error = await Promise.resolve(shaking).catch((error) => error);
  if (!(error instanceof tls.TlsError && error.code === "handshake_timeout")) throw error;
}

/** Reports whether the stranger itself threw the error. */
function isItsOwn(error: unknown, stranger: string): boolean {
  return error instanceof Lie || (stranger === "a revoked proxy" && error instanceof TypeError);
}

/** Runs `fn` with an in-memory network, a listener at 127.0.0.1:7777, and a socket of each kind. */
function withPlace(fn: (place: Place) => Promise<unknown>): Promise<void> {
  return Switch.run(async (sw) => {
    const net = memoryNet();
    const listener = await net.listen(sw, tcp("127.0.0.1", 7777));
    const client = await net.connect(sw, listener.address);
    await (await listener.accept(sw)).close();
    const socket = await net.datagramSocket(sw, "udp4");
    const loose = <T>(object: T) =>
      new Proxy({} as Record<string, Loose>, {
        get: (_, key) => (...args: unknown[]) => (object as Record<PropertyKey, Loose>)[key]!(...args),
      });
    await fn({ net, loose: loose(net), sw, listener, client: loose(client), socket: loose(socket) });
  });
}

test("connect() keeps the connection of a provider whose result is a thenable that calls back twice", async () => {
  await Switch.run(async (sw) => {
    const { net, provider } = fakeNet();
    const stream = new FakeStream();
    const result = {
      then(done: (stream: FakeStream) => void, failed: (error: Error) => void) {
        done(stream);
        done(stream);
        failed(new Error("Cannot do both"));
        throw new Error("Cannot end");
      },
    };
    provider.connect = () => ({ result: result as never, cancel() {} });
    const socket = await net.connect(sw, tcp("10.0.0.2", 80));
    await socket.write(Uint8Array.of(104));
    assertEquals([stream.taken, stream.state], ["h", "open"]);
  });
});
