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

/** Options for {@linkcode checkNet}: what is known of the network. What it can do, it says itself, by {@linkcode Net.features}. */
export interface CheckNetOptions {
  /**
   * An address of the network's own host, at which it can be reached from itself.
   *
   * @default {IpAddress.loopback4}
   */
  ip?: IpAddress | undefined;
  /**
   * Gives a Unix path that nobody uses, another one on each call. Without it most checks of Unix sockets are left out.
   *
   * @default {undefined}
   */
  unixPath?: (() => UnixAddress) | undefined;
  /**
   * A host name that leads to `ip`, be it among others. Without it the checks of connecting to names are left out.
   *
   * @default {undefined}
   */
  name?: string | undefined;
  /**
   * Whether connections have the fast paths `pump` and `tryGive`.
   *
   * @default {false}
   */
  pumps?: boolean | undefined;
}

/**
 * The contract of networks, as checks that any test runner can run: connecting, listening, accepting, closing, ownership by switches, cancellation,
 * error codes, Unix sockets, names, datagrams, and {@linkcode checkFlow} over the connections. Each check makes a network of its own.
 *
 * What only time, the file system or a broken system would show is not checked: `timeout`, `mode`, `reuseAddr`, errors of accepting.
 *
 * A network is frozen, for it must give no way to change it. One that lacks a feature must say so: what depends on it is checked to be `not_supported` then, or left out. One that breaks the contract fails
 * a check, or makes it wait for ever: the runner's own time limit is needed.
 *
 * @param make Makes the network for a check. What it opens itself belongs to the switch.
 * @param options What is known of the network.
 * @returns The checks.
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
  const { ip = IpAddress.loopback4, unixPath = () => unix(""), name = "", pumps } = options ?? {};
  const subject = async (sw: Switch): Promise<NetSubject> => ({ net: await make(sw), sw, ip, unixPath, name });
  const run = (check: NetCheck) => Switch.run(async (sw) => await check.run(await subject(sw)));
  const pair = async (sw: Switch) => {
    const { net, ip } = await subject(sw);
    // Checks close one end while the other is open, and need not wait for that for as long as users do.
    const linger = 100;
    const listener = await net.listen(sw, tcp(ip, 0), { linger });
    return await both(() => net.connect(sw, listener.address, { linger }), () => listener.accept(sw));
  };
  const known = { unixPath: options?.unixPath !== undefined, name: options?.name !== undefined };
  return [
    ...[streamChecks, acceptChecks, socketChecks, optionChecks, unixChecks, nameChecks, datagramChecks].flat()
      .filter(({ needs }) => needs === undefined || known[needs])
      .map((check) => ({ name: check.name, run: () => run(check) })),
    ...checkFlow(pair, { clogged: pair, pumps })
      .map((check) => ({ name: `a connection: ${check.name}`, run: () => check.run() })),
  ];
}
