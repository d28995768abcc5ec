// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertThrows } from "@std/assert";
import { channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import { Switch, tcp } from "../../../mod.ts";
import { type NetEvent, observe, toDiagnosticsChannel } from "../../../net/observe/mod.ts";
import { memoryNet } from "../../../net/testing/mod.ts";
import { test } from "../../_test.ts";

/** Returns the types of the events that come over a channel. */
async function typesOver(name: string, observer: (event: NetEvent) => void): Promise<string[]> {
  const types: string[] = [];
  const subscriber = (event: unknown) => void types.push((event as NetEvent).type);
  subscribe(name, subscriber);
  const net = observe(memoryNet(), observer);
  await Switch.run((sw) => net.listen(sw, tcp("127.0.0.1", 80)));
  unsubscribe(name, subscriber);
  return types;
}

test('toDiagnosticsChannel() publishes on "sluice:net"', async () => {
  assertEquals(await typesOver("sluice:net", toDiagnosticsChannel()), ["listen", "close"]);
});

test("toDiagnosticsChannel() publishes on the channel that it is told", async () => {
  assertEquals(await typesOver("own", toDiagnosticsChannel("own")), ["listen", "close"]);
  assertEquals(await typesOver("sluice:net", toDiagnosticsChannel("own")), []);
});

test("toDiagnosticsChannel() publishes nothing without a subscriber, and asks anew each time", () => {
  const name = "sluice:asked";
  const observer = toDiagnosticsChannel(name);
  const seen: unknown[] = [];
  const event: NetEvent = { type: "listen", id: 1, at: 0 };
  const subscriber = (message: unknown) => void seen.push(message);
  observer(event);
  subscribe(name, subscriber);
  observer(event);
  unsubscribe(name, subscriber);
  observer(event);
  assertEquals([seen.length, seen[0] === event, channel(name).hasSubscribers], [1, true, false]);
});

test("toDiagnosticsChannel() takes a string only", () => {
  assertThrows(() => toDiagnosticsChannel(7 as never), TypeError, "string");
});
