// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { test } from "../../_test.ts";
import { Peer } from "../../runtime/_peers.ts";
import { command, outputOf, start } from "./_helpers.ts";

test("stdin and stdout carry bytes to the end", async () => {
  const text = "hello\n".repeat(20_000);
  assertEquals((await outputOf("cat", text)).length, text.length);
});

test("stdin that has been read from lets the program end by itself, though it is open", async () => {
  await using peer = start("take");
  peer.say("hello and more");
  assertEquals(await peer.ended, { code: 0, signal: null });
  assertEquals(peer.output, "took hello\n");
});

test("stdin keeps what one run has not read for the next, and its end too", async () => {
  assertEquals(await outputOf("takeThenRest", "hello and more"), 'took hello\nthen  and more\nthen ""\n');
});

test("stdin passes the bytes of a cancelled read to the next", async () => {
  await using peer = start("giveUp");
  assertEquals(await peer.line(), "gave up");
  peer.say("hello");
  assertEquals(await peer.line(), "then hello");
  assertEquals((await peer.ended).code, 0);
});

test("stdout has passed on everything when the run ends", async () => {
  assertEquals((await outputOf("large")).length, 8 << 20);
});

test("stdout waits for a slow reader, and holds little meanwhile", async () => {
  await using peer = new Peer("sh", ["-c", `${command.join(" ")} push | (sleep 0.3; wc -c)`]);
  assertEquals(await peer.ended, { code: 0, signal: null });
  assertEquals([peer.output.trim(), peer.errors], [String(256 << 20), "small\n"]);
});

test("stdout can be used by many runs at once, and one after the other, without a warning", async () => {
  const expected = Array.from({ length: 30 }, (_, i) => `${i}\n`);
  assertEquals((await outputOf("atOnce")).split(/(?<=\n)/).sort(), expected.sort());
  assertEquals((await outputOf("again")).length, expected.join("").length);
});

test("stdout whose reader has gone is an error that names it, and does not end the program", async () => {
  await using peer = start("deaf");
  peer.child.stdout.destroy();
  assertEquals(await peer.ended, { code: 0, signal: null });
  const error = "BrokenPipeError EPIPE: Cannot write to stdout: the other end is closed\n";
  assertEquals(peer.errors, error.repeat(2));
});

test("stderr carries what is written to it", async () => {
  await using peer = start("complain");
  assertEquals((await peer.ended).code, 0);
  assertEquals([peer.output, peer.errors], ["", "too bad\n"]);
});

test("run() throws when what was written is lost, though every write succeeded", async () => {
  await using full = new Peer("sh", ["-c", `${command.join(" ")} lost > /dev/full`]);
  assertEquals([await full.ended, full.errors], [{ code: 0, signal: null }, "Cannot write to stdout ENOSPC\n"]);
});
