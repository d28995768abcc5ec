// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  Cancelled,
  copy,
  copyString,
  first,
  type ListenOptions,
  type Net,
  type NetError,
  readAll,
  runServer,
  type StreamSocket,
  Switch,
  tcp,
} from "../../mod.ts";
import { lend, type LendingSource } from "../../flow/provider.ts";
import { openCounts } from "../../net/testing/mod.ts";
import { turn, until } from "../_helpers.ts";
import { test } from "../_test.ts";
import { anyPort, assertNetError, ownHost, ownPort, signal, withNet, withSockets } from "../net/_helpers.ts";
import { descriptors, descriptorsBack } from "./_helpers.ts";
import { Peer, thisCommand, withDeafPeer } from "./_peers.ts";

/**
 * Connects `count` sockets of a foreign process to `port`, one after the other, lest the system's own backlog overflows. For each that ends it says a
 * line: "end", or the code of the error.
 */
function crowd(port: number, count: number): Peer {
  return Peer.node(
    `
    const next = (left) => {
      if (left === 0) return;
      const socket = net.connect(args[0], "127.0.0.1");
      socket.on("error", (error) => say(error.code)).on("end", () => say("end")).resume();
      socket.on("connect", () => console.error("connected"));
      const go = () => { socket.off("connect", go).off("close", go); next(left - 1) };
      socket.on("connect", go).on("close", go);
    };
    next(+args[1]);`,
    port,
    count,
  );
}

/** The next lines that `peer` says. */
async function lines(peer: Peer, count: number): Promise<(string | undefined)[]> {
  const lines = [];
  for (let i = 0; i < count; i++) lines.push(await peer.line());
  return lines;
}

/** Options for a listener whose runtime accepts by itself: on Deno, one that shares its port. */
function acceptingItself(net: Net): ListenOptions {
  return { reusePort: net.features.has("pullAccept") };
}

test("a listener that does not accept leaves connections with the system, with the feature pullAccept", async () => {
  await withNet(async (sw, net) => {
    if (!net.features.has("pullAccept")) return;
    const listener = await net.listen(sw, anyPort);
    const clients = [];
    for (let i = 0; i < 5; i++) clients.push(await net.connect(sw, listener.address));
    const before = descriptors();
    for (let i = 0; i < 20; i++) await turn();
    assertEquals(descriptors(), before);
    for (const client of clients) await copyString("hello", client);
    for (let i = 0; i < 5; i++) assertEquals(await (await listener.accept(sw)).read(new Uint8Array(9)), 5);
  });
});

test("a listener that does not accept holds no more than its backlog, and resets and counts the others", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort, { backlog: 2, ...acceptingItself(net) });
    await using peer = crowd(listener.address.port, 10);
    await until(() => listener.dropped === 8);
    assertEquals(await lines(peer, 8), Array(8).fill("ECONNRESET"));
    for (let i = 0; i < 2; i++) await (await listener.accept(sw)).close();
    assertEquals(listener.dropped, 8);
  });
});

test("close() of a listener resets connections that were not accepted", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    await using peer = crowd(listener.address.port, 3);
    await until(() => peer.errors.split("connected").length > 3);
    await turn(); // in which the runtime accepts them
    await listener.close();
    assertEquals(await lines(peer, 3), Array(3).fill("ECONNRESET"));
  });
});

test("runServer() reports a burst that overflows the backlog once", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort, { backlog: 2, ...acceptingItself(net) });
    const finish = signal();
    const stop = new AbortController();
    const reported: NetError[] = [];
    let served = 0;
    const handler = async () => {
      served++;
      await finish.promise;
    };
    const options = {
      onError: (error: unknown) => sw.fail(error),
      onAcceptError: (error: unknown) => reported.push(error as NetError),
      maxConnections: 1,
      stop: stop.signal,
    };
    sw.fork(() => runServer(listener, handler, options));
    await using _peer = crowd(listener.address.port, 10);
    await until(() => listener.dropped === 7);
    finish.resolve();
    await until(() => served === 3);
    stop.abort();
    assertEquals(reported.map(({ code, operation }) => [code, operation]), [["quota_exceeded", "accept"]]);
  });
});

test("maxConnections holds the others back, and serves them one after the other", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const stop = new AbortController();
    let running = 0;
    let most = 0;
    let served = 0;
    const handler = async (flow: StreamSocket) => {
      most = Math.max(most, ++running);
      await copy(flow, flow);
      running--;
      served++;
    };
    sw.fork(() =>
      runServer(listener, handler, { onError: (error) => sw.fail(error), maxConnections: 3, stop: stop.signal })
    );
    await Promise.all(Array.from({ length: 30 }, async () => {
      const flow = await net.connect(sw, listener.address);
      await copyString("hello", flow);
      await flow.shutdown("send");
      assertEquals((await readAll(flow)).length, 5);
      await flow.close();
    }));
    await until(() => served === 30);
    assertEquals(most, 3);
    stop.abort();
  });
});

test("accept() that is cancelled loses no connection, however often", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const accepted: StreamSocket[] = [];
    sw.forkDaemon(async () => {
      for (;;) {
        await first(async () => {
          accepted.push(await listener.accept(sw));
        }, turn);
      }
    });
    for (let i = 0; i < 50; i++) await net.connect(sw, listener.address);
    await until(() => accepted.length === 50);
  });
});

test("connect() that is cancelled leaves no descriptor open", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    sw.forkDaemon(async () => {
      for (;;) await (await listener.accept(sw)).close();
    });
    await turn();
    const before = descriptors();
    for (let i = 0; i < 30; i++) {
      const hasty = () => Promise.resolve();
      await first(() => net.connect(sw, listener.address).then((flow) => flow.close()), i % 2 === 0 ? hasty : turn);
    }
    await descriptorsBack(before);
  });
});

test("connect() that is cancelled in any turn, among many, leaves no descriptor open", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    sw.forkDaemon(async () => {
      for (;;) await (await listener.accept(sw)).close();
    });
    await turn();
    const before = descriptors();
    const turns = async (count: number) => {
      for (let i = 0; i < count; i++) await turn();
    };
    for (let round = 0; round < 10; round++) {
      const hasty = (count: number) =>
        first(() => net.connect(sw, listener.address).then((flow) => flow.abort()), () => turns(count));
      await Promise.all(Array.from({ length: 50 }, (_, i) => hasty(i % 10)));
    }
    await descriptorsBack(before);
  });
});

test("connect() without an answer is connection_timeout, and leaves no descriptor open", async () => {
  await withNet(async (sw, net) => {
    await withDeafPeer(async (address) => {
      const before = descriptors();
      await assertNetError(() => net.connect(sw, address, { timeout: 30 }), "connection_timeout");
      await descriptorsBack(before);
    });
  });
});

test("connect() without an answer is Cancelled promptly, and leaves no descriptor open", async () => {
  await withNet(async (sw, net) => {
    await withDeafPeer(async (address) => {
      const before = descriptors();
      await first(() => net.connect(sw, address), turn);
      await descriptorsBack(before);
    });
  });
});

test("connect() without an answer is abandoned when its switch fails", async () => {
  await withNet(async (_, net) => {
    await withDeafPeer(async (address) => {
      const before = descriptors();
      const failed = Switch.run(async (sw) => {
        sw.fork(() => net.connect(sw, address));
        await turn();
        sw.fail(new Error("Cannot wait any longer"));
      });
      const error = await assertRejects(() => failed, Error, "Cannot wait any longer");
      assert(!(error instanceof Cancelled));
      await descriptorsBack(before);
    });
  });
});

test("connect() refuses to be connected to itself", async () => {
  await withNet(async (sw, net) => {
    const self = tcp(ownHost, ownPort());
    await assertNetError(() => net.connect(sw, self, { bindTo: self }), "connection_refused");
  });
});

test("a thousand connections leave no descriptor and no count behind", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const stop = new AbortController();
    sw.fork(() =>
      runServer(listener, (flow) => copy(flow, flow), { onError: (error) => sw.fail(error), stop: stop.signal })
    );
    const visit = () =>
      Switch.run(async (own) => {
        const flow = await net.connect(own, listener.address);
        await copyString("x", flow);
        assertEquals(await flow.read(new Uint8Array(9)), 1);
      });
    await turn(); // the server waits
    const counts = JSON.stringify(openCounts());
    const settled = () => until(() => JSON.stringify(openCounts()) === counts); // else the test never ends
    await visit();
    await settled();
    const before = descriptors();
    for (let i = 0; i < 50; i++) await Promise.all(Array.from({ length: 20 }, visit));
    await settled();
    await descriptorsBack(before);
    stop.abort();
  });
});

test("memory that a socket has lent for keeps is not written to again", async () => {
  await withSockets(async ({ client, server }) => {
    const kept: Uint8Array[] = [];
    const source = server as unknown as LendingSource;
    const reading = (async () => {
      const keep = (bytes: Uint8Array, mine: boolean) => {
        kept.push(mine ? bytes : bytes.slice());
        return bytes.length;
      };
      while (await source[lend](keep) !== null);
    })();
    for (let i = 0; i < 200; i++) await client.write(new Uint8Array(1000).fill(i));
    await client.shutdown("send");
    await reading;
    const all = kept.flatMap((bytes) => [...bytes]);
    assertEquals(all.length, 200_000);
    assertEquals(all.findIndex((byte, i) => byte !== Math.floor(i / 1000)), -1);
  });
});

test("close() with unread input ends the connection, and loses no reply", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    await using peer = Peer.node(
      `
      const socket = net.connect(args[0], "127.0.0.1", () => socket.write("x".repeat(60_000), () => say("sent")));
      let text = "";
      socket.on("data", (data) => text += data).on("end", () => say("end " + text)).on("error", (error) => say(error.code));
    `,
      listener.address.port,
    );
    const flow = await listener.accept(sw);
    assertEquals(await peer.line(), "sent");
    await copyString("bye", flow);
    await flow.close();
    assertEquals(await peer.line(), "end bye");
  });
});

test("close() is not held up by a peer that sends without end", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort, { linger: Infinity });
    await using _peer = Peer.node(
      `
      const socket = net.connect(args[0], "127.0.0.1", () => more());
      const more = () => { while (socket.write("x".repeat(65536))); };
      socket.on("drain", more).on("error", () => {});
    `,
      listener.address.port,
    );
    const flow = await listener.accept(sw);
    await flow.read(new Uint8Array(1));
    await flow.close();
  });
});

test("close() wakes a read that waits and a write that is blocked", async () => {
  await withSockets(async ({ client }) => {
    const reading = client.read(new Uint8Array(1)).catch((error) => error.name);
    const blocked = signal();
    const writing = (async () => {
      for (;;) {
        const writing = client.write(new Uint8Array(65536));
        const settled = await Promise.race([writing.then(() => true), turn().then(turn).then(() => false)]);
        if (!settled) blocked.resolve();
        await writing;
      }
    })().catch((error) => error.name);
    await blocked.promise;
    client.abort();
    assertEquals([await reading, await writing], ["ClosedError", "ClosedError"]);
  });
});

for (const what of ["listener", "connection"]) {
  test(`an open ${what} keeps the process alive, although nothing waits for it`, async () => {
    const [program, ...args] = thisCommand("tests/runtime/_idle_program.ts", what);
    await using peer = new Peer(program, args);
    assertEquals((await peer.ended).code, 0, peer.errors);
    assertEquals(peer.output, "goes on\n");
  });
}

test("shutdown('send') waits for a peer that reads nothing, and can be cancelled", async () => {
  await withSockets(async ({ client, server }) => {
    let taken = 0;
    await first(async () => {
      for (;;) taken += await client.write(new Uint8Array(65536));
    }, async () => {
      for (let before = -1; before !== taken;) {
        before = taken;
        for (let i = 0; i < 20; i++) await turn();
      }
    });
    await first(() => client.shutdown("send"), turn);
    const ending = client.shutdown("send");
    assertEquals((await readAll(server)).length, taken);
    await ending;
  });
});
