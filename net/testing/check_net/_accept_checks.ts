// Copyright 2026 the Sluice authors. MIT license.

import { ClosedError } from "../../../flow/mod.ts";
import { both, first } from "../../../switch/mod.ts";
import { sameAddress } from "../../mod.ts";
import { readPattern, settleSoon, turns, writePieces } from "../check_flow/internal.ts";
import { expect, expectError, expectSame, pattern } from "../internal.ts";
import { connected, listening, type NetCheck } from "./_net_check.ts";

/** Checks of `accept()`. */
export const acceptChecks: readonly NetCheck[] = [
  {
    name: "accept() that is cancelled loses no connection",
    async run(subject) {
      const { net, sw } = subject;
      const listener = await listening(subject);
      expectSame(
        await settleSoon(() => listener.accept(sw)),
        undefined,
        "the result of accept() while no client connects",
      );
      for (let i = 0; i < 5; i++) {
        const [client, server] = await both(
          () => net.connect(sw, listener.address),
          async () => await first(() => listener.accept(sw), async () => await turns(i)) ?? await listener.accept(sw),
        );
        await both(() => writePieces(client, pattern(i, 9)), () => readPattern(server, i, 9));
        await both(() => client.close(), () => server.close());
      }
    },
  },
  {
    name: "accept() serves concurrent calls in FIFO order",
    async run(subject) {
      const { net, sw } = subject;
      const listener = await listening(subject);
      const order: string[] = [];
      const accept = async (name: string) => {
        const flow = await listener.accept(sw);
        order.push(name);
        return flow;
      };
      const connect = () => net.connect(sw, listener.address);
      const [[one, other]] = await both(
        () => both(() => accept("first"), () => accept("second")),
        () => both(connect, connect),
      );
      expect(!sameAddress(one.peer, other.peer), "Expected two different connections");
      expectSame(order.join(), "first,second", "the order in which they were served");
    },
  },
  {
    name: "accept() returns connections that were made before the call",
    async run(subject) {
      const { net, sw } = subject;
      const listener = await listening(subject);
      for (let i = 0; i < 3; i++) await writePieces(await net.connect(sw, listener.address), pattern(0, 9));
      for (let i = 0; i < 3; i++) await readPattern(await listener.accept(sw), 0, 9);
    },
  },
  {
    name: "accept() is woken by close() with a ClosedError, and so is every later one",
    async run(subject) {
      const listener = await listening(subject);
      const accept = () => expectError(() => listener.accept(subject.sw), ClosedError, "accept() of a closed listener");
      await both(accept, async () => {
        await turns(5);
        await listener.close();
      });
      await accept();
      await listener.close();
    },
  },
  {
    name: "a closed listener leaves its connections alone",
    async run(subject) {
      const listener = await listening(subject);
      const [client, server] = await connected(subject, listener);
      await listener.close();
      await both(() => writePieces(client, pattern(0, 100)), () => readPattern(server, 0, 100));
    },
  },
];
