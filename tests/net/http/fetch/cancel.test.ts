// Copyright 2026 the Sluice authors. MIT license.

/** Aborted signals, cancelled scopes and time limits. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { awaitCancel, Cancelled, NetError, Switch } from "../../../../mod.ts";
import { outcomeOf, turns, until } from "../../../_helpers.ts";
import { test } from "../../../_test.ts";
import { type Answer, reply, withSite } from "./_site.ts";

const url = "http://a.test/";
const never: Answer = () => awaitCancel();
const begun: Answer = () => "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc";
const reason = new Error("Enough");

test("fetch() rejects with the reason of an aborted signal, and sends nothing", () =>
  withSite(never, async (site) => {
    assertEquals(await outcomeOf(() => site.fetch(url, { signal: AbortSignal.abort(reason) })), reason);
    const error = await outcomeOf(() => site.fetch(new Request(url, { signal: AbortSignal.abort() })));
    assertEquals((error as Error).name, "AbortError");
    assertEquals(site.connections, 0);
  }));

test("an argument that is refused comes before an aborted signal", () =>
  withSite(never, async ({ fetch }) => {
    await assertRejects(() => fetch("data:,", { signal: AbortSignal.abort(reason) }), TypeError);
  }));

test("init.signal replaces the signal of a Request, and null removes it", () =>
  withSite(() => reply("ok"), async ({ fetch }) => {
    const request = () => new Request(url, { signal: AbortSignal.abort() });
    await fetch(request(), { signal: new AbortController().signal });
    await fetch(request(), { signal: null });
  }));

test("an aborted signal ends the wait for the header", () =>
  withSite(never, async (site) => {
    const aborter = new AbortController();
    const outcome = outcomeOf(() => site.fetch(url, { signal: aborter.signal }));
    await until(() => site.requests.length === 1);
    aborter.abort(reason);
    assertEquals(await outcome, reason);
  }));

test("an aborted signal ends the attempt to connect", () =>
  withSite(never, async (site) => {
    const aborter = new AbortController();
    const outcome = outcomeOf(() => site.fetch(url, { signal: aborter.signal }));
    aborter.abort(reason);
    assertEquals(await outcome, reason);
    assertEquals(site.requests.length, 0);
  }, { wrap: (net) => ({ ...net, clock: net.clock, connect: () => net.clock.sleep(Infinity) as Promise<never> }) }));

test("an aborted signal errors the body that is read", () =>
  withSite(begun, async (site) => {
    const aborter = new AbortController();
    const response = await site.fetch(url, { signal: aborter.signal });
    const outcome = outcomeOf(() => response.text());
    await turns(2);
    aborter.abort(reason);
    assertEquals(await outcome, reason);
    await until(() => site.ended === 1);
  }));

test("an aborted signal errors the body that no one reads yet, and closes its connection", () =>
  withSite(begun, async (site) => {
    const aborter = new AbortController();
    const response = await site.fetch(url, { signal: aborter.signal });
    aborter.abort();
    await until(() => site.ended === 1);
    const error = await outcomeOf(() => response.text());
    assertEquals((error as Error).name, "AbortError");
  }));

test("an aborted signal errors both branches of a clone", () =>
  withSite(begun, async ({ fetch }) => {
    const aborter = new AbortController();
    const response = await fetch(url, { signal: aborter.signal });
    const copy = response.clone();
    aborter.abort(reason);
    assertEquals([await outcomeOf(() => copy.text()), await outcomeOf(() => response.text())], [reason, reason]);
  }));

test("an aborted signal does nothing after the body has arrived", () =>
  withSite(() => reply("all"), async (site) => {
    const aborter = new AbortController();
    const response = await site.fetch(url, { signal: aborter.signal });
    aborter.abort();
    assertEquals(await response.text(), "all");
    await site.fetch(url);
    assertEquals(site.connections, 1);
  }));

test("an aborted signal cancels the stream that is sent", () =>
  withSite(never, async ({ fetch }) => {
    const aborter = new AbortController();
    let cancelled = false;
    let pulled = false;
    const body = new ReadableStream({
      pull: () => (pulled = true, new Promise<void>(() => {})),
      cancel: () => void (cancelled = true),
    }, { highWaterMark: 0 });
    const outcome = outcomeOf(() =>
      fetch(url, { method: "POST", body, duplex: "half", signal: aborter.signal } as RequestInit)
    );
    await until(() => pulled);
    aborter.abort(reason);
    assertEquals(await outcome, reason);
    assert(cancelled);
  }));

test("cancelling the scope of a call ends the wait for the header", () =>
  withSite(never, async (site) => {
    let outcome: unknown;
    await outcomeOf(() =>
      Switch.run(async (inner) => {
        const call = outcomeOf(() => site.fetch(url)).then((error) => outcome = error);
        await until(() => site.requests.length === 1);
        inner.fail(reason);
        await call;
      })
    );
    assertInstanceOf(outcome, Cancelled);
    await until(() => site.ended === 1 || site.requests.length === 1);
    assert(await site.fetch === site.fetch);
  }));

test("cancelling the scope of a call errors its body, and closes the connection", () =>
  withSite(begun, async (site) => {
    let response!: Response;
    await outcomeOf(() =>
      Switch.run(async (inner) => {
        response = await site.fetch(url);
        inner.fail(reason);
      })
    );
    const error = await outcomeOf(() => response.text());
    assertInstanceOf(error, Cancelled);
    assertEquals(error.cause, reason);
    await until(() => site.ended === 1);
  }));

test("the end of the scope of a call cancels nothing", () =>
  withSite(async (_, { send }) => {
    await send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc");
    await turns(5);
    return "def";
  }, async ({ fetch }) => {
    const response = await Switch.run(() => fetch(url));
    assertEquals(await response.text(), "abcdef");
  }));

test("a call that is not awaited ends with its scope, silently", () =>
  withSite(never, async (site) => {
    await Switch.run(async () => {
      site.fetch(url);
      await until(() => site.requests.length === 1);
    });
    assertEquals(site.requests.length, 1);
  }));

test("fetch() refuses in a cancelled scope", () =>
  withSite(never, async (site) => {
    let error: unknown;
    await outcomeOf(() =>
      Switch.run(async (inner) => {
        inner.fail(reason);
        error = await outcomeOf(() => site.fetch(url));
      })
    );
    assertInstanceOf(error, Cancelled);
    assertEquals(site.connections, 0);
  }));

/** Asserts that `error` is a time limit's, and names it. */
function assertLimit(error: unknown, name: string): void {
  assertInstanceOf(error, TypeError);
  assertInstanceOf(error.cause, NetError);
  assertEquals(error.cause.code, "connection_timeout");
  assert(error.cause.context.some((step) => step.includes(name)), error.cause.context.join());
}

test("fetch() rejects after connectTimeout", () =>
  withSite(never, async ({ fetch, clock }) => {
    const outcome = outcomeOf(() => fetch(url));
    clock.advance();
    assertEquals(clock.now(), 10_000);
    assertLimit(await outcome, "connectTimeout: 10000 ms");
  }, { wrap: (net) => ({ ...net, clock: net.clock, connect: () => net.clock.sleep(Infinity) as Promise<never> }) }));

test("fetch() rejects after headersTimeout", () =>
  withSite(never, async ({ fetch, clock, requests }) => {
    const outcome = outcomeOf(() => fetch(url));
    await until(() => requests.length === 1);
    await turns(3);
    clock.setTime(2999);
    await turns(3);
    clock.setTime(3000);
    assertLimit(await outcome, "headersTimeout: 3000 ms");
  }, { headersTimeout: 3000 }));

test("headersTimeout counts for the whole header, however slowly it comes", () =>
  withSite(async (_, { send }) => {
    await send("HTTP/1.1 200 OK\r\n");
    for (;;) {
      await send("x: y\r\n");
      await turns(1);
    }
  }, async ({ fetch, clock, requests }) => {
    const outcome = outcomeOf(() => fetch(url));
    await until(() => requests.length === 1);
    await turns(3);
    clock.setTime(3000);
    assertLimit(await outcome, "headersTimeout");
  }, { headersTimeout: 3000, maxHeaderSize: Infinity }));

test("a body errors after bodyTimeout, while a read waits", () =>
  withSite(begun, async ({ fetch, clock }) => {
    const response = await fetch(url);
    clock.setTime(100_000);
    await turns(3);
    const outcome = outcomeOf(() => response.text());
    await turns(3);
    clock.setTime(103_000);
    assertLimit(await outcome, "bodyTimeout: 3000 ms");
  }, { bodyTimeout: 3000, idleTimeout: Infinity }));

test("fetch() resolves before the upload has ended", () =>
  withSite(() => reply("early"), async (site) => {
    let cancelled = false;
    const body = new ReadableStream({ cancel: () => void (cancelled = true) });
    const response = await site.fetch(url, { method: "POST", body, duplex: "half" } as RequestInit);
    assertEquals(await response.text(), "early");
    await until(() => cancelled);
    await site.fetch(url);
    assertEquals(site.connections, 2);
  }, {
    serve: async ({ socket, send }) => {
      await socket.read(new Uint8Array(4096));
      await send(reply("early"));
      await socket.read(new Uint8Array(4096));
    },
  }));
