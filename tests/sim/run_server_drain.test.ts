// Copyright 2026 the Sluice authors. MIT license.

/** The drain and the grace period of `runServer`, while hosts crash, pause and lose touch. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  checkCancelled,
  type ConnectionHandler,
  type ConnectionScope,
  formatAddress,
  interruptible,
  isCancelled,
  protect,
  readAll,
  runServer,
  type StreamSocket,
  Switch,
  tcp,
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
  testSeeds,
} from "./_helpers.ts";
import { Failures, type Serve } from "./_server_helpers.ts";

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
