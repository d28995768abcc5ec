// Copyright 2026 the Sluice authors. MIT license.

/** Every server of the benches does what its load asks of it. */
import { validate, withLoad } from "../../bench/_network.ts";
import { thisRuntime } from "../_runtimes.ts";
import { test } from "../_test.ts";
import { complete, needs, withPath, withServer } from "./_servers.ts";

/** The runtime's own API; on Node it is the one that every runtime has. */
const own = `${thisRuntime().name}.ts`;

const echoes: Readonly<Record<string, string>> = {
  "ours.ts echo": "ours.ts echo",
  "ours.ts copy": "ours.ts copy",
  "ours.ts idle_readable": "ours.ts idle_readable",
  "ours.ts idle_reader": "ours.ts idle_reader",
  "node.ts echo": "node.ts echo",
  "node.ts pipe": "node.ts pipe",
  "the runtime's echo": `${own} echo`,
  "node.ts promise_echo": "node.ts promise_echo",
  "the runtime's promise_echo": own === "bun.ts" ? "bun.ts promise_echo" : "node.ts promise_echo",
};

for (const [name, program] of Object.entries(echoes)) {
  test(`${name} echoes every byte, and the end`, async () => {
    await withServer(program, validate);
  }, needs);

  test(`${name} serves at a Unix path`, async () => {
    await withPath((path) => withServer(program, validate, path));
  }, needs);

  test(`${name} ends at SIGTERM while a client is idle`, async () => {
    await withServer(program, async ({ program: server, target }) => {
      await withLoad("hold", target, { connections: 1 }, () => server.stop());
    });
  }, needs);
}

const others: readonly (readonly [name: string, program: string, shape: string, operations: number])[] = [
  ["ours.ts relay", "ours.ts relay", "relay", 10_000_000],
  ["node.ts relay", "node.ts relay", "relay", 10_000_000],
  ["the runtime's relay", `${own} relay`, "relay", 10_000_000],
  ...["bare", "limited", "monitored", "observed", "unobserved", "pooled"]
    .map((name) => [`operated.ts ${name}`, `operated.ts ${name}`, "roundTrip", 30] as const),
  ["operated.ts workers2", "operated.ts workers2", "roundTrip", 30],
  ["ours.ts datagram_echo", "ours.ts datagram_echo", "datagrams", 30],
  ["node.ts datagram_echo", "node.ts datagram_echo", "datagrams", 30],
];

for (const [name, program, shape, operations] of others) {
  test(`${name} answers the load ${shape}`, async () => {
    await withServer(program, ({ target }) => complete(shape, target, 4, operations));
  }, needs);
}
