// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { bufferSink, NetError, Switch, tcp, udp } from "../../../mod.ts";
import { observe, toTrace } from "../../../net/observe/mod.ts";
import { memoryNet } from "../../../net/testing/mod.ts";
import { test } from "../../_test.ts";
import { checkTrace } from "./_trace_format.ts";

const address = tcp("127.0.0.1", 80);

test("toTrace() writes connections, listeners and lookups as spans", async () => {
  const sink = bufferSink();
  const trace = toTrace(sink);
  const net = observe(memoryNet({ hosts: { "db.example": ["10.0.0.5"] } }), trace.observer);
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, address);
    await net.getAddrInfo("db.example");
    await net.connect(sw, address);
    await listener.accept(sw);
    await net.datagramSocket(sw, udp("127.0.0.1", 53));
  }, { name: "main" });
  await trace.close();
  const events = checkTrace(sink.text());
  const spans = events.filter(({ ph }) => ph === "b").map(({ cat, name }) => [cat, name.replace(/:\d{5}$/, ":*")]);
  assertEquals(spans, [
    ["listener", "listen 127.0.0.1:80"],
    ["lookup", "lookup db.example"],
    ["connection", "connect 127.0.0.1:80"],
    ["connection", "accept 127.0.0.1:*"],
    ["datagram socket", "datagram 127.0.0.1:53"],
  ]);
  assertEquals(events.filter(({ ph }) => ph === "n").map(({ name }) => name), ["connected"]);
});

test("toTrace() has a track for each switch, by its name and those around it", async () => {
  const sink = bufferSink();
  const trace = toTrace(sink);
  const net = observe(memoryNet(), trace.observer);
  await Switch.run(async (outer) => {
    await net.listen(outer, address);
    await Switch.run((inner) => net.connect(inner, address), { name: "inner" });
    await net.connect(outer, address);
  }, { name: "outer" });
  await trace.close();
  const events = checkTrace(sink.text());
  const names = events.filter(({ name }) => name === "thread_name").map(({ args }) => args?.name);
  assertEquals(names, ["outer", "outer / inner"]);
  assertEquals(events.filter(({ ph }) => ph === "b").map(({ tid }) => tid), [1, 2, 1]);
});

test("toTrace() writes what fails: an attempt ends, and what never began is an instant", async () => {
  const sink = bufferSink();
  const trace = toTrace(sink);
  const net = observe(memoryNet(), trace.observer);
  await Switch.run(async (sw) => {
    await assertRejects(() => net.connect(sw, address), NetError);
    await assertRejects(() => net.datagramSocket(sw, udp("192.0.2.1", 1)), NetError);
  });
  await trace.close();
  const phases = checkTrace(sink.text()).filter(({ ph }) => ph !== "M").map(({ ph, name }) => `${ph} ${name}`);
  assertEquals(phases, [
    "b connect 127.0.0.1:80",
    "n error",
    "e connect 127.0.0.1:80",
    "i bind error",
  ]);
});

test("toTrace() writes what is still open at close(), once, and nothing afterwards", async () => {
  const sink = bufferSink();
  const trace = toTrace(sink);
  const net = observe(memoryNet(), trace.observer);
  await Switch.run(async (sw) => {
    await net.listen(sw, address);
    await net.connect(sw, address);
    await trace.close();
    await trace.close();
  });
  const events = checkTrace(sink.text());
  assertEquals(
    events.filter(({ ph }) => ph === "e").map(({ args }) => args),
    [{ open: true }, { open: true }] as never,
  );
});

test("toTrace() writes a valid trace of nothing", async () => {
  const sink = bufferSink();
  await toTrace(sink).close();
  assertEquals(checkTrace(sink.text()).map(({ name }) => name), ["process_name"]);
});

test("toTrace() throws from close() what the sink throws", async () => {
  const problem = new Error("Cannot write");
  const trace = toTrace({ write: () => Promise.reject(problem) });
  assertEquals(await trace.close().catch((error) => error), problem);
});

test("toTrace() takes a sink only", () => {
  assertThrows(() => toTrace({} as never), TypeError);
});
