// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { login, postgres } from "../runtime/_postgres.ts";
import { test } from "../_test.ts";
import { startExample } from "./_program.ts";
import { daemonPeers } from "../runtime/_daemon.ts";

test("postgres lets go of a slow query, asks the next on the same connection, and ends", async () => {
  const { address } = await postgres();
  const server = [String(address.ip), String(address.port)];
  await using program = startExample("postgres", ...server, login.user, login.password);
  const { status } = await program.end;
  assertEquals([program.output, status], ["timed out: true; sessions: 1\n", 0]);
}, { peers: daemonPeers("postgres") });

test("postgres fails with the reason where the password is wrong", async () => {
  const { address } = await postgres();
  await using program = startExample("postgres", String(address.ip), String(address.port), login.user, "wrong");
  const { status, errors } = await program.end;
  assertEquals(status, 1);
  assertEquals(errors.includes("password authentication failed"), true, errors);
}, { peers: daemonPeers("postgres") });
