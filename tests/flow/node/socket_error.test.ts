// Copyright 2026 the Sluice authors. MIT license.

/** Errors of sockets have Node's codes: `node:net` and toDuplex() side by side. */
import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { createServer } from "node:net";
import { connect as connectToPath } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { BrokenPipeError, ClosedError, pipe, type TwoWay } from "../../../flow/mod.ts";
import { toDuplex } from "../../../flow/node/mod.ts";
import { hostAddress, NetError, type NetErrorCode, tcp, unix } from "../../../net/mod.ts";
import { socketPair } from "../../../net/testing/mod.ts";
import { Switch } from "../../../switch/mod.ts";
import { withFolder } from "../../_helpers.ts";
import { withNet } from "../../net/_helpers.ts";
import { test } from "../../_test.ts";
import { errorOf } from "./_helpers.ts";
import { allClosed, runtime, sideBySide, soon } from "./_side_by_side.ts";

/** Picks the properties that clients look at. */
function plain(error: unknown): Record<string, unknown> {
  const { code, errno, syscall, address, port, hostname } = error as Record<string, unknown>;
  return { code, errno, syscall, address, port, hostname };
}

/** Returns a port of 127.0.0.1 on which no server listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as import("node:net").AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

let refusing: Promise<number> | undefined;

sideBySide("toDuplex() that is refused has the error of a socket", async ({ connect, watch, see }) => {
  const port = await (refusing ??= closedPort());
  const client = watch("client", connect(port));
  client.on("error", (error) => see("test", plain(error), error.message));
  see("test", await allClosed(client), client.destroyed, client.connecting);
});

sideBySide("toDuplex() that is refused calls back a write with an error", async ({ connect, see }) => {
  const client = connect(await (refusing ??= closedPort())).on("error", () => {});
  const first = new Promise<unknown>((resolve) => client.write("early", resolve));
  const code = (await first as NodeJS.ErrnoException).code;
  see("test", typeof code, await allClosed(client));
});

sideBySide("toDuplex() of a name that cannot be is an 'error' event", async ({ connectTo, see }) => {
  const client = connectTo("bad name!", 1);
  client.on("error", (error: NodeJS.ErrnoException) => see("test", error.code, error.syscall));
  see("test", await allClosed(client));
});

sideBySide("toDuplex() that is reset has the error of a socket", async ({ pair, see }) => {
  const [client, server] = await pair();
  client.on("error", (error) => see("test", plain(error), error.message));
  server.resetAndDestroy();
  see("test", await allClosed(client, server));
}, { resets: true });

sideBySide("write() to toDuplex() after the peer's end was read is EPIPE", async ({ pair, see }) => {
  const [client, server] = await pair();
  server.end();
  await once(client, "end");
  const error = await new Promise<unknown>((resolve) => see("test", client.write("late", resolve)));
  see("test", (error as NodeJS.ErrnoException).code, (error as Error).message);
  see("test", await allClosed(client, server));
}, {
  unlike: { bun: "the write fails, and the socket closes as if nothing had" },
  expected: {
    client: ["connect", "ready", "end", "error EPIPE", "close true"],
    server: ["finish", "end", "close false"],
    test: [false, "EPIPE", "This socket has been ended by the other party", true],
  },
});

sideBySide("write() to toDuplex() whose peer has gone is EPIPE", async ({ listen, connect, see }) => {
  const port = await listen((server) => server.on("error", () => {}).destroy());
  const client = connect(port, { allowHalfOpen: true }).on("error", () => {});
  await once(client.resume(), "end");
  const timer = setInterval(() => client.write("late"), 5);
  see("test", await allClosed(client));
  clearInterval(timer);
  see("test", (client.errored as NodeJS.ErrnoException).code, (client.errored as NodeJS.ErrnoException).syscall);
}, { unlike: { bun: "it says that reading failed" }, expected: { test: [true, "EPIPE", "write"] } });

sideBySide("write() to toDuplex() after end() is ERR_STREAM_WRITE_AFTER_END", async ({ pair, see }) => {
  const [client, server] = await pair({ client: { allowHalfOpen: true }, server: { allowHalfOpen: true } });
  client.end("x");
  const error = await new Promise<unknown>((resolve) => see("test", client.write("late", resolve)));
  see("test", (error as NodeJS.ErrnoException).code);
  see("test", await allClosed(client));
  server.destroy();
});

sideBySide("write() to toDuplex() refuses what a socket refuses", async ({ pair, see }) => {
  const [client, server] = await pair();
  for (const wrong of [null, undefined, 1, {}, true]) {
    try {
      client.write(wrong as never);
    } catch (error) {
      see("test", (error as NodeJS.ErrnoException).code);
    }
  }
  client.destroy();
  see("test", await allClosed(client, server));
});

for (const [text, host] of [["a path where nothing is", "missing"], ["a path where nothing listens", "stale"]]) {
  test(`toDuplex() of ${text} has the error of a socket`, () =>
    withFolder((folder) =>
      withNet(async (sw, net) => {
        if (host === "stale") (await import("node:fs")).writeFileSync(join(folder, host), "");
        const duplex = toDuplex(() => net.connect(sw, unix(join(folder, host))), { sw });
        const own = await new Promise<NodeJS.ErrnoException>((resolve) =>
          connectToPath({ path: join(folder, host) }).on("error", resolve)
        );
        const error = await errorOf(duplex);
        // Deno and Bun have different numbers and messages for some.
        assertEquals([error.code, error.syscall, plain(error).address], [own.code, "connect", join(folder, host)]);
        if (runtime === "node") assertEquals([plain(error), error.message], [plain(own), own.message]);
        assertInstanceOf(error.cause, NetError);
      })
    ));
}

test("toDuplex() of a name with several addresses has an AggregateError, each with its code", () =>
  withNet(async (sw, net) => {
    const port = await closedPort();
    const failures = ["127.0.0.1", "::1"].map((ip) =>
      new NetError("connection_refused", { operation: "connect", address: tcp(ip, port) })
    );
    const cause = new NetError("connection_refused", {
      operation: "connect",
      address: hostAddress("example.com", port),
      cause: new AggregateError(failures),
    });
    const error = await errorOf(toDuplex(() => Promise.reject(cause), { sw })) as unknown as AggregateError;
    assertInstanceOf(error, AggregateError);
    assertEquals((error as unknown as { code: string }).code, "ECONNREFUSED");
    assertEquals(error.errors.map(({ code, address, port }) => [code, address, port]), [
      ["ECONNREFUSED", "127.0.0.1", port],
      ["ECONNREFUSED", "::1", port],
    ]);
    assertStrictEquals(error.cause, cause);
    assertStrictEquals(error.errors[1].cause, failures[1]);
    void net;
  }));

test("toDuplex() has a code of the system for each code of a NetError", async () => {
  const expected: Partial<Record<NetErrorCode, string>> = {
    connection_refused: "ECONNREFUSED",
    connection_reset: "ECONNRESET",
    connection_timeout: "ETIMEDOUT",
    address_in_use: "EADDRINUSE",
    address_not_available: "EADDRNOTAVAIL",
    host_unreachable: "EHOSTUNREACH",
    network_unreachable: "ENETUNREACH",
    permission_denied: "EACCES",
    not_found: "ENOENT",
    too_many_open_files: "EMFILE",
    invalid_option: "EINVAL",
    not_supported: "EOPNOTSUPP",
    unknown: "UNKNOWN",
  };
  for (const [code, wanted] of Object.entries(expected)) {
    const cause = new NetError(code as NetErrorCode, { operation: "connect", address: tcp("10.0.0.1", 80) });
    const error = await errorOf(toDuplex(Promise.reject(cause)));
    assertEquals([error.code, plain(error).address, plain(error).port], [wanted, "10.0.0.1", 80]);
    assertEquals(error.message, `connect ${wanted} 10.0.0.1:80`);
    assert(wanted === "UNKNOWN" || (error.errno as number) < 0);
    assertStrictEquals(error.cause, cause);
  }
});

test("toDuplex() has the code of the resolver for a failed lookup", async () => {
  for (
    const [lookupCode, code] of [["NONAME", "ENOTFOUND"], ["NODATA", "ENOTFOUND"], ["AGAIN", "EAI_AGAIN"]] as const
  ) {
    const cause = new NetError("address_lookup_failed", {
      operation: "connect",
      address: hostAddress("example.com", 80),
      lookupCode,
    });
    const error = await errorOf(toDuplex(() => Promise.reject(cause)));
    const { syscall, hostname } = plain(error);
    assertEquals([error.code, syscall, hostname], [code, "getaddrinfo", "example.com"]);
  }
});

test("toDuplex() over what breaks as a pipe does has EPIPE for a write", async () => {
  const broken = new BrokenPipeError("write");
  const [a] = pipe();
  const flow: TwoWay = {
    read: (buffer) => a.read(buffer),
    write: () => Promise.reject(broken),
    shutdown: (how) => a.shutdown(how),
  };
  const duplex = toDuplex(flow);
  duplex.write("x");
  const error = await errorOf(duplex);
  assertEquals([error.code, error.syscall], ["EPIPE", "write"]);
  assertStrictEquals(error.cause, broken);
});

test("toDuplex() of a flow that its owner closes is destroyed with a code", async () => {
  const [a] = socketPair();
  const duplex = toDuplex(a);
  await a.close();
  const error = await errorOf(duplex);
  assertEquals(error.code, "ERR_SOCKET_CLOSED");
  assertInstanceOf(error.cause, ClosedError);
});

test("toDuplex() calls back pending writes with ERR_STREAM_DESTROYED when its switch ends", async () => {
  const [a] = socketPair();
  const codes: unknown[] = [];
  await Switch.run(async () => {
    const duplex = toDuplex(a);
    duplex.write(new Uint8Array(1_000_000), (error) => codes.push((error as NodeJS.ErrnoException).code));
    await soon();
  });
  await soon();
  assertEquals(codes, ["ERR_STREAM_DESTROYED"]);
});
