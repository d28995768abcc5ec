// Copyright 2026 the Sluice authors. MIT license.

import { ClosedError, readAll } from "../../../flow/mod.ts";
import { both, Switch } from "../../../switch/mod.ts";
import { formatAddress, NetError, runServer, type StreamSocket } from "../../mod.ts";
import { bytesOf, turns, writePieces } from "../check_flow/internal.ts";
import { expect, expectBytes, expectError, expectSame, pattern } from "../internal.ts";
import { connected, expectCode, expectContext, listening, type NetCheck } from "./_net_check.ts";

/** Checks `abort()` of a network that cannot reset connections. */
async function checkEndingAbort(client: StreamSocket, server: StreamSocket): Promise<void> {
  await writePieces(client, pattern(0, 9));
  client.abort();
  expectBytes(await readAll(server), pattern(0, 9), "what had gone out before abort()");
  await expectError(() => client.read(new Uint8Array(9)), ClosedError, "read() after abort()");
  client.abort();
  await client.close();
}

/** Checks of connections, and of servers. */
export const socketChecks: readonly NetCheck[] = [
  {
    name: "abort() resets the peer's connection permanently, or ends it without the feature",
    async run(subject) {
      const [client, server] = await connected(subject, await listening(subject));
      if (!subject.net.features.has("reset")) return await checkEndingAbort(client, server);
      const reading = expectCode(
        () => server.read(new Uint8Array(9)),
        "connection_reset",
        "read() from an aborted peer",
      );
      await turns(5);
      client.abort();
      expectContext(await reading, `reading from ${formatAddress(server.peer)}`);
      await expectCode(() => server.read(new Uint8Array(9)), "connection_reset", "a second read()");
      await expectError(() => client.read(new Uint8Array(9)), ClosedError, "read() after abort()");
      client.abort();
      await client.close();
    },
  },
  {
    name: "close() delivers what was written, then the end",
    async run(subject) {
      const [client, server] = await connected(subject, await listening(subject));
      const size = 300_000;
      await both(async () => {
        await writePieces(client, pattern(0, size));
        await client.close();
      }, async () => expectBytes(await readAll(server), pattern(0, size), "what arrived"));
    },
  },
  {
    name: "setOption() and getOption() of an unknown option are invalid_option",
    async run(subject) {
      const listener = await listening(subject);
      for (const socket of [listener, ...await connected(subject, listener)]) {
        const set = async () => await socket.setOption("SO_SUCH" as never, 1 as never);
        const get = async () => await socket.getOption("SO_SUCH" as never);
        await expectCode(set, "invalid_option", "setOption() of an unknown option");
        await expectCode(get, "invalid_option", "getOption() of an unknown option");
      }
    },
  },
  {
    name: "getOption() returns what was set, where options are supported",
    async run(subject) {
      const [client] = await connected(subject, await listening(subject));
      for (const value of [true, false]) {
        try {
          client.setOption("TCP_NODELAY", value);
        } catch (error) {
          expect(error instanceof NetError && error.code === "not_supported", `Expected not_supported: ${error}`);
          return;
        }
        expectSame(client.getOption("TCP_NODELAY"), value, "the option that was set");
      }
    },
  },
  {
    name: "runServer() serves every client, and stops on request with its connections closed",
    async run(subject) {
      const { net } = subject;
      const listener = await listening(subject);
      const { promise: stop, resolve } = Promise.withResolvers<string>();
      const serve = () =>
        runServer(listener, async (flow) => await writePieces(flow, bytesOf("hello")), {
          onError(error) {
            throw error;
          },
          stop,
        });
      const [result] = await both(serve, async () => {
        for (let i = 0; i < 3; i++) {
          await Switch.run(async (sw) => {
            expectBytes(await readAll(await net.connect(sw, listener.address)), bytesOf("hello"), "what was served");
          });
        }
        resolve("stopped");
      });
      expectSame(result, "stopped", "the result of runServer()");
    },
  },
  {
    name: "a network is immutable",
    run({ net }) {
      expect(Object.isFrozen(net), "Expected the network to be frozen");
      const before = [...net.features].sort().join();
      (net.features as Set<string>).add("anything");
      expectSame([...net.features].sort().join(), before, "the features after a copy was changed");
      return Promise.resolve();
    },
  },
];
