// Copyright 2026 the Sluice authors. MIT license.

import type { MemoryNetOptions } from "./memory_net_options.ts";
import { checkClock, checkOptions } from "../../../base/internal.ts";
import { systemClock } from "../../../switch/internal.ts";
import { createNet } from "../../provider/internal.ts";
import type { Net } from "../../mod.ts";
import { Hosts } from "./_hosts.ts";
import { MemoryProvider } from "./_provider.ts";

/**
 * Makes a network in memory, to test what takes a {@linkcode Net} without a network. It lives for as
 * long as it is used, opens nothing of the system, and keeps no process alive.
 *
 * It has TCP, Unix stream and UDP sockets and names, with the behaviour that `checkNet` demands:
 * ownership by switches, cancellation, backpressure, half-close, resets and error codes. Two networks
 * have nothing in common, not even Unix paths. Its host has the addresses 127.0.0.0/8, `::1` and
 * those of `hosts`. To listen on another address is `address_not_available`, and to connect or send
 * to one is `network_unreachable`. Ports that the network chooses count up from 32768.
 *
 * What is done has its effect in the same turn, always in the same order: a write can be read, and a
 * connection can be accepted, as soon as the call returns. Only after 1024 writes, datagrams and
 * connections does the network wait for the next turn of the event loop, so that timers run too. Time
 * is that of `clock` alone. On a mock clock, a timeout comes when the test moves the clock, and so
 * does the end of a `close` that waits for the other side's end, its `linger`.
 *
 * What it opens is counted by {@linkcode openCounts}: a connection that the listener has not accepted
 * yet counts for the client alone.
 *
 * It differs from a kernel in these points:
 *
 * - Nothing is lost, delayed, reordered or broken by itself, and there is no limit on open sockets.
 * - A direction of a connection holds 64 KiB. A kernel holds more, so that two sides that both write
 *   and do not read stop each other later there.
 * - A write to a side that has closed fails at once, and not only the second one. A reset destroys
 *   what has arrived and was not read, at once, and `abort` resets Unix connections too.
 * - The backlog holds exactly `backlog` connections. While it is full, a TCP client waits for room as
 *   on Linux, but for ever: only its own `timeout`, or the listener's close, ends that. A Unix client
 *   is `connection_refused`. A connection that was reset before it was accepted is never accepted.
 * - A port is free as soon as its socket is closed: there is no TIME_WAIT. Two clients with the same
 *   local address cannot connect to different peers.
 * - Listeners and datagram sockets that share a port take turns.
 * - Unix paths are names and not files: `mode` means nothing, a directory need not exist, and two
 *   spellings of a path are two names. A path is gone with its listener, so `reuseAddr` finds none to
 *   remove.
 * - Socket options are kept and change nothing: `TCP_NODELAY` (true from the start), `SO_KEEPALIVE`,
 *   `TCP_KEEPIDLE`, `TCP_KEEPINTVL`, `TCP_KEEPCNT`, `IP_TOS` and `IPV6_TCLASS`, and of datagram
 *   sockets `SO_BROADCAST`, `SO_RCVBUF`, `SO_SNDBUF`, `IP_TTL` and `IPV6_UNICAST_HOPS`.
 *   `IPV6_V6ONLY` works. The others are `not_supported`.
 * - There is no multicast, no broadcast and no zone: link-local addresses are compared without it.
 *   Unix datagram sockets are `not_supported`.
 *
 * @param options The clock and the names.
 * @returns A frozen network.
 * @throws {SyntaxError} When a name cannot be a host name, or an address is not one.
 * @throws {TypeError} When the addresses or services of a name are not an array, or hold something
 * else.
 * @throws {RangeError} When the port of a service is not an integer from 0 to 65535.
 *
 * @example A program that connects by name, and a server for it
 * ```ts
 * import { copy, copyString, hostAddress, type Net, readAll, Switch, tcp } from "@sluice/io";
 * import { memoryNet, openCounts } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * // What is tested takes a network.
 * const ask = (net: Net, question: string) =>
 *   Switch.run(async (sw) => {
 *     const flow = await net.connect(sw, hostAddress("db.example", 5432));
 *     await copyString(question, flow);
 *     await flow.shutdown("send");
 *     return new TextDecoder().decode(await readAll(flow));
 *   });
 *
 * const net = memoryNet({ hosts: { "db.example": ["10.0.0.5"] } });
 * await Switch.run(async (sw) => {
 *   const listener = await net.listen(sw, tcp("10.0.0.5", 5432));
 *   sw.forkDaemon(async () => {
 *     const flow = await listener.accept(sw);
 *     await copy(flow, flow);
 *     await flow.close();
 *   });
 *   assertEquals(await ask(net, "hello"), "hello");
 *   assertEquals(openCounts().sockets, 0); // nothing is left open
 * });
 * ```
 *
 * @example A timeout that takes no time
 * ```ts
 * import { NetError, Switch, tcp, TimeoutError, withTimeout } from "@sluice/io";
 * import { memoryNet, mockClock } from "@sluice/io/net/testing";
 * import { assertRejects } from "@std/assert";
 *
 * const clock = mockClock();
 * const net = memoryNet({ clock });
 * await Switch.run(async (sw) => {
 *   const listener = await net.listen(sw, tcp("127.0.0.1", 80));
 *   const flow = await net.connect(sw, listener.address);
 *   const read = () => withTimeout(net.clock, 30_000, () => flow.read(new Uint8Array(1)));
 *   const timedOut = assertRejects(read, TimeoutError);
 *   clock.advance();
 *   await timedOut;
 *   flow.abort();
 *   await listener.close();
 *   await assertRejects(() => net.connect(sw, listener.address), NetError, "connection refused");
 * });
 * ```
 */
export function memoryNet(options?: MemoryNetOptions): Net {
  checkOptions("make a memory network", options);
  const { clock = systemClock, hosts, services } = options ?? {};
  checkClock("make a memory network", clock);
  return createNet(new MemoryProvider(clock, new Hosts({ hosts, services })));
}
