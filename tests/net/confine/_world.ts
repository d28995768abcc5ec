// Copyright 2026 the Sluice authors. MIT license.

/** A small internet for the tests of confined networks, over any network that has loopback. */
import {
  type Address,
  formatAddress,
  type HostAddress,
  IpAddress,
  type Net,
  type StreamAddress,
  Switch,
  tcp,
  type TcpAddress,
} from "../../../mod.ts";
import { systemProvider } from "../../../net/backends/auto.ts";
import { setOwnAddresses } from "../../../net/provider/internal.ts";
import { createNet } from "../../../net/provider/mod.ts";
import { memoryNet } from "../../../net/testing/mod.ts";
import { wrapConnection } from "../../../net/wrap/mod.ts";

/** The networks with loopback that the tests run over. */
export const networks: Readonly<Record<string, () => Net>> = {
  memory: () => memoryNet(),
  "the system": () => createNet(systemProvider()),
};

/** The public address of the API host. */
export const publicIp = "93.184.216.34";

/** A public address of the host itself. */
export const ownIp = "93.184.216.99";

/** A world, and what has reached it. */
export interface World {
  readonly sw: Switch;
  /** The network to confine. It is a plain object, and forwards everything to loopback. */
  readonly net: Net;
  /** What has reached the network: `connect tcp:…`, `lookup …`, `send …`, and so on. */
  readonly log: string[];
  /** The names: each lookup takes the next answer, and the last one stays. */
  readonly names: Map<string, (readonly string[])[]>;
  /** The options that have reached the network. */
  readonly options: Record<string, unknown>[];
}

/**
 * Runs `test` in a world over `base`. Connections to a public address reach a listener on loopback,
 * and their peer is the public address.
 */
export function inWorld<T>(base: Net, test: (world: World) => Promise<T>): Promise<T> {
  return Switch.run(async (sw) => {
    const listener = await base.listen(sw, tcp("127.0.0.1", 0));
    const log: string[] = [];
    const options: Record<string, unknown>[] = [];
    const names = new Map([["api.example.com", [[publicIp]]]]);
    const answersTo = (name: string): readonly string[] => {
      log.push(`lookup ${name}`);
      const answers = names.get(name) ?? [["10.0.0.9"]]; // an unknown name is an internal one
      return answers.length > 1 ? answers.shift() ?? [] : answers[0];
    };
    const note = (operation: string, address: Address | HostAddress | string, given?: object) => {
      log.push(`${operation} ${typeof address === "string" ? address : formatAddress(address)}`);
      options.push({ ...given });
    };
    const net: Net = {
      async connect(owner, target, given) {
        note("connect", target, given);
        const socket = await base.connect(owner, listener.address);
        return target.transport === "host" ? socket : wrapConnection(socket, { peer: target });
      },
      listen(owner, address, given) {
        note("listen", address, given);
        return base.listen(owner, address);
      },
      async datagramSocket(owner, address, given) {
        note("bind", address, given);
        const socket = await base.datagramSocket(owner, address);
        return {
          local: socket.local,
          remote: given?.remote,
          send: (_data, to) => Promise.resolve(note("send", to ?? given?.remote ?? "nowhere")),
          recv: (buffer) => socket.recv(buffer),
          recvMany: () => socket.recvMany(),
          setOption: (name) => note("setOption", name),
          getOption: (name) => socket.getOption(name),
          close: () => socket.close(),
          [Symbol.asyncDispose]: () => socket.close(),
        };
      },
      getAddrInfo: (name) => Promise.resolve(answersTo(name).map((ip) => tcp(ip, 0))),
      async *addresses(name) {
        for (const ip of answersTo(name)) yield await Promise.resolve([IpAddress.parse(ip)]);
      },
      getNameInfo(address) {
        note("reverse lookup", address);
        return Promise.resolve({ hostname: "internal.example", service: "http" });
      },
      getServices(name) {
        note("services", name);
        return Promise.resolve([{ name: "internal.example.com", port: 443, priority: 0, weight: 0 }]);
      },
      features: base.features,
      clock: base.clock,
    };
    setOwnAddresses(net, () => [IpAddress.parse(ownIp), IpAddress.loopback4]);
    return await test({ sw, net, log, names, options });
  });
}

/** Returns the addresses that were connected to. */
export function dialled({ log }: World): string[] {
  return log.filter((line) => line.startsWith("connect ")).map((line) => line.slice("connect ".length));
}

/** A stream address in a plain object, as hostile code would write it. */
export function plain(fields: Record<string, unknown>): StreamAddress & HostAddress {
  return fields as unknown as StreamAddress & HostAddress;
}

/** Returns the address of a literal, or `undefined` if it is none. */
export function tcpOf(text: string, port: number): TcpAddress | undefined {
  try {
    return tcp(text, port);
  } catch {
    return undefined;
  }
}
