// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, checkShape } from "../../base/internal.ts";
import { literalOf, type Net } from "../internal.ts";
import { type ListenerHooks, wrapNet } from "../wrap/mod.ts";
import { bothAttributes, localAttributes, targetAttributes } from "./_attributes.ts";
import { observeAnswers, observeLookup } from "./_lookups.ts";
import { isFailure, Observed } from "./_observed.ts";
import { Reporter } from "./_reporter.ts";
import type { NetEvent } from "./net_event.ts";

/**
 * Returns a network whose connections, listeners, datagram sockets and lookups are reported to an
 * observer as they come and go. It is a wrapper, not a global hook: who is not handed the result
 * pays nothing, and is not seen.
 *
 * The observer is called synchronously, so it should be quick. What it throws never breaks an
 * operation: it fails the switch around this call, once. Outside any switch, and once that has
 * finished, it is thrown in a task of its own, where nothing catches it. A promise that it returns
 * is not awaited; its rejection counts as thrown.
 *
 * The lookup of a `connect` to a name is a part of that connect. A literal IP address is not looked
 * up.
 *
 * @param net The network, which may itself be a wrapper.
 * @param observer Receives each event.
 * @returns The observed network, frozen.
 * @throws {TypeError} If `net` is not a network, or `observer` is not a function.
 *
 * @example A log
 * ```ts
 * import { copyString, type Net, readAll, Switch, tcp } from "@sluice/io";
 * import { observe } from "@sluice/io/net/observe";
 * import { memoryNet } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const log: string[] = [];
 * const net: Net = observe(memoryNet(), ({ type, sent }) => log.push(type === "close" ? `close ${sent}` : type));
 * await Switch.run(async (sw) => {
 *   const listener = await net.listen(sw, tcp("127.0.0.1", 80));
 *   const client = await net.connect(sw, listener.address);
 *   const server = await listener.accept(sw);
 *   await copyString("hello", client);
 *   await client.close();
 *   await readAll(server);
 * });
 * assertEquals(log.slice(0, 5), ["listen", "connect", "connected", "accept", "close 5"]);
 * ```
 */
export function observe(net: Net, observer: (event: NetEvent) => void): Net {
  checkShape("observe a network", "net", "a Net", net, "connect");
  checkFunction("observe a network", observer);
  const reporter = new Reporter(observer, () => net.clock.now());
  return wrapNet(net, {
    async connect(next, target, _options, sw) {
      const observed = new Observed(reporter, sw);
      const attributes = targetAttributes(target);
      observed.report("connect", attributes);
      return await observed.open(
        "connect",
        attributes,
        () => next(observed.connectionHooks()),
        (connection, duration) =>
          observed.report("connected", { ...attributes, ...bothAttributes(connection), duration }),
      );
    },
    async listen(next, address, _options, sw) {
      const observed = new Observed(reporter, sw);
      const hooks: ListenerHooks = {
        async accept(next, sw) {
          const accepted = new Observed(reporter, sw);
          let connection;
          try {
            connection = await next(accepted.connectionHooks());
          } catch (error) {
            if (isFailure(error)) observed.fail(error, "accept");
            throw error;
          }
          return await accepted.open(
            "accept",
            {},
            () => Promise.resolve(connection),
            (connection) => accepted.report("accept", { ...bothAttributes(connection), listener: observed.id }),
          );
        },
        gone: observed.gone,
      };
      return await observed.open(
        "listen",
        localAttributes(address),
        () => next(hooks),
        (listener) => observed.report("listen", localAttributes(listener.address)),
      );
    },
    async datagramSocket(next, address, _options, sw) {
      const observed = new Observed(reporter, sw);
      const attributes = typeof address === "string"
        ? { "network.transport": "udp" } as const
        : localAttributes(address);
      return await observed.open(
        "bind",
        attributes,
        () => next(observed.datagramHooks()),
        (socket) => observed.report("datagram", localAttributes(socket.local)),
      );
    },
    getAddrInfo: (next, name) =>
      literalOf(name) === undefined
        ? observeLookup(reporter, "getAddrInfo", name, next, (answers) => answers.map(({ ip }) => ip))
        : next(),
    getNameInfo: (next, { ip }) => observeLookup(reporter, "getNameInfo", ip.text, next, ({ hostname }) => [hostname]),
    getServices: (next, name) =>
      observeLookup(
        reporter,
        "getServices",
        name,
        next,
        (services) => services.map(({ name, port }) => `${name}:${port}`),
      ),
    addresses: (next, name) =>
      literalOf(name) === undefined ? observeAnswers(reporter, "addresses", name, next()) : next(),
  });
}
