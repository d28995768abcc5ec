// Copyright 2026 the Sluice authors. MIT license.

/** The limit of `runServer`, and its failures, while hosts crash, pause and lose touch. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  Cancelled,
  type ConnectionScope,
  NetError,
  readAll,
  readExact,
  runServer,
  type StreamSocket,
  Switch,
  tcp,
  TimeoutError,
  udp,
  withTimeout,
} from "../../mod.ts";
import { checkSeeds, SeedError, type Sim, type SimHost } from "../../net/testing/mod.ts";
import { test } from "../_test.ts";
import { choose, isOfNetwork, settle, testSeeds } from "./_helpers.ts";
import { Failures, type Serve } from "./_server_helpers.ts";

/** Handlers by the first byte of the client. */
const requests = ["echo", "echo", "slow", "throw", "fork", "leave"] as const;

/** Does what a client asks for. */
async function answer(
  flow: StreamSocket,
  { clock, random }: SimHost,
  failures: Failures,
  scope: ConnectionScope,
): Promise<void> {
  if (random() < 0.1) throw failures.planned("thrown before reading");
  const bytes = new Uint8Array(1);
  await withTimeout(clock, 1000, () => readExact(flow, bytes));
  const request = requests[bytes[0]];
  if (request === "slow") await clock.sleep(random() * 300);
  if (request === "throw") throw failures.planned("thrown after reading");
  if (request === "fork") {
    scope.sw.fork(async () => {
      await clock.sleep(20);
      throw failures.planned("thrown in a fiber of the connection");
    });
    await clock.sleep(random() * 40);
  }
  if (request !== "leave") await flow.write(bytes);
}

/** Asks a server for something. Returns the answer, or the error of the network. */
async function ask(client: SimHost, server: SimHost, request: (typeof requests)[number]): Promise<unknown> {
  const { net, clock } = client;
  try {
    return await Switch.run(async (sw) => {
      const flow = await net.connect(sw, tcp(server.ip, 80), { timeout: 20_000, linger: 0 });
      return await withTimeout(clock, 20_000, async () => {
        await flow.write(Uint8Array.of(requests.indexOf(request)));
        return (await readAll(flow)).length === 0 ? "closed" : "answered";
      });
    });
  } catch (error) {
    if (isOfNetwork(error)) return error;
    throw error;
  }
}

/** Opens a socket for a while, so that a host with two can accept nothing. */
async function occupy({ net, clock, ip }: SimHost): Promise<void> {
  try {
    await clock.sleep(100);
    await Switch.run(async (sw) => {
      await net.datagramSocket(sw, udp(ip, 0));
      await clock.sleep(400);
    });
  } catch (error) {
    if (!(error instanceof NetError)) throw error;
  }
}

/** A server with a limit, and clients that ask for everything. Once the faults are over, each is answered. */
function limiting(serve: Serve, isCalm = false): (sim: Sim) => Promise<void> {
  return async (sim) => {
    const setup = sim.host("setup").random;
    const [limit, backlog, clients] = [
      choose(setup, [1, 2, 3]),
      choose(setup, [1, 3, 100]),
      2 + Math.floor(setup() * 2),
    ];
    const maxSockets = choose(setup, [Infinity, Infinity, 2]);
    const servers: { running: number; failures: Failures; stop: AbortController; over: boolean }[] = [];
    const main = async (host: SimHost) => {
      const server = { running: 0, failures: new Failures(), stop: new AbortController(), over: false };
      servers.push(server);
      const { failures, stop } = server;
      await Switch.run(async (sw) => {
        const listener = await host.net.listen(sw, tcp("0.0.0.0", 80), { backlog, linger: 100 });
        if (maxSockets === 2) sw.forkDaemon(() => occupy(host));
        const handler = failures.of(async (flow, _, scope) => {
          server.running++;
          try {
            await answer(flow, host, failures, scope);
          } finally {
            server.running--;
          }
        });
        await serve(listener, handler, {
          maxConnections: limit,
          onError: (error) => failures.hear(error),
          onAcceptError: (error) => assert(maxSockets === 2 && error instanceof NetError, String(error)),
          stop: stop.signal,
        });
      });
      assertEquals(server.running, 0, "handlers outlive the server");
      server.over = true;
      failures.check();
    };
    const server = sim.host("server", { main, maxSockets });
    sim.invariant("no more handlers run than maxConnections", () => {
      const { running } = servers[servers.length - 1];
      assert(running <= limit, `${running} handlers`);
    });
    const hosts = Array.from({ length: clients }, (_, i) => sim.host(`client${i + 1}`));
    for (const host of hosts) {
      sim.link(host, server, { latency: 1 + setup() * 50, jitter: setup() * 30, loss: choose(setup, [0, 0, 0.05]) });
    }
    const asking = hosts.map((host) =>
      host.fork(async () => {
        await Switch.run((sw) => {
          for (let i = 0; i < 2; i++) {
            sw.fork(async () => {
              await host.clock.sleep(host.random() * 1000);
              const request = choose(host.random, requests);
              const outcome = await ask(host, server, request);
              if (isCalm) assert(!(outcome instanceof TimeoutError), `${request}: ${outcome}`);
            });
          }
        });
      }).catch((error) => assert(error instanceof Cancelled, String(error)))
    );
    await Promise.all(asking);
    await sim.run(5000);
    sim.heal();
    await sim.run(5000);
    for (const host of hosts) {
      // An answer is not certain: a handler throws once in a while, and a packet may be lost.
      const outcomes: unknown[] = [];
      while (!outcomes.includes("answered") && outcomes.length < 8) outcomes.push(await ask(host, server, "echo"));
      assert(outcomes.includes("answered"), `not served any more: ${outcomes.join(", ")}`);
    }
    const last = servers[servers.length - 1];
    last.stop.abort();
    await sim.run(5000);
    assert(last.over, "the server goes on after its stop");
    await settle(sim);
    assertEquals(sim.sockets(), []);
  };
}

testSeeds("runServer() keeps its limit, serves every client, and reports every failure once", limiting(runServer), {
  partitions: 1,
  crashes: 1,
  pauses: 1,
  drops: 2,
  within: 1500,
});

testSeeds("runServer() answers or closes every connection on lossy links", limiting(runServer, true), {});

test("the scenario of runServer() notices one connection beyond the limit", async () => {
  const generous: Serve = (listener, handler, options) =>
    runServer(listener, handler, { ...options, maxConnections: options.maxConnections as number + 1 });
  await assertRejects(() => checkSeeds(100, limiting(generous)), SeedError, "no more handlers run than");
});

test("the scenario of runServer() notices that a failure is reported twice", async () => {
  const eager: Serve = (listener, handler, options) => {
    const onError: typeof options.onError = (
      error,
      info,
    ) => [options.onError(error, info), options.onError(error, info)];
    return runServer(listener, handler, { ...options, onError });
  };
  await assertRejects(() => checkSeeds(100, limiting(eager)), SeedError, "onError was called twice");
});
