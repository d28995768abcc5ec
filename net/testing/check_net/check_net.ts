// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, checkOptions } from "../../../base/internal.ts";
import { both, Switch } from "../../../switch/mod.ts";
import { IpAddress, type Net, tcp, unix, type UnixAddress } from "../../mod.ts";
import { checkFlow } from "../check_flow/internal.ts";
import type { Check } from "../internal.ts";
import { acceptChecks } from "./_accept_checks.ts";
import { datagramChecks } from "./_datagram_checks.ts";
import { nameChecks } from "./_name_checks.ts";
import type { NetCheck, NetSubject } from "./_net_check.ts";
import { optionChecks } from "./_option_checks.ts";
import { socketChecks } from "./_socket_checks.ts";
import { streamChecks } from "./_stream_checks.ts";
import { unixChecks } from "./_unix_checks.ts";

/** Options for {@linkcode checkNet}, which takes the abilities from {@linkcode Net.features}. */
export interface CheckNetOptions {
  /**
   * An address of the network's own host, reachable from itself.
   *
   * @default {IpAddress.loopback4}
   */
  ip?: IpAddress | undefined;
  /**
   * Returns an unused Unix path, a new one on each call. Without it, most checks of Unix sockets
   * are skipped.
   *
   * @default {undefined}
   */
  unixPath?: (() => UnixAddress) | undefined;
  /**
   * A host name that resolves to `ip`, possibly among others. Without it, the checks of connecting
   * to names are skipped.
   *
   * @default {undefined}
   */
  name?: string | undefined;
}

/**
 * Returns the contract of networks, as checks for any test runner: connecting, listening,
 * accepting, closing, ownership by switches, cancellation, error codes, Unix sockets, names,
 * datagrams, and {@linkcode checkFlow} over the connections. Each check creates its own network.
 *
 * What needs time, the file system or a failing system is not checked: `timeout`, `mode`,
 * `reuseAddr`, errors of accepting.
 *
 * A network must be frozen. If it lacks a feature, what depends on it must be `not_supported`, or
 * its checks are skipped. A network that breaks the contract fails a check or makes it wait
 * forever, so give the test runner a time limit.
 *
 * @param make Creates the network of a check. What it opens itself belongs to the switch.
 * @param options What is known about the network.
 * @returns The checks.
 * @throws {TypeError} If `make` is not a function, or `options` is not an object.
 *
 * @example The contract over the real network
 * ```ts
 * import { run } from "@sluice/io";
 * import { checkNet } from "@sluice/io/net/testing";
 *
 * await run(async ({ net }) => {
 *   const checks = checkNet(() => Promise.resolve(net), { name: "localhost" });
 *   for (const check of checks.slice(0, 3)) await check.run(); // or: test(check.name, () => check.run())
 * });
 * ```
 */
export function checkNet(make: (sw: Switch) => Promise<Net>, options?: CheckNetOptions): readonly Check[] {
  checkFunction("check a network", make);
  checkOptions("check a network", options);
  const { ip = IpAddress.loopback4, unixPath = () => unix(""), name = "" } = options ?? {};
  const subject = async (sw: Switch): Promise<NetSubject> => ({ net: await make(sw), sw, ip, unixPath, name });
  const run = (check: NetCheck) => Switch.run(async (sw) => await check.run(await subject(sw)));
  const pairWith = (linger: number) => async (sw: Switch) => {
    const { net, ip } = await subject(sw);
    const listener = await net.listen(sw, tcp(ip, 0), { linger });
    return await both(() => net.connect(sw, listener.address, { linger }), () => listener.accept(sw));
  };
  // Checks close one end while the other is open, so they wait less than the default; but a clogged
  // connection has much to send, which a busy machine takes long for.
  const pair = pairWith(100);
  const clogged = pairWith(500);
  const available = { unixPath: options?.unixPath !== undefined, name: options?.name !== undefined };
  return [
    ...[streamChecks, acceptChecks, socketChecks, optionChecks, unixChecks, nameChecks, datagramChecks].flat()
      .filter(({ needs }) => needs === undefined || available[needs])
      .map((check) => ({ name: check.name, run: () => run(check) })),
    ...checkFlow(pair, { clogged })
      .map((check) => ({ name: `a connection: ${check.name}`, run: () => check.run() })),
  ];
}
