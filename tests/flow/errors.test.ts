// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertStringIncludes } from "@std/assert";
import {
  BrokenPipeError,
  BufferLimitExceeded,
  BusyError,
  ClosedError,
  EndOfFlow,
  FlushAborted,
  ParseError,
} from "../../flow/mod.ts";
import { test } from "../_test.ts";

const cases: [Error, name: string, message: string][] = [
  [new EndOfFlow(), "EndOfFlow", "Cannot read on: the flow has ended"],
  [new EndOfFlow("Cannot read 3 bytes"), "EndOfFlow", "Cannot read 3 bytes"],
  [new BufferLimitExceeded(4), "BufferLimitExceeded", "Cannot buffer more than 4 bytes"],
  [new FlushAborted(), "FlushAborted", "Cannot flush: the writer was aborted"],
  [new ParseError("Expected a digit", 7), "ParseError", "Expected a digit (at offset 7)"],
  [new ClosedError("read"), "ClosedError", "Cannot read: closed by this side"],
  [new ClosedError("accept", "the listener is closed"), "ClosedError", "Cannot accept: the listener is closed"],
  [new BusyError("write"), "BusyError", "Cannot write: another write is under way"],
  [new BrokenPipeError("write"), "BrokenPipeError", "Cannot write: the other end is closed"],
  [
    new BrokenPipeError("write", { flow: "stdout" }),
    "BrokenPipeError",
    "Cannot write to stdout: the other end is closed",
  ],
];

for (const [error, name, message] of cases) {
  test(`${name} is an error that says "${message}"`, () => {
    assertInstanceOf(error, Error);
    assertEquals([error.name, error.message, error.constructor.name], [name, message, name]);
  });
}

test("ClosedError, BusyError and BrokenPipeError tell what was tried", () => {
  for (const ErrorClass of [ClosedError, BusyError, BrokenPipeError]) {
    assertEquals(new ErrorClass("write").operation, "write");
  }
});

test("BufferLimitExceeded tells the limit, what was too long, where it begins, and the flow", () => {
  const error = new BufferLimitExceeded(4, { what: "a line", offset: 17, flow: "tcp:127.0.0.1:80" });
  assertEquals([error.limit, error.offset, error.flow], [4, 17, "tcp:127.0.0.1:80"]);
  assertEquals(
    error.message,
    "Cannot buffer more than 4 bytes: a line from tcp:127.0.0.1:80 is longer than maxSize (at offset 17)",
  );
});

test("BusyError names the flow, and what to do instead", () => {
  const flow = "tcp:127.0.0.1:80";
  const error = new BusyError("write", { flow });
  assertEquals(error.flow, flow);
  assertEquals(
    error.message,
    "Cannot write: another write is under way on tcp:127.0.0.1:80; wrap it in withBufWriter, or take turns with a Semaphore(1)",
  );
  assertStringIncludes(
    new BusyError("read", { flow }).message,
    "on tcp:127.0.0.1:80; read it in one fiber, or take turns",
  );
});

test("ClosedError names the flow, and has the reason as its cause", () => {
  const error = new ClosedError("read", "its switch has ended", { flow: "tcp:127.0.0.1:80", cause: 1 });
  assertEquals([error.flow, error.cause], ["tcp:127.0.0.1:80", 1]);
  assertEquals(error.message, "Cannot read from tcp:127.0.0.1:80: its switch has ended");
  assertEquals("cause" in new ClosedError("read", undefined, { flow: "pipe" }), false);
});

test("ClosedError, BusyError and BufferLimitExceeded cut the name of a flow", () => {
  const flow = "x".repeat(10_000);
  for (const error of [new ClosedError("read", "closed", { flow }), new BusyError("read", { flow })]) {
    assert(error.message.length < 400, `${error.message.length} characters`);
  }
  assert(new BufferLimitExceeded(1, { flow }).message.length < 400);
});

test("ParseError tells where, and what went wrong underneath", () => {
  const cause = new EndOfFlow();
  const error = new ParseError("Expected a digit", 7, cause);
  assertEquals(error.offset, 7);
  assertStrictEquals(error.cause, cause);
});

test("FlushAborted tells what ended the writer", () => {
  const cause = new Error("Cannot write");
  assertStrictEquals(new FlushAborted(cause).cause, cause);
});
