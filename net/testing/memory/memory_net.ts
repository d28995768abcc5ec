// Copyright 2026 the Sluice authors. MIT license.

import type { MemoryNetOptions } from "./memory_net_options.ts";
import { checkClock, checkOptions } from "../../../base/internal.ts";
import { systemClock } from "../../../switch/internal.ts";
import { createNet } from "../../provider/internal.ts";
import type { Net } from "../../mod.ts";
import { Hosts } from "./_hosts.ts";
import { MemoryProvider } from "./_provider.ts";

/**
 * Creates a network in memory, to test code that takes a {@linkcode Net} without a real network. It
 * needs no closing, opens nothing of the system, and does not keep the process alive.
 *
 * It has TCP, Unix stream and UDP sockets and names, and satisfies the contract of `checkNet`:
 * ownership by switches, cancellation, backpressure, half-close, resets and error codes. Two
 * networks share nothing, not even Unix paths. The host has the addresses 127.0.0.0/8, `::1` and
 * those of `hosts`. Listening on another address is `address_not_available`; connecting or sending
 * to one is `network_unreachable`. Ephemeral ports count up from 32768.
 *
 * Every operation takes effect in the same turn, in a deterministic order: a write can be read, and
 * a connection accepted, as soon as the call returns. After 1024 writes, datagrams and connections,
 * the network waits for the next turn of the event loop, so that timers run too. Its only time is
 * `clock`. On a mock clock, a timeout fires when the test moves the clock, and so does the `linger`
 * of a `close` that waits for the peer's end.
 *
 * {@linkcode openCounts} counts what it opens; a connection that has not been accepted counts for
 * the client only.
 *
 * It differs from a kernel as follows:
 *
 * - Nothing is lost, delayed, reordered or broken by itself, and the number of open sockets is not
 *   limited.
 * - Each direction of a connection holds 64 KiB. A kernel holds more, so two peers that write
 *   without reading block each other later there.
 * - A write to a closed peer fails at once, not only the second one. A reset discards unread input
 *   at once, and `abort` resets Unix connections too.
 * - The backlog holds exactly `backlog` connections. While it is full, a TCP client waits as on
 *   Linux, but forever: only its own `timeout`, or closing the listener, ends that. A Unix client
 *   is `connection_refused`. A connection that was reset before it was accepted is never accepted.
 * - A port is free as soon as its socket is closed: there is no TIME_WAIT. Two clients with the
 *   same local address cannot connect to different peers.
 * - Listeners and datagram sockets that share a port take turns.
 * - Unix paths are names, not files: `mode` has no effect, a directory need not exist, and two
 *   spellings of a path are two names. A path disappears with its listener, so `reuseAddr` finds
 *   none to remove.
 * - Socket options are stored without effect: `TCP_NODELAY` (initially true), `SO_KEEPALIVE`,
 *   `TCP_KEEPIDLE`, `TCP_KEEPINTVL`, `TCP_KEEPCNT`, `IP_TOS` and `IPV6_TCLASS`, and for datagram
 *   sockets `SO_BROADCAST`, `SO_RCVBUF`, `SO_SNDBUF`, `IP_TTL` and `IPV6_UNICAST_HOPS`.
 *   `IPV6_V6ONLY` works. The others are `not_supported`.
 * - There is no multicast, no broadcast and no zone: link-local addresses are compared without it.
 *   Unix datagram sockets are `not_supported`.
 *
 * @param options The clock and the names.
 * @returns A frozen network.
 * @throws {SyntaxError} If a name is not a valid host name, or an address is invalid.
 * @throws {TypeError} If the addresses or services of a name are not an array of these.
 * @throws {RangeError} If the port of a service is not an integer from 0 to 65535.
 *
 * @example A program that connects by name, and a server for it
 * ```ts
 * import { copy, copyString, hostAddress, type Net, readAll, Switch, tcp } from "@sluice/io";
 * import { memoryNet, openCounts } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * // The code under test takes a network.
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
