// Copyright 2026 the Sluice authors. MIT license.

/**
 * An error thrown in a callback of the TLS engine closes that endpoint, and does not reach the
 * runtime.
 */
import { assertEquals } from "@std/assert";
import { nodeTls } from "../../../net/tls/_node_engine.ts";
import type { TlsEnd, TlsEvents } from "../../../net/tls/_engine.ts";
import { test } from "../../_test.ts";
import { type Signal, signal } from "../_helpers.ts";
import { authority, certificate } from "./_helpers.ts";

/** One end, connected to the other. */
class End {
  readonly secured: Signal = signal();
  readonly closed: Signal = signal();
  other: End | undefined;
  endpoint: TlsEnd | undefined;
  readonly #arrived: Uint8Array<ArrayBuffer>[] = [];
  #wants = false;

  readonly events: TlsEvents = {
    readable: () => {},
    writable: () => {},
    secured: () => this.secured.resolve(),
    wantsRecord: () => {
      this.#wants = true;
      this.#feed();
    },
    encrypted: (bytes) => this.other?.take(new Uint8Array(bytes)),
    finished: () => {},
    failed: () => {},
    closed: () => this.closed.resolve(),
  };

  take(bytes: Uint8Array<ArrayBuffer>): void {
    this.#arrived.push(bytes);
    queueMicrotask(() => this.#feed());
  }

  #feed(): void {
    const bytes = this.#wants ? this.#arrived.shift() : undefined;
    if (bytes === undefined) return;
    this.#wants = false;
    this.endpoint?.decrypt(bytes);
  }
}

/** Creates both ends. The client's `event` throws; `thrown` then settles. */
function ends(
  event: keyof TlsEvents,
  authorities: readonly string[],
): { client: End; server: End; thrown: Promise<void> } {
  const [client, server, thrown] = [new End(), new End(), signal()];
  client.other = server;
  server.other = client;
  const call = client.events[event] as (...args: unknown[]) => void;
  const events = {
    ...client.events,
    [event](...args: unknown[]) {
      if (event === "closed") call(...args);
      thrown.resolve();
      throw new Error("boom");
    },
  };
  const { chain, key } = certificate("localhost");
  const identity = { chain: [String(chain)], key: String(key), passphrase: undefined };
  const settings = { identity: undefined, authorities: undefined, protocols: undefined };
  server.endpoint = nodeTls.accept({ ...settings, identity }, server.events);
  client.endpoint = nodeTls.connect({ ...settings, authorities, serverName: "localhost", verify: true }, events);
  return { client, server, thrown: thrown.promise };
}

const triggers: Partial<Record<keyof TlsEvents, (client: End, server: End) => Promise<unknown>>> = {
  wantsRecord: async () => {},
  encrypted: async () => {},
  secured: async () => {},
  failed: async () => {},
  readable: async (client, server) => {
    await Promise.all([client.secured.promise, server.secured.promise]);
    server.endpoint?.write(Uint8Array.of(1));
  },
  writable: async (client) => {
    await client.secured.promise;
    client.endpoint?.write(Uint8Array.of(1));
  },
  closed: async (client) => {
    await client.secured.promise;
    client.endpoint?.destroy();
  },
};

for (const [event, trigger] of Object.entries(triggers)) {
  test(`an exception in ${event}() closes the TLS endpoint, and does not reach the runtime`, async () => {
    const { client, server, thrown } = ends(event as keyof TlsEvents, event === "failed" ? [] : [authority]);
    await trigger(client, server);
    await thrown;
    await client.closed.promise;
    assertEquals(client.endpoint?.write(Uint8Array.of(1)), 0);
    server.endpoint?.destroy();
  });
}
