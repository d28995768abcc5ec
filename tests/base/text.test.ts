// Copyright 2026 the Sluice authors. MIT license.

/** Hostile text in messages, contexts, dumps and warnings is cut to one short line. */
import { assert, assertEquals } from "@std/assert";
import * as io from "../../mod.ts";
import * as node from "../../flow/node/mod.ts";
import * as testing from "../../net/testing/mod.ts";
import * as tls from "../../net/tls/mod.ts";
import { escapeText, quoteText } from "../../base/_text.ts";
import { test } from "../_test.ts";
import { clientOptions, serverOptions } from "../net/tls/_helpers.ts";

const unit = "\n\x1b[31mFAKE\0\x85\u202e\u2028\ud800é,\"'";
const hostile = unit.repeat(1_000_000 / unit.length);

/** The length limit of a message. */
const longest = 1000;

// deno-lint-ignore no-control-regex
const raw = /[\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]/u;

/** Checks one line of text. */
function checkText(what: string, text: unknown): void {
  assert(typeof text === "string", what);
  assert(text.length <= longest, `${what}: ${text.length} characters: ${text.slice(0, 300)}`);
  assert(!raw.test(text), `${what}: ${JSON.stringify(text)}`);
}

/** Checks the error of a call, if any. */
function checkError(what: string, error: unknown): void {
  if (!(error instanceof Error)) return;
  checkText(what, error.message);
  if (error instanceof io.NetError) error.context.forEach((step) => checkText(what, step));
}

/** Calls a function, and checks its error or rejection. */
async function attempt(what: string, fn: () => unknown): Promise<void> {
  try {
    const result = await fn();
    if (!verbatim.has(what)) checkError(what, result);
    (result as { destroy?: unknown } | undefined)?.destroy instanceof Function &&
      (result as { on(...args: unknown[]): void; destroy(): void }).on("error", () => {});
    (result as { destroy?: () => void } | undefined)?.destroy?.();
  } catch (error) {
    checkError(what, error);
  }
}

/** Functions that use the caller's message or dump verbatim, or return the caller's error. */
const verbatim = new Set(["DeadlockError", "EndOfFlow", "ParseError", "addContext"]);

/** Values that are or contain the hostile text. */
const values: readonly unknown[] = [
  hostile,
  [hostile],
  { toString: () => hostile, [Symbol.toStringTag]: hostile, name: hostile, code: hostile, message: hostile },
  Object.defineProperty(() => {}, "name", { value: hostile }),
  Symbol(hostile),
  Object.create({ constructor: { name: hostile } }),
  new Error(hostile),
];

/** Functions that never end, or that take over the process. */
const skipped = new Set(["run", "awaitCancel", "checkFlow", "checkNet", "yieldNow"]);

const modules: [name: string, module: Record<string, unknown>][] = [
  ["io", io],
  ["node", node],
  ["testing", testing],
  ["tls", tls],
];

for (const [name, module] of modules) {
  for (const [symbol, value] of Object.entries(module)) {
    if (typeof value !== "function" || skipped.has(symbol)) continue;
    const isClass = /^class\b/.test(Function.prototype.toString.call(value));
    test(`${name}.${symbol}() cuts and escapes hostile text in any argument`, async () => {
      for (const bad of values) {
        for (let at = 0; at < 3; at++) {
          const args: unknown[] = at === 0 ? [bad, bad] : at === 1 ? [1, bad, bad] : [{}, {}, bad];
          await attempt(
            symbol,
            () => isClass ? new (value as new (...a: unknown[]) => unknown)(...args) : value(...args),
          );
        }
      }
    });
  }
}

/** Checks the error for each option with a hostile value. */
async function walk(names: readonly string[], use: (options: never) => unknown): Promise<void> {
  for (const name of names) {
    for (const bad of values) await attempt(name, () => use({ [name]: bad } as never));
  }
}

const here = io.tcp("127.0.0.1", 1);

test("errors for the options of a network cut and escape hostile text", () =>
  io.Switch.run(async (sw) => {
    const net = testing.memoryNet({ clock: testing.mockClock() });
    const stream = ["timeout", "linger", "bindTo", "socketOptions"];
    await walk(stream, (options) => net.connect(sw, here, options));
    await walk(stream, (options) => net.connect(sw, io.unix(`/${unit.replace(/[\0\ud800]/gu, "")}`), options));
    await walk(["backlog", "mode", "linger", "reuseAddr", "socketOptions"], (options) => net.listen(sw, here, options));
    await walk(["remote", "socketOptions"], (options) => net.datagramSocket(sw, io.udp("127.0.0.1", 1), options));
    await walk(["service", "type"], (options) => net.getAddrInfo("a", options));
    for (const bad of values as never[]) {
      await attempt("connect", () => net.connect(sw, bad));
      await attempt("connect", () => net.connect(sw, { transport: "unix", path: bad }));
      await attempt("connect", () => net.connect(sw, { transport: bad } as never));
      await attempt("listen", () => net.listen(sw, { transport: "tcp", ip: bad, port: bad } as never));
      await attempt("getAddrInfo", () => net.getAddrInfo(bad));
      await attempt("getServices", () => net.getServices(bad));
      await attempt("getNameInfo", () => net.getNameInfo(bad));
      await attempt("withTcpConnect", () => io.withTcpConnect(net, { host: bad, service: bad }, () => {}));
      await attempt("withTcpConnect", () => io.withTcpConnect(net, { host: "a", service: bad }, () => {}));
    }
    const listener = await net.listen(sw, io.tcp("127.0.0.1", 2));
    for (const bad of values as never[]) {
      await attempt("setOption", () => listener.setOption(bad, 1 as never));
      await attempt("setOption", () => listener.setOption("SO_KEEPALIVE", bad));
      await attempt("getOption", () => listener.getOption(bad));
      await attempt("accept", () => listener.accept(bad));
    }
    const server = ["maxConnections", "stop", "grace", "keepListening", "onAcceptError", "onError"];
    await walk(server, (options: object) =>
      io.runServer(listener, () => {}, { onError() {}, stop: AbortSignal.abort(), ...options }));
  }));

test("errors for the options of TLS cut and escape hostile text", () =>
  io.Switch.run(async (sw) => {
    const names = [
      "serverName",
      "authorities",
      "certificate",
      "verification",
      "protocols",
      "handshakeTimeout",
      "linger",
    ];
    await walk([...names, "closeNotify", "clock"], async (options: object) => {
      const [flow, other] = io.pipe();
      await other.shutdown("send");
      await tls.tlsClient(sw, flow, { ...clientOptions, ...options });
    });
    await walk([...names, "closeNotify", "clock"], async (options: object) => {
      const [flow, other] = io.pipe();
      await other.shutdown("send");
      await tls.tlsServer(sw, flow, { ...serverOptions, ...options });
    });
  }));

test("errors with a hostile text in each part cut and escape it", () => {
  for (const operation of [hostile, "lookup", "connect"]) {
    for (const code of ["unknown", "address_lookup_failed"] as const) {
      const options = { operation, address: hostile, service: hostile, remedy: hostile, cause: new Error(hostile) };
      const error = new io.NetError(code, options);
      for (let i = 0; i < 20; i++) error.addContext(`${i}${hostile}`);
      checkError("NetError", error);
    }
  }
  checkError("MultipleErrors", new io.MultipleErrors(Array(20).fill(new Error(hostile))));
  checkError("TimeoutError", new io.TimeoutError(1, hostile));
  const context = { peer: hostile, expectedName: hostile, certificateNames: Array(20).fill(hostile) };
  checkError("TlsError", new tls.TlsError("name_mismatch", hostile, { code: hostile }, context));
});

test("dump() and the errors of a switch cut and escape a hostile name", async () => {
  await io.Switch.run(async (sw) => {
    sw.forkDaemon(() => io.Switch.run(io.awaitCancel, { name: hostile }));
    const net = testing.memoryNet({ clock: testing.mockClock() });
    await net.listen(sw, io.unix(`/${unit.replace(/[\0\ud800]/gu, "")}`));
    sw.dump().split("\n").forEach((line) => checkText("dump()", line));
    let cancelled: unknown;
    await io.Switch.run(async (inner) => {
      inner.fail(new Error(hostile));
      await io.awaitCancel().catch((error) => cancelled = error);
    }, { name: hostile }).catch(() => {});
    checkError("Cancelled", cancelled);
    assert(cancelled instanceof io.Cancelled);
  }, { name: hostile });
});

test("escapeText() and quoteText() make at most so many characters, of any text", () => {
  for (const text of [hostile, "\0".repeat(1000), "😀\0".repeat(500), '"'.repeat(1000), "a".repeat(1000)]) {
    for (const size of [0, 1, 7, 8, 100, 300]) {
      assert(escapeText(text, size).length <= size + 3);
      assert(quoteText(text, size).length <= size + 5);
      assert(!raw.test(escapeText(text, size)) && !raw.test(quoteText(text, size)));
    }
  }
  assertEquals(escapeText("a\nb", 4), "a...");
  assertEquals(escapeText("a\nb", 7), "a\\u{a}b");
  assertEquals(quoteText('a"b', 4), '"a\\"b"');
  assertEquals(quoteText('a"b', 3), '"a\\""...');
});
