// Copyright 2026 the Sluice authors. MIT license.

/** Errors for common mistakes of beginners: they name the value, the rule, and the remedy. */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import * as io from "../../mod.ts";
import { type Net, type Switch, tcp } from "../../mod.ts";
import { memoryNet } from "../../net/testing/mod.ts";
import { test } from "../_test.ts";

/** The library without types. */
const js = io as unknown as Record<string, (...args: unknown[]) => unknown>;

interface Place {
  readonly net: Net;
  /** The same library without types. */
  readonly loose: Record<string, (...args: unknown[]) => unknown>;
  readonly sw: Switch;
  readonly listener: io.ListeningSocket;
}

type Call = (place: Place) => unknown;
type ErrorClass = new (...args: never[]) => Error;

const onError = () => {};

const thrown: readonly [name: string, call: () => unknown, type: ErrorClass, parts: readonly string[]][] = [
  ["a name as an IP address", () => tcp("localhost", 80), SyntaxError, ['"localhost"', "hostAddress()"]],
  ["a name as an IP address of UDP", () => io.udp("db.example", 80), SyntaxError, ['"db.example"', "hostAddress()"]],
  ["a misspelt IP address", () => tcp("127.0.0.300", 80), SyntaxError, ["127.0.0.300", "at most 255"]],
  ["a URL as a host name", () => io.hostAddress("http://example.com", 80), SyntaxError, ["it is a URL"]],
  ["a path in a host name", () => io.hostAddress("example.com/x", 80), SyntaxError, ["part of a URL"]],
  ["a user in a host name", () => io.hostAddress("me@example.com", 80), SyntaxError, ["part of a URL"]],
  ["a port in a host name", () => io.hostAddress("example.com:443", 80), SyntaxError, ["no port"]],
  ["an IPv6 address with a port", () => io.hostAddress("[::1]:80", 80), SyntaxError, ["no port"]],
  ["brackets around an IPv6 address", () => io.hostAddress("[::1]", 80), SyntaxError, ["no brackets"]],
  ["an internationalized name", () => io.hostAddress("bücher.example", 80), SyntaxError, ['"xn--bcher-kva.example"']],
  ["a name of another script", () => io.hostAddress("例え.jp", 80), SyntaxError, ['"xn--r8jz45g.jp"']],
  ["a name with a tab", () => io.hostAddress("a\tb", 80), SyntaxError, ['the character "\\t"']],
  ["an internationalized name with a tab", () => io.hostAddress("b\tücher", 80), SyntaxError, ['the character "\\t"']],
  ["a name with a blank", () => io.hostAddress("exa mple", 80), SyntaxError, ['the character " "']],
  ["a huge name", () => io.hostAddress("x\n\u001b".repeat(100_000), 80), SyntaxError, ["253"]],
];
for (const [name, call, type, parts] of thrown) {
  test(`${name} is a ${type.name} that says what to do`, () => {
    let error: unknown;
    try {
      call();
    } catch (problem) {
      error = problem;
    }
    checkError(error, type, parts);
  });
}

const rejected: readonly [name: string, call: Call, type: ErrorClass, parts: readonly string[]][] = [
  ["connect(address)", ({ loose, listener }) => loose.connect(listener.address), TypeError, ["sw must be a Switch"]],
  ["listen(address)", ({ loose }) => loose.listen(tcp("127.0.0.1", 0)), TypeError, ["sw must be a Switch"]],
  ["datagramSocket(address)", ({ loose }) => loose.datagramSocket("udp4"), TypeError, ["sw must be a Switch"]],
  ["connect()", ({ loose }) => loose.connect(), TypeError, ["sw must be a Switch", "undefined"]],
  ["connect(sw)", ({ loose, sw }) => loose.connect(sw), TypeError, ["must be an address", "undefined"]],
  ["connect(sw, text)", ({ loose, sw }) => loose.connect(sw, "localhost:80"), TypeError, ['"localhost:80"']],
  ["accept()", ({ listener }) => (listener as unknown as { accept(): unknown }).accept(), TypeError, [
    "sw must be a Switch",
  ]],
  ["runServer(listener, handler)", ({ listener }) => js.runServer(listener, () => {}), TypeError, ["onError"]],
  ["runServer(net, …)", ({ net }) => js.runServer(net, () => {}, { onError }), TypeError, ["a Net", "listen()"]],
  ["runServer()", () => js.runServer(), TypeError, ["listener must be a listening socket"]],
  ["runServer(listener, options)", ({ listener }) => js.runServer(listener, { onError }), TypeError, ["handler"]],
  ["acceptFork(listener, sw, …)", ({ listener, sw }) => js.acceptFork(listener, sw), TypeError, ["a Switch"]],
  ["withTimeout(env, …)", ({ net }) => js.withTimeout({ clock: net.clock }, 5, () => {}), TypeError, ["its clock"]],
  ["all(f, g)", () => js.all(() => 1, () => 2), TypeError, ["all([f, g])"]],
  ["any(f, g)", () => js.any(() => 1, () => 2), TypeError, ["any([f, g])"]],
  ["first([f, g])", () => js.first([() => 1, () => 2]), TypeError, ["two functions"]],
  ["forEachFiber(5, f)", () => js.forEachFiber(5, () => {}), TypeError, ["5 is not iterable"]],
  ["withTcpConnect({ host, port })", ({ net }) => withPort(net), TypeError, ["service is missing", "a port"]],
  ["withTcpConnect(net)", ({ net }) => js.withTcpConnect(net), TypeError, ["host is missing"]],
];
for (const [name, call, type, parts] of rejected) {
  test(`${name} is a rejection by a ${type.name} that says what to do`, () =>
    withPlace(async (place) => {
      const result = call(place); // it never throws synchronously
      assertInstanceOf(result, Promise);
      checkError(await result.then(() => undefined, (problem) => problem), type, parts);
    }));
}

test("withTcpConnect() accepts a port as a number", () =>
  withPlace(async ({ net, sw, listener }) => {
    sw.fork(async () => await (await listener.accept(sw)).close());
    const { port } = listener.address as io.TcpAddress;
    assertEquals(await io.withTcpConnect(net, { host: "127.0.0.1", service: port }, () => "connected"), "connected");
  }));

const ended: Record<string, (place: Place) => Promise<unknown>> = {
  read: async ({ net, listener }) => {
    const flow = await io.Switch.run((inner) => net.connect(inner, listener.address));
    return await flow.read(new Uint8Array(1));
  },
  write: async ({ net, listener }) => {
    const flow = await io.Switch.run((inner) => net.connect(inner, listener.address));
    return await io.copyString("x", flow);
  },
  accept: async ({ net, sw }) =>
    await (await io.Switch.run((inner) => net.listen(inner, tcp("127.0.0.1", 0)))).accept(sw),
  receive: async ({ net }) => {
    const socket = await io.Switch.run((inner) => net.datagramSocket(inner, io.udp("127.0.0.1", 0)));
    return await socket.recv(new Uint8Array(1));
  },
};
for (const [operation, use] of Object.entries(ended)) {
  test(`an operation (${operation}) on what a switch has closed says that the switch has ended`, () =>
    withPlace(async (place) => {
      const error = await use(place).then(() => undefined, (problem) => problem);
      checkError(error, io.ClosedError, ["switch", "has ended"]);
    }));
}

function withPort(net: Net): unknown {
  return js.withTcpConnect(net, { host: "localhost", port: 80 }, () => {});
}

/** Runs `fn` with a network and a listener. */
function withPlace(fn: (place: Place) => Promise<void>): Promise<void> {
  return io.Switch.run(async (sw) => {
    const net = memoryNet();
    const listener = await net.listen(sw, tcp("127.0.0.1", 0));
    await fn({ net, loose: net as unknown as Place["loose"], sw, listener });
  });
}

function checkError(error: unknown, type: ErrorClass, parts: readonly string[]): void {
  assertInstanceOf(error, type);
  for (const part of parts) assert(error.message.includes(part), `"${error.message}" lacks "${part}"`);
  assert(error.message.length < 400 && !/\p{Cc}/u.test(error.message), error.message.slice(0, 500));
  assert(!/is not a function|Cannot read propert|undefined \(/.test(error.message), error.message);
}
