// Copyright 2026 the Sluice authors. MIT license.

import { checkShape } from "../../base/internal.ts";
import type { Switch } from "../../switch/internal.ts";
import { problemOf } from "../blocks/internal.ts";
import {
  type AddrInfoOptions,
  type DatagramAddress,
  type DatagramOptions,
  type DatagramSocket,
  domainNameProblem,
  type IpAddress,
  type ListeningSocket,
  type ListenOptions,
  literalOf,
  type Net,
  NetError,
  type StreamAddress,
  tcp,
  type TcpAddress,
  udp,
  type UdpAddress,
} from "../internal.ts";
import { ownAddressesOf } from "../provider/internal.ts";
import { wrapDatagramSocket, wrapNet } from "../wrap/mod.ts";
import { judgedAnswers } from "./_answers.ts";
import { type CheckedPolicy, checkPolicy } from "./_checked_policy.ts";
import { connectJudged } from "./_connect.ts";
import { Judge } from "./_judge.ts";
import { OwnHost } from "./_own_host.ts";
import { Answers } from "./_resolved_address.ts";
import { canonicalName } from "./_rule.ts";
import { judgedOptions, judgeOption } from "./_socket_options.ts";
import type { NetPolicy } from "./policy.ts";

/**
 * Returns a network that grants only what a policy says, out of what `net` grants. Everything else
 * is refused with a {@linkcode NetError} `permission_denied` before anything is opened or asked.
 *
 * A name is checked against the rules in its canonical form, then looked up once, through `net`.
 * Each answer is judged by its bytes as it comes; the allowed ones are raced as by `connectAny`,
 * and the peer of the new connection is compared with the address that was judged. So it does not
 * matter what the name resolves to at another time. Code can also look up a granted name itself, and
 * connect to an address that it has received, as `withTcpConnect` and `connectAny` do: that very
 * {@linkcode IpAddress}, which is judged again, counts as the name. An equal one does not.
 *
 * The policy is read once, when the network is made. Restricting a network twice grants what both
 * policies grant, in either order, also with other wrappers in between. The result is frozen and
 * does not expose `net`; sockets keep their owner, fast paths and options. Options of sockets that
 * choose an interface, a local port or a multicast group need `bind`.
 *
 * An error of the confined code names only the target that the code named itself. The owner's
 * `onDenied` gets the reason.
 *
 * Code that can import the runtime's own modules, or that got another network, is not confined, and
 * neither is code that changes built-ins such as `Array.prototype` in the same realm: see SES.
 *
 * @param net The network, which may itself be a wrapper.
 * @param policy What is granted.
 * @returns The confined network.
 * @throws {TypeError} If `net` is not a network, the policy has an unknown field, or a value is of
 * the wrong kind.
 * @throws {SyntaxError} If a rule cannot be parsed or means nothing in its list; the message quotes
 * it and says why.
 *
 * @example A plug-in that may use one API
 * ```ts
 * import { hostAddress, NetError, Switch, tcp } from "@sluice/io";
 * import { restrict } from "@sluice/io/net/confine";
 * import { memoryNet } from "@sluice/io/net/testing";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await Switch.run(async (sw) => {
 *   const net = memoryNet({ hosts: { "api.example.com": ["192.0.2.7"] } });
 *   await net.listen(sw, tcp("192.0.2.7", 443));
 *   const denials: string[] = [];
 *   const confined = restrict(net, {
 *     connect: ["api.example.com:443"],
 *     onDenied: ({ target, reason }) => denials.push(`${target}: ${reason}`),
 *   });
 *   const flow = await confined.connect(sw, hostAddress("api.example.com", 443));
 *   await flow.close();
 *   await assertRejects(() => confined.connect(sw, tcp("192.0.2.7", 443)), NetError, "permission denied");
 *   assertEquals(denials, ["tcp:192.0.2.7:443: no rule of connect grants it"]);
 * });
 * ```
 */
export function restrict(net: Net, policy: NetPolicy): Net {
  checkShape("restrict a network", "net", "a Net", net, "connect");
  return confine(net, checkPolicy(policy));
}

/** Returns a network that grants what a checked policy says. */
export function confine(net: Net, policy: CheckedPolicy): Net {
  const judge = new Judge(policy, new OwnHost(ownAddressesOf(net), net.clock));
  const answers = new Answers();

  async function listen(sw: Switch, address: StreamAddress, options: ListenOptions): Promise<ListeningSocket> {
    const verdict = judge.local("listen", address);
    if (verdict !== undefined) throw judge.refuse("listen", address, verdict);
    const { backlog, reuseAddr, reusePort, mode, linger } = options;
    const port = address.transport === "tcp" ? address.port : 0;
    const socketOptions = judgedOptions(judge, options.socketOptions, port);
    const listener = await net.listen(sw, address, { backlog, reuseAddr, reusePort, socketOptions, mode, linger });
    const late = judge.bound(listener.address);
    if (late === undefined) return listener;
    await listener.close();
    throw judge.refuse("listen", address, late);
  }

  async function datagramSocket(
    sw: Switch,
    address: DatagramAddress | "udp4" | "udp6",
    options: DatagramOptions,
  ): Promise<DatagramSocket> {
    const { reuseAddr, reusePort, remote } = options;
    const port = typeof address === "string" || address.transport === "unix" ? 0 : address.port;
    const atVerdict = typeof address === "string" ? undefined : judge.local("bind", address);
    if (atVerdict !== undefined) throw judge.refuse("bind", address as DatagramAddress, atVerdict);
    const toVerdict = remote && judge.remote("send", remote);
    if (toVerdict !== undefined) throw judge.refuse("send", remote as DatagramAddress, toVerdict);
    const socketOptions = judgedOptions(judge, options.socketOptions, port);
    const socket: DatagramSocket = await net.datagramSocket(sw, address, {
      reuseAddr,
      reusePort,
      socketOptions,
      remote,
    });
    const late = typeof address === "string" ? undefined : judge.bound(socket.local);
    if (late !== undefined) {
      await socket.close();
      throw judge.refuse("bind", address as DatagramAddress, late);
    }
    return wrapDatagramSocket(socket, {
      check(operation, to, option) {
        if (option !== undefined) judgeOption(judge, option, port);
        const verdict = operation === "send" && to !== undefined ? judge.remote("send", to) : undefined;
        if (verdict !== undefined) throw judge.refuse("send", to as DatagramAddress, verdict);
      },
    });
  }

  /** Returns a name in the form in which it is looked up; throws if it is denied or invalid. */
  function lookedUp(name: string): string {
    const verdict = judge.lookup(name);
    if (verdict !== undefined) throw judge.refuse("lookup", name, verdict);
    const cause = literalOf(name) === undefined ? domainNameProblem(name) : undefined;
    if (cause === undefined) return canonicalName(name);
    const remedy = problemOf(cause);
    throw new NetError("address_lookup_failed", {
      operation: "lookup",
      address: name,
      lookupCode: "NONAME",
      remedy,
      cause,
    });
  }

  const noneAllowed = (name: string) => judge.refuse("lookup", name, { reason: "every address of the name is denied" });

  /** Judges an answer for a name. Returns what the caller gets: `undefined` for nothing. */
  function passed(name: string, ip: IpAddress, port?: number): IpAddress | undefined {
    const verdict = judge.resolved(ip, port);
    if (verdict === undefined) return literalOf(name) === undefined ? answers.add(canonicalName(name), ip) : ip;
    judge.report("lookup", name, verdict);
    return undefined;
  }

  async function getAddrInfo(name: string, { service, type }: AddrInfoOptions): Promise<(TcpAddress | UdpAddress)[]> {
    const found = await net.getAddrInfo(lookedUp(name), { service, type });
    const allowed: (TcpAddress | UdpAddress)[] = [];
    for (const { transport, ip, port } of found) {
      const mine = passed(name, ip, port);
      if (mine !== undefined) allowed.push(transport === "tcp" ? tcp(mine, port) : udp(mine, port));
    }
    if (allowed.length === 0) throw noneAllowed(name);
    return allowed;
  }

  return wrapNet(net, {
    connect: (_next, target, options, sw) => connectJudged({ net, judge, answers }, sw, target, options),
    listen: (_next, address, options, sw) => listen(sw, address, options),
    datagramSocket: (_next, address, options, sw) => datagramSocket(sw, address, options),
    getAddrInfo: (_next, name, options) => getAddrInfo(name, options),
    addresses: (_next, name) =>
      judgedAnswers({
        ask: () => net.addresses(lookedUp(name)),
        pass: (ip) => passed(name, ip),
        noneAllowed: () => noneAllowed(name),
        failed: (error) => error,
      }),
    getNameInfo: async (next, address) => {
      const verdict = judge.lookupAddress(address.ip, address.port);
      if (verdict !== undefined) throw judge.refuse("lookup", address, verdict);
      return await next();
    },
    getServices: async (_next, name) => await net.getServices(lookedUp(name)),
  });
}
