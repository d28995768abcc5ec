// Copyright 2026 the Sluice authors. MIT license.

/** That each socket option which this runtime takes is one the system hears of. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NetError, tcp } from "../../mod.ts";
import { runChild } from "../_child.ts";
import { root, thisRuntime } from "../_runtimes.ts";
import { test } from "../_test.ts";
import type { Ability } from "../fixtures/socket_options.ts";
import { withNet, withSockets } from "../net/_helpers.ts";

/** What `strace` calls options that have two names. */
const aliases: Record<string, string> = {
  IPV6_JOIN_GROUP: "IPV6_ADD_MEMBERSHIP",
  IPV6_LEAVE_GROUP: "IPV6_DROP_MEMBERSHIP",
};

test("setOption() makes a system call for each option that it takes, with its value", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sluice-"));
  try {
    const report = join(folder, "calls");
    const program = join(root, "tests/fixtures/socket_options.ts");
    const tracing = ["strace", "-f", "-e", "trace=setsockopt", "-o", report];
    const { code, output } = await runChild([...tracing, ...thisRuntime().runCommand(program)], { limit: 100_000 });
    assertEquals(code, 0, output);
    const { options } = JSON.parse(output.slice(output.indexOf("{"))) as Ability;
    const calls = (await readFile(report, "utf8")).split("\n").filter((line) => / = 0$/.test(line));
    let taken = 0;
    for (const [kind, outcomes] of Object.entries(options)) {
      for (const [name, outcome] of Object.entries(outcomes)) {
        if (outcome !== "ok") {
          assert(["not_supported", "invalid_option"].includes(outcome), `${kind} ${name}: ${outcome}`);
          continue;
        }
        taken++;
        const value = /MEMBERSHIP|GROUP|_IF$/.test(name) ? "" : /BUF$/.test(name) ? "[9000]" : "[";
        const level = name.startsWith("IPV6_") ? "SOL_IPV6" : name.startsWith("IP_") ? "SOL_IP," : "";
        const wanted = `${aliases[name] ?? name}, ${value}`;
        const found = calls.findIndex((line) => line.includes(wanted) && line.includes(level));
        assert(found >= 0, `${kind} ${name}: the system heard nothing`);
        calls.splice(found, 1); // each kind of socket makes a call of its own
      }
    }
    assert(taken > 20, `only ${taken} options`);
  } finally {
    await rm(folder, { recursive: true });
  }
}, { peers: ["strace"] });

test("getOption() of TCP_NODELAY is true from the start, and then what was set", async () => {
  await withSockets(({ client, server }) => {
    assertEquals([client.getOption("TCP_NODELAY"), server.getOption("TCP_NODELAY")], [true, true]);
    for (const value of [true, false]) {
      client.setOption("TCP_NODELAY", value);
      assertEquals(client.getOption("TCP_NODELAY"), value);
    }
    return Promise.resolve();
  });
});

test("getOption() of SO_RCVBUF is what the system made of it, or not_supported", async () => {
  await withNet(async (sw, net) => {
    const socket = await net.datagramSocket(sw, "udp4");
    const set = () => socket.setOption("SO_RCVBUF", 10_000);
    if ("Deno" in globalThis) {
      assertEquals(assertThrows(set, NetError).code, "not_supported");
      assertEquals(assertThrows(() => socket.getOption("SO_RCVBUF"), NetError).code, "not_supported");
    } else {
      assert(socket.getOption("SO_RCVBUF") > 0);
      set();
      assertEquals(socket.getOption("SO_RCVBUF"), 20_000); // Linux doubles it
    }
  });
});

test("connect() and listen() take socket options, which accepted connections inherit", async () => {
  await withNet(async (sw, net) => {
    const socketOptions = { TCP_NODELAY: true, SO_KEEPALIVE: true, TCP_KEEPIDLE: 33 };
    const listener = await net.listen(sw, tcp("127.0.0.1", 0), { socketOptions });
    const client = await net.connect(sw, listener.address, { socketOptions });
    const server = await listener.accept(sw);
    for (const socket of [client, server]) {
      assertEquals([socket.getOption("TCP_NODELAY"), socket.getOption("TCP_KEEPIDLE")], [true, 33]);
    }
  });
});

test("setOption() of TCP_KEEPIDLE on an open connection or listener works, or is not_supported", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 0));
    for (const socket of [listener, await net.connect(sw, listener.address)]) {
      const set = () => socket.setOption("TCP_KEEPIDLE", 33);
      if ("Deno" in globalThis) assertEquals(assertThrows(set, NetError).code, "not_supported");
      else set();
    }
  });
});

test("IP_TOS of an IPv4 connection to a dual-stack listener is not_supported rather than ineffective", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, tcp("::", 0));
    await net.connect(sw, tcp("127.0.0.1", listener.address.port));
    const server = await listener.accept(sw);
    assertEquals(assertThrows(() => server.setOption("IP_TOS", 16), NetError).code, "not_supported");
  });
});
