// Copyright 2026 the Sluice authors. MIT license.

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { inspect } from "node:util";
import {
  awaitCancel,
  Cancelled,
  currentSignal,
  first,
  MultipleErrors,
  protect,
  Switch,
  yieldNow,
} from "../../switch/mod.ts";
import { refuse } from "../_lies.ts";
import { test } from "../_test.ts";
import { failure, failuresOf, rejectionOf, throwing } from "./_helpers.ts";

/** Returns the rejection of a switch in which `errors` are thrown in turn. */
function thrownBy(...errors: unknown[]): Promise<unknown> {
  return rejectionOf(Switch.run((sw) => errors.forEach((error) => sw.fail(error))));
}

test("Cancelled carries its cause, and its message shows it", () => {
  const error = new Cancelled(failure);
  assertEquals([error.name, error.cause], ["Cancelled", failure]);
  assertEquals(error.message, "Operation was cancelled: Cannot go on");
  assertEquals(new Cancelled("stop").message, "Operation was cancelled");
  assertEquals(new Cancelled().cause, undefined);
});

test("Cancelled takes over the cause of a Cancelled", () => {
  assertStrictEquals(new Cancelled(new Cancelled(failure)).cause, failure);
});

test("Cancelled has the stack trace of its cause alone", () => {
  const { stackTraceLimit } = Error;
  assertEquals(new Cancelled(failure).stack, "Cancelled: Operation was cancelled: Cannot go on");
  assertStrictEquals(Error.stackTraceLimit, stackTraceLimit);
});

/** How code is cancelled. Each returns what it sees. */
const cancellations: Readonly<Record<string, (code: () => Promise<void>) => Promise<unknown>>> = {
  "a switch that fails": (code) =>
    rejectionOf(Switch.run((sw) => {
      sw.fork(code);
      sw.fail(failure);
    })),
  "a race that is lost": (code) => first(code, yieldNow),
};

for (const [name, cancel] of Object.entries(cancellations)) {
  const reasonSeen = async () => {
    let seen: unknown;
    await cancel(async () => {
      seen = await rejectionOf(awaitCancel());
    });
    assertInstanceOf(seen, Cancelled);
    return seen;
  };

  test(`The Cancelled of ${name} looks like one that is constructed`, async () => {
    const reason = await reasonSeen();
    const look = (of: Cancelled) => [of.name, of.message, of.cause, of.stack, of.constructor, String(of), inspect(of)];
    assertEquals(look(reason), look(new Cancelled(reason.cause)));
    assertStringIncludes(inspect(reason), String(reason.cause));
  });

  test(`The Cancelled of ${name} can be annotated, without an effect on others`, async () => {
    const [reason, other] = [await reasonSeen(), await reasonSeen()];
    Object.assign(reason, { message: "mine", cause: undefined, code: 5, stack: "My own stack" });
    assertEquals([String(reason), reason.cause], ["Cancelled: mine", undefined]);
    for (const shown of ["code: 5", "My own stack"]) assertStringIncludes(inspect(reason), shown);
    assertEquals([String(other), other.stack], [String(new Cancelled(other.cause)), String(other)]);
  });
}

test("An error that fails one switch after another has a stack that can be read", async () => {
  const error = new Error("again");
  const before = String(error.stack);
  for (let i = 0; i < 20_000; i++) await rejectionOf(Switch.run((sw) => sw.fail(error)));
  assert(String(error.stack).startsWith(before));
});

test("MultipleErrors holds its errors and names them in its message", () => {
  const error = new MultipleErrors([failure, "text", undefined]);
  assertInstanceOf(error, AggregateError);
  assertEquals([error.name, error.errors], ["MultipleErrors", [failure, "text", undefined]]);
  assertEquals(error.message, "3 errors: Cannot go on; text; undefined");
});

const endless = "\n\x1b[31mFAKE LOG LINE ".repeat(300_000);

test("Cancelled and MultipleErrors keep their messages short and on one line", () => {
  for (const cause of [new Error(endless), endless]) {
    for (const { message } of [new Cancelled(cause), new MultipleErrors(new Array(100_000).fill(cause))]) {
      assert(message.length < 5000 && !/\p{Cc}/u.test(message), `${message.length} characters`);
    }
  }
  assertMatch(new MultipleErrors(new Array(12).fill("text")).message, /^12 errors: (text; ){10}and 2 more$/);
});

test("MultipleErrors flattens nested ones", () => {
  const error = new MultipleErrors(["a", new MultipleErrors(["b", "c"]), "d"]);
  assertEquals(error.errors, ["a", "b", "c", "d"]);
});

test("MultipleErrors holds errors that cannot be made a text", () => {
  const odd = Object.create(null);
  assertStringIncludes(new MultipleErrors([odd, failure]).message, "Cannot go on");
});

/** Values that throw on every access. */
const hostile: [name: string, value: unknown][] = [
  ["a proxy without a prototype", new Proxy({}, { getPrototypeOf: refuse, get: refuse })],
  ["a proxy of an error", new Proxy(new Error(), { get: refuse })],
  ["a proxy of MultipleErrors", new Proxy(new MultipleErrors([]), { get: refuse })],
  ["an error without a text", Object.defineProperty(new Error(), "message", { get: refuse })],
];

/** Returns the reason of a rejection in an array: resolving with a proxy would read its `then`. */
function caught(promise: Promise<unknown>): Promise<unknown[]> {
  return promise.then(() => [], (error) => [error]);
}

for (const [name, value] of hostile) {
  test(`A switch survives ${name} that is thrown`, async () => {
    const failings = [
      Switch.run((sw) => sw.fail(value)),
      Switch.run((sw) => sw.fork(() => Promise.reject(value))),
      Switch.run((sw) => (sw.forkDaemon(() => Promise.reject(value)), awaitCancel())),
      first(() => Promise.reject(value), () => awaitCancel()),
    ];
    for (const failing of failings) assertStrictEquals((await caught(failing))[0], value);
    const [several] = await caught(Switch.run((sw) => [value, failure].forEach((error) => sw.fail(error))));
    assertInstanceOf(several, MultipleErrors);
    assertStrictEquals(several.errors[0], value);
    assertStrictEquals(several.errors[1], failure);
    assertStrictEquals(new Cancelled(value).cause, value);
  });
}

test("A switch treats a proxy of Cancelled as a cancellation", async () => {
  const odd = new Proxy(new Cancelled(), { get: refuse });
  assertStrictEquals(await thrownBy(odd, failure), failure);
});

test("A single failure is thrown as it is", async () => {
  assertStrictEquals(await thrownBy(failure), failure);
  const several = new MultipleErrors(["a", "b"]);
  assertStrictEquals(await thrownBy(several), several);
});

test("Several failures are thrown as MultipleErrors, in order of occurrence", async () => {
  const error = await thrownBy("a", failure, "b");
  assertInstanceOf(error, MultipleErrors);
  assertEquals(error.errors, ["a", failure, "b"]);
});

test("Failures of different kinds are thrown as a MultipleErrors", async () => {
  class NetLike extends Error {}
  const error = await thrownBy(new TypeError("plain"), new NetLike("io"));
  assertInstanceOf(error, MultipleErrors);
  assertEquals(error.errors.map((each: Error) => each.message), ["plain", "io"]);
});

test("The same error object counts once", async () => {
  assertStrictEquals(await thrownBy(failure, failure), failure);
  const running = Switch.run((sw) => {
    sw.fork(() => throwing(failure, awaitCancel));
    sw.onRelease(() => Promise.reject(failure));
    throw failure;
  });
  assertStrictEquals(await rejectionOf(running), failure);
});

test("The same error object counts once inside MultipleErrors too", async () => {
  const other = new Error("other");
  const several = new MultipleErrors([failure, other]);
  assertEquals((await thrownBy(failure, several) as MultipleErrors).errors, [failure, other]);
  assertEquals((await thrownBy(several, other) as MultipleErrors).errors, [failure, other]);
  const twice = new MultipleErrors([failure, failure]);
  assertStrictEquals(await thrownBy(twice, failure), failure);
});

test("The failures of nested switches are flattened", async () => {
  const failures = await failuresOf(Switch.run((outer) => {
    outer.fork(() => Switch.run((sw) => ["a", "b"].forEach((error) => sw.fail(error))));
    outer.fork(() => throwing("c", awaitCancel));
    return throwing("d", awaitCancel);
  }));
  assertEquals(failures, ["a", "b", "c", "d"].toSorted((x, y) => failures.indexOf(x) - failures.indexOf(y)));
  assertEquals(failures.toSorted(), ["a", "b", "c", "d"]);
});

test("undefined counts as an error, each time", async () => {
  const error = await thrownBy(undefined, undefined);
  assertInstanceOf(error, MultipleErrors);
  assertEquals(error.errors, [undefined, undefined]);
});

test("Equal texts count each time", async () => {
  assertEquals((await thrownBy("a", "a") as MultipleErrors).errors, ["a", "a"]);
});

test("A Cancelled gives way to an error, whichever came first", async () => {
  const cancelled = new Cancelled("stop");
  assertStrictEquals(await thrownBy(cancelled, failure), failure);
  assertStrictEquals(await thrownBy(failure, cancelled), failure);
  assertStrictEquals(await thrownBy(cancelled, new Cancelled("later")), cancelled);
});

test("Errors that cannot be made a text do not keep a switch from ending", async () => {
  const odd = Object.create(null);
  const error = await thrownBy(odd, failure);
  assertInstanceOf(error, MultipleErrors);
  assertStrictEquals(error.errors[0], odd);
});

test("A Cancelled that main throws without a cancellation is thrown", async () => {
  const cancelled = new Cancelled("own");
  assertStrictEquals(await rejectionOf(Switch.run(() => Promise.reject(cancelled))), cancelled);
});

test("An AbortError counts as the cancellation while the scope is cancelled", async () => {
  const abortError = () => new DOMException("The operation was aborted", "AbortError");
  const seen: unknown[] = [];
  const running = Switch.run((sw) => {
    sw.fork(() => throwing(abortError(), awaitCancel));
    sw.forkDaemon(() => throwing(abortError(), awaitCancel));
    sw.forkPromise(() => throwing(abortError(), awaitCancel)).catch((error) => seen.push(error));
    sw.fork(() => first(() => throwing(abortError(), awaitCancel), awaitCancel));
    sw.fork(() => Switch.run(() => throwing(abortError(), awaitCancel)));
    sw.fail(failure);
    throw abortError();
  });
  assertStrictEquals(await rejectionOf(running), failure);
  assertInstanceOf(seen[0], Cancelled);
});

test("An AbortError of a loser counts as its cancellation", async () => {
  const foreign = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(new DOMException("The operation was aborted", "AbortError")));
    });
  assertEquals(await first(() => foreign(currentSignal()), () => 1), 1);
});

test("An AbortError is a failure while the scope is not cancelled", async () => {
  const error = new DOMException("The operation was aborted", "AbortError");
  assertStrictEquals(await rejectionOf(Switch.run((sw) => sw.fork(() => Promise.reject(error)))), error);
  assertStrictEquals(await rejectionOf(Switch.run(() => Promise.reject(error))), error);
  assertStrictEquals(await rejectionOf(first(() => Promise.reject(error), awaitCancel)), error);
});

test("An AbortError inside a shield is a failure until it reaches a cancelled scope", async () => {
  const error = new DOMException("The operation was aborted", "AbortError");
  let seen: unknown;
  await rejectionOf(Switch.run(async (sw) => {
    sw.fail(failure);
    seen = await rejectionOf(protect(() => Promise.reject(error)));
  }));
  assertStrictEquals(seen, error);
});
