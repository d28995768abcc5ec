// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction } from "../../../base/internal.ts";
import { runSimulation } from "./_run.ts";
import type { Sim } from "./sim.ts";
import { checkSimOptions, type SimOptions } from "./sim_options.ts";

/**
 * Runs a program on a simulated network: hosts, links, names and faults in one process, in virtual
 * time, from a seed. The same seed yields the same run on every runtime, on a busy machine or an
 * idle one, and waiting takes no time: an hour passes as soon as everything waits for it.
 *
 * Events are ordered by their time, and at the same time in the order in which they were scheduled.
 * Promise jobs and turns run until nothing more happens; then the clock is set to the earliest
 * event, and that happens. Every timer, turn and random number of the library takes part, whatever
 * clock it uses, and so do those of code that takes its time from a clock or `host.net.clock`.
 * Other code that waits for the system, such as `setTimeout` or files, must be awaited by
 * {@linkcode Sim.external}.
 *
 * A process runs one simulation at a time: a call waits until earlier ones have ended. Other code
 * of the process that uses the library meanwhile sees virtual time too: its sleeps may end late.
 *
 * The networks of the hosts satisfy the contract of `checkNet`. TCP has a handshake, a backlog,
 * receive windows of 64 KiB, segments of random sizes, retransmission with the limits of Linux (a
 * connection attempt fails after about 2 minutes without an answer, a connection after about 15),
 * half-close, resets, ephemeral ports and TIME_WAIT. They differ from a kernel as follows:
 *
 * - Congestion control, Nagle's algorithm and delayed acknowledgements are not simulated.
 * - A host has one IPv4 and at most one IPv6 address, and reaches every other one directly. An
 *   address that no host has is `host_unreachable` after a round trip. A host without an IPv6
 *   address reaches none but its own: `network_unreachable`.
 * - Two clients with the same local address cannot connect to different peers. TIME_WAIT keeps a
 *   client's port for 60 s; a listener can take the port of its connections at once.
 * - Unix sockets act at once, even those of a paused host, as in `memoryNet`. They do not appear in
 *   {@linkcode Sim.sockets}, and only those of clients and listeners count for `maxSockets`.
 * - Answers of names take no time but their `delay`, and partitions do not affect them.
 * - Multicast, broadcast and zones do not exist. Socket options are stored without effect, but for
 *   `IPV6_V6ONLY`, `SO_KEEPALIVE`, `TCP_KEEPIDLE`, `TCP_KEEPINTVL` and `TCP_KEEPCNT`.
 *
 * @typeParam T The type of the value of `main`.
 * @param options The seed, limits and the default link.
 * @param main The program. It is called with the simulation; when it ends, so do the hosts'
 * programs.
 * @returns The value of `main`.
 * @throws {DeadlockError} If everything waits and nothing is left to happen; the message shows what
 * waits for what. In strict mode, also if a promise is settled from outside the simulation.
 * @throws {TimeoutError} If virtual time passes `deadline`.
 * @throws {Error} If an invariant does not hold, after `maxEvents` events, or if it is called in a
 * simulation.
 * @throws {TypeError} If an argument has the wrong type.
 * @throws {RangeError} If an option is out of range.
 *
 * @example A client that survives a partition
 * ```ts
 * import { copy, hostAddress, readAll, Switch, tcp } from "@sluice/io";
 * import { simulate } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await simulate({ seed: 1 }, async (sim) => {
 *   const server = sim.host("server", {
 *     main: ({ net }) =>
 *       Switch.run(async (sw) => {
 *         const listener = await net.listen(sw, tcp("0.0.0.0", 80));
 *         const flow = await listener.accept(sw);
 *         await copy(flow, flow);
 *         await flow.close();
 *       }),
 *   });
 *   const client = sim.host("client");
 *   await client.fork(() =>
 *     Switch.run(async (sw) => {
 *       const flow = await client.net.connect(sw, hostAddress("server", 80));
 *       sim.partition(client, server);
 *       sim.schedule(5000, () => sim.heal(client, server));
 *       await flow.write(new TextEncoder().encode("hello"));
 *       await flow.shutdown("send");
 *       assertEquals(new TextDecoder().decode(await readAll(flow)), "hello");
 *     })
 *   );
 * });
 * ```
 */
export async function simulate<T>(options: SimOptions, main: (sim: Sim) => Promise<T>): Promise<T> {
  const terms = checkSimOptions(options);
  checkFunction("simulate", main);
  return await runSimulation(terms, main);
}
