// Copyright 2026 the Sluice authors. MIT license.
import { assertEquals, assertRejects } from "@std/assert";
import { Cancelled, ClosedError, first, pipe, Switch, type TwoWay } from "../../../mod.ts";
import { mockClock } from "../../../net/testing/mod.ts";
import { type TlsCertificate, tlsClient, TlsError, tlsServer } from "../../../net/tls/mod.ts";
import { test } from "../../_test.ts";
import { signal } from "../_helpers.ts";
import { clientOptions, secured } from "./_helpers.ts";

/** A certificate callback that never resolves, and a promise of its call. */
function stuck(): { asked: Promise<void>; certificate: () => Promise<TlsCertificate> } {
  let tell = () => {};
  const asked = new Promise<void>((resolve) => tell = resolve);
  const certificate = () => {
    tell();
    return new Promise<TlsCertificate>(() => {});
  };
  return { asked, certificate };
}

test("tlsServer() does not wait longer than its timeout for a certificate that never comes", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    const clock = mockClock();
    const { asked, certificate } = stuck();
    const client = assertRejects(() => tlsClient(sw, a, clientOptions), TlsError);
    const server = assertRejects(() => tlsServer(sw, b, { certificate, clock, handshakeTimeout: 200 }), TlsError);
    await asked;
    clock.advance();
    assertEquals((await server).code, "handshake_timeout");
    assertEquals((await client).code, "truncated");
    await assertRejects(() => b.read(new Uint8Array(1)), ClosedError);
  }));

test("tlsServer() can be cancelled while it waits for a certificate that never comes", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    const { asked, certificate } = stuck();
    const client = assertRejects(() => tlsClient(sw, a, clientOptions), TlsError);
    let failure: unknown;
    await first(
      () => tlsServer(sw, b, { certificate }).then(() => {}, (error) => void (failure = error)),
      () => asked,
    );
    assertEquals(failure instanceof Cancelled, true);
    await client;
  }));

test("tlsServer() ignores a certificate that fails too late", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    const { promise, reject } = signal();
    const asked = signal();
    const certificate = () => {
      asked.resolve();
      return promise as Promise<never>;
    };
    const client = assertRejects(() => tlsClient(sw, a, clientOptions), TlsError);
    await first(() => tlsServer(sw, b, { certificate }).then(() => {}, () => {}), () => asked.promise);
    await client;
    reject(new Error("Cannot find it: too late"));
  }));

for (const what of ["read", "write"] as const) {
  test(`tlsClient() does not wait longer than its timeout for a flow whose ${what} never ends`, () =>
    Switch.run(async (sw) => {
      const clock = mockClock();
      const waiting = signal();
      const [a] = pipe();
      const flow: TwoWay = {
        read: (buffer) => a.read(buffer),
        write: (bytes) => a.write(bytes),
        shutdown: (how) => a.shutdown(how),
        [what]: () => {
          waiting.resolve();
          return new Promise<number>(() => {});
        },
      };
      const starting = assertRejects(
        () => tlsClient(sw, flow, { ...clientOptions, clock, handshakeTimeout: 200 }),
        TlsError,
      );
      await waiting.promise;
      clock.advance();
      assertEquals((await starting).code, "handshake_timeout");
    }));
}

test("tlsClient() sends each of its flights in one write", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    let writes = 0;
    const counting: TwoWay = {
      read: (buffer) => a.read(buffer),
      write: (bytes) => {
        writes++;
        return a.write(bytes);
      },
      shutdown: (how) => a.shutdown(how),
    };
    await secured(sw, [counting, b]);
    assertEquals(writes, 2); // otherwise TCP delays the second segment until the first is acknowledged
  }));
