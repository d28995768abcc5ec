// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
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

test("BufferLimitExceeded tells the limit", () => {
  assertEquals(new BufferLimitExceeded(4).limit, 4);
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
