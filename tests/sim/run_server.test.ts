// Copyright 2026 the Sluice authors. MIT license.

/** The limit, the errors, the drain and the grace period of `runServer`, while hosts crash, pause and lose touch. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  Cancelled,
  checkCancelled,
  type ConnectionHandler,
  type ConnectionScope,
  formatAddress,
  interruptible,
  isCancelled,
  MultipleErrors,
  NetError,
  protect,
  readAll,
  readExact,
  runServer,
  type RunServerOptions,
  type StreamSocket,
  Switch,
  tcp,
  TimeoutError,
  udp,
  withTimeout,
} from "../../mod.ts";
import { checkSeeds, SeedError, type Sim, type SimHost } from "../../net/testing/mod.ts";
import { test } from "../_test.ts";
import {
  assertSameTime,
  awake,
  choose,
  hasCrashed,
  isOfNetwork,
  openSockets,
  runClient,
  settle,
  testSeeds,
} from "./_helpers.ts";

type Serve = (
  listener: Parameters<typeof runServer>[0],
  handler: ConnectionHandler,
  options: RunServerOptions<unknown>,
) => Promise<unknown>;

/** What the handlers of one server throw, and what `onError` hears of it. */
class Failures {
  readonly #thrown: unknown[] = [];
  readonly #heard: unknown[] = [];
  #wasCancelled = false;

  /** Returns a new error that is to be thrown. */
  planned(text: string): Error {
    const error = new Error(text);
    this.#thrown.push(error);
    return error;
  }

  /** Returns a handler whose errors are noted. */
  of(handler: ConnectionHandler): ConnectionHandler {
    return async (flow, peer, scope) => {
      try {
        await handler(flow, peer, scope);
      } catch (error) {
        if (!(error instanceof Cancelled) && !this.#thrown.includes(error)) this.#thrown.push(error);
        throw error;
      }
    };
  }

  /** Notes what `onError` hears; its scope is cancelled with the handlers, when `mayBeCancelled`. */
  hear(error: unknown, mayBeCancelled = false): void {
    this.#wasCancelled ||= isCancelled() && !mayBeCancelled;
    this.#heard.push(...error instanceof MultipleErrors ? error.errors : [error]);
  }

  /** Checks that each was heard once, and nothing else but the errors of closing. */
  check(): void {
    const missing = this.#thrown.filter((error) => !this.#heard.includes(error));
    assertEquals(missing, [], "onError was not called");
    assertEquals(this.#heard.length, new Set(this.#heard).size, "onError was called twice");
    const others = this.#heard.filter((error) => !this.#thrown.includes(error));
    assertEquals(others, [], "onError was called with another error");
    assert(!this.#wasCancelled, "onError was called in a cancelled scope");
  }
}

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
          onAcceptError: (error) =>
            console.log("ACC", String(error)) as any ??
              assert(maxSockets === 2 && error instanceof NetError, String(error)),
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

/** What a handler of a server that drains does, and when. */
interface Served {
  readonly start: number;
  /** When it learned of the stop, of its cancellation, and when it ended. */
  stopped?: number;
  cancelled?: number;
  end?: number;
  /** The connection, as netstat(8) lists it. */
  readonly socket: string;
  /** Whether that is still open some time after the cancellation. */
  isOpen?: boolean;
}

/** Waits for the stop of the server, for the end of the client, or for a while; some go on when cancelled. */
async function linger(sim: Sim, host: SimHost, flow: StreamSocket, scope: ConnectionScope, served: Served) {
  const { clock, random } = host;
  const kind = choose(random, ["obey", "sleep", "read", "stubborn", "stubborn", "throw"] as const);
  const [short, long] = [random() * 1500, choose(random, [10, 990, 1500, 3000])];
  const stopped = new Promise<void>((resolve) => {
    const stop = () => {
      served.stopped = clock.now();
      resolve();
    };
    if (scope.stopping.aborted) stop();
    else scope.stopping.addEventListener("abort", stop, { once: true });
  });
  try {
    if (kind === "obey") await interruptible(stopped);
    else if (kind === "sleep") await clock.sleep(short);
    else if (kind === "stubborn") await clock.sleep(4000);
    else await withTimeout(clock, 5000, () => readAll(flow));
    if (kind === "throw") throw new Error("thrown at the end");
  } catch (error) {
    if (isCancelled()) {
      served.cancelled = clock.now();
      if (kind === "stubborn") await protect(() => clock.sleep(long));
      if (kind === "stubborn") served.isOpen = openSockets(sim, host).includes(served.socket);
    }
    throw error;
  } finally {
    served.end = clock.now();
  }
}

/** Some clients that come at any time, and stay for a while. */
async function visit({ net, clock, random }: SimHost, server: SimHost): Promise<void> {
  await Switch.run((sw) => {
    for (let i = 0; i < 3; i++) {
      sw.fork(async () => {
        await clock.sleep(random() * 2000);
        const patience = random() * 3000;
        try {
          const flow = await net.connect(sw, tcp(server.ip, 80), { timeout: 3000, linger: 0 });
          await withTimeout(clock, patience, () => readAll(flow));
          await flow.close();
        } catch (error) {
          if (!isOfNetwork(error)) throw error;
        }
      });
    }
  });
}

/** A server that is stopped, or cancelled, while clients come and go. */
function draining(serve: Serve): (sim: Sim) => Promise<void> {
  return async (sim) => {
    const server = sim.host("server");
    const { random, clock, net } = server;
    const hosts = ["client1", "client2"].map((name) => sim.host(name, { main: (host) => visit(host, server) }));
    for (const host of hosts) sim.link(host, server, { latency: choose(random, [1, 20, 100]), jitter: random() * 30 });
    const maxConnections = choose(random, [2, 100]);
    const how = choose(random, ["signal", "signal", "value", "error", "cancel"] as const);
    const grace = choose(random, [0, 50, 400, 400, Infinity]);
    const keepListening = random() < 0.2;
    const reporting = choose(random, [0, 700]);
    const [reason, wait] = [new Error("planned"), random() * 1500];
    await runClient(sim, server, async () => {
      const failures = new Failures();
      const all: Served[] = [];
      const reports: number[] = [];
      const abort = new AbortController();
      const promise = Promise.withResolvers<unknown>();
      promise.promise.catch(() => {});
      let stoppedAt = Infinity;
      const outcome = await Switch.run(async (owner) => {
        const listener = await net.listen(owner, tcp("0.0.0.0", 80), { linger: 100 });
        let result: unknown;
        try {
          result = await Switch.run((sw) => {
            sw.forkDaemon(async () => {
              await clock.sleep(wait);
              stoppedAt = clock.now();
              if (how === "signal") abort.abort();
              else if (how === "value") promise.resolve(5);
              else if (how === "error") promise.reject(reason);
              else sw.fail(reason);
            });
            const handler: ConnectionHandler = async (flow, _, scope) => {
              const socket = `ESTABLISHED ${formatAddress(flow.local)} ${formatAddress(flow.peer)}`;
              const served: Served = { start: clock.now(), socket };
              all.push(served);
              await linger(sim, server, flow, scope, served);
            };
            return serve(listener, failures.of(handler), {
              maxConnections,
              grace,
              keepListening,
              stop: how === "signal" ? abort.signal : promise.promise,
              async onError(error, { peer }) {
                if (String(error).includes("still running 1000 ms after it was cancelled")) {
                  const served = all.find(({ socket }) => socket.endsWith(` ${formatAddress(peer)}`));
                  assert(
                    served?.end === undefined || served.end === clock.now(),
                    "the report of a handler that has ended",
                  );
                  reports.push(clock.now());
                  await clock.sleep(reporting);
                } else failures.hear(error, how === "cancel" || clock.now() >= stoppedAt + grace);
              },
            });
          });
        } catch (error) {
          result = error;
        }
        if (hasCrashed(sim, server)) return checkCancelled();
        const now = clock.now();
        const backlog = sim.sockets().find(({ host, state }) => host === server.name && state === "LISTEN")?.unread;
        assertEquals(backlog !== undefined, keepListening || how === "cancel", "whether the listener is open");
        assertEquals(openSockets(sim, server).length, backlog ?? 0, "open after the end of the server");
        const ends = all.map(({ end }) => end ?? Infinity);
        assert(
          now <= Math.max(stoppedAt, ...ends.map((end) => awake(sim, server, end + 100))) + 1e-6,
          `it ends at ${now} ms`,
        );
        return result;
      });
      assertEquals(outcome, { signal: undefined, value: 5, error: reason, cancel: reason }[how]);
      failures.check();

      const forcedAt = how === "cancel" ? stoppedAt : awake(sim, server, stoppedAt + grace);
      const reportAt = awake(sim, server, forcedAt + 1000);
      for (const { start, stopped, cancelled, end = Infinity, isOpen = false } of all) {
        // A listener that stays open may have a later connection with the same addresses.
        if (how !== "cancel" && !keepListening) assert(!isOpen, "the connection of a cancelled handler is open");
        assert(start <= stoppedAt, `a handler starts at ${start} ms, after the stop at ${stoppedAt} ms`);
        if (how !== "cancel" && end > stoppedAt) assertEquals(stopped, stoppedAt, "the stop that the handler sees");
        if (cancelled !== undefined) assertSameTime(cancelled, forcedAt, "a handler is cancelled");
        else assert(end <= forcedAt, `a handler is not cancelled, and ends at ${end} ms`);
      }
      const due = how === "cancel" ? [] : all.filter(({ end = 0 }) => end >= reportAt);
      const sure = due.filter(({ end }) => end !== reportAt);
      const least = reporting === 0 ? sure.length : Math.min(1, sure.length); // others may end meanwhile
      assert(reports.length >= least && reports.length <= due.length, `${reports.length} reports of ${sure.length}`);
      if (reporting === 0) { for (const time of reports) assertSameTime(time, reportAt, "the report"); }
    });
  };
}

testSeeds("runServer() stops, drains, and cancels what is left after the grace period", draining(runServer), {
  partitions: 1,
  crashes: 1,
  pauses: 2,
  drops: 1,
  within: 2500,
});

test("the scenario of the drain notices a longer grace period", async () => {
  const patient: Serve = (listener, handler, options) =>
    runServer(listener, handler, { ...options, grace: options.grace as number + 1 });
  await assertRejects(() => checkSeeds(100, draining(patient)), SeedError, "cancelled");
});
