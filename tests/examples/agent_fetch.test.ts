// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertMatch } from "@std/assert";
import { test } from "../_test.ts";
import { startExample } from "./_program.ts";

test("agent_fetch reaches its API until its quota is used up, and its owner sees each denial", async () => {
  await using program = startExample("agent_fetch");
  assertEquals(await program.end, { status: 0, errors: "" });
  const [, port] = /localhost:(\d+)/.exec(program.output) ?? [];
  const lines = program.output.replaceAll(port, "PORT").trimEnd().split("\n");
  const last = lines.pop() ?? ""; // a host whose localhost also has an IPv6 address connects more often
  assertMatch(last, /^\d+ connects, 4 lookups, 0 sockets left open$/);
  assertEquals(lines.map((line) => line.replace(/ +\d+ of 65536 bytes used$/, "").replace(/ {2,}/g, "  ")), [
    "http://localhost:PORT/  200, 5 bytes",
    "http://localhost:PORT/away  permission_denied",
    "  owner: denied connect tcp:169.254.169.254:80: no rule of connect grants it",
    "http://localhost/  permission_denied",
    "  owner: denied connect host:localhost:80: no rule of connect grants it",
    "http://127.0.0.1:PORT/  permission_denied",
    "  owner: denied connect tcp:127.0.0.1:PORT: no rule of connect grants it",
    "http://c2VjcmV0.attacker.example/  permission_denied",
    "  owner: denied connect host:c2vjcmv0.attacker.example:80: no rule of connect grants it",
    "http://localhost:PORT/big  quota_exceeded",
    "http://localhost:PORT/  quota_exceeded",
    "http://localhost:PORT/  permission_denied",
  ]);
  assertEquals(program.output.match(/65536 of 65536 bytes used/g)?.length, 3);
});
