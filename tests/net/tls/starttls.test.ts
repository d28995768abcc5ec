// Copyright 2026 the Sluice authors. MIT license.

/** TLS that starts within another protocol. */
import { assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { all, BufReader, copyString, pipe, readAll, Switch, type TwoWay } from "../../../mod.ts";
import { lend, type LendingSource } from "../../../flow/provider.ts";
import { tlsClient, TlsError, tlsServer } from "../../../net/tls/mod.ts";
import { textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { clientOptions, serverOptions } from "./_helpers.ts";

/** A flow whose first bytes are in a reader's buffer. */
function handedOver(reader: BufReader, flow: TwoWay): TwoWay & LendingSource {
  const source = reader.asSource() as LendingSource;
  return {
    read: (buffer) => source.read(buffer),
    [lend]: (use) => source[lend](use),
    write: (bytes) => flow.write(bytes),
    shutdown: (how) => flow.shutdown(how),
  };
}

const maxSize = 1024;

test("tlsServer() and tlsClient() can start within another protocol", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    await all([
      async () => {
        const plain = new BufReader(a, { maxSize });
        assertEquals(await plain.line(), "220 ready");
        await copyString("STARTTLS\r\n", a);
        assertEquals(await plain.line(), "220 go ahead");
        const tls = await tlsClient(sw, handedOver(plain, a), clientOptions);
        await copyString("QUIT\r\n", tls);
        assertEquals(await new BufReader(tls, { maxSize }).line(), "221 bye");
        await tls.close();
      },
      async () => {
        await copyString("220 ready\r\n", b);
        const plain = new BufReader(b, { maxSize });
        assertEquals(await plain.line(), "STARTTLS");
        await copyString("220 go ahead\r\n", b);
        const tls = await tlsServer(sw, handedOver(plain, b), serverOptions);
        assertEquals(await new BufReader(tls, { maxSize }).line(), "QUIT");
        await copyString("221 bye\r\n", tls);
        await tls.close();
      },
    ]);
  }));

test("tlsServer() gets what came together with the last line of plaintext", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    // The client does not wait: command and handshake arrive as one chunk.
    const eager: TwoWay = {
      read: (buffer) => a.read(buffer),
      write: async (bytes) => {
        const command = new TextEncoder().encode(first ? "STARTTLS\r\n" : "");
        first = false;
        await a.write(new Uint8Array([...command, ...bytes]));
        return bytes.length;
      },
      shutdown: (how) => a.shutdown(how),
    };
    let first = true;
    const [client, server] = await all([
      () => tlsClient(sw, eager, clientOptions),
      async () => {
        const plain = new BufReader(b, { maxSize: 8192 });
        await plain.ensure(100);
        assertEquals(await plain.line(), "STARTTLS");
        return await tlsServer(sw, handedOver(plain, b), serverOptions);
      },
    ]);
    await copyString("hello", client);
    assertEquals(await server.read(new Uint8Array(10)), 5);
  }));

test("tlsServer() does not treat injected plaintext as TLS data", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    await copyString("STARTTLS\r\nRSET\r\n", a); // injected by a man in the middle
    const plain = new BufReader(b, { maxSize });
    assertEquals(await plain.line(), "STARTTLS");
    const outcomes = await Promise.all([
      assertRejects(() => tlsClient(sw, a, clientOptions), TlsError),
      assertRejects(() => tlsServer(sw, handedOver(plain, b), serverOptions), TlsError),
    ]);
    assertEquals(outcomes.length, 2);
  }));

test("tlsClient() does not treat injected plaintext as TLS data", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    await copyString("220 go ahead\r\n250 all is well\r\n", b);
    const plain = new BufReader(a, { maxSize });
    assertEquals(await plain.line(), "220 go ahead");
    await Promise.all([
      assertRejects(() => tlsClient(sw, handedOver(plain, a), clientOptions), TlsError),
      assertRejects(() => tlsServer(sw, b, serverOptions), TlsError),
    ]);
  }));

test("tlsClient() keeps nothing of what a source lends and uses again", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    const memory = Buffer.alloc(300); // its slice() shares memory
    const flow: TwoWay & LendingSource = {
      read: (buffer) => a.read(buffer),
      [lend]: async (use) => {
        const count = await a.read(memory);
        if (count === null) return null;
        for (let at = 0; at < count;) at += await use(memory.subarray(at, count), false);
        memory.fill(0);
        return count;
      },
      write: (bytes) => a.write(bytes),
      shutdown: (how) => a.shutdown(how),
    };
    const [client, server] = await all([
      () => tlsClient(sw, flow, clientOptions),
      () => tlsServer(sw, b, serverOptions),
    ]);
    await copyString("hello", server);
    await server.close();
    assertEquals(textOf(await readAll(client)), "hello");
  }));
