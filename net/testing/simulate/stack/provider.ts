// Copyright 2026 the Sluice authors. MIT license.

import type { Attempt } from "../../../internal.ts";
import type { Clock } from "../../../../switch/mod.ts";
import {
  type DatagramAddress,
  type IpAddress,
  type NetFeature,
  type ServiceRecord,
  type SocketOptionName,
  type StreamAddress,
  type TcpAddress,
  udp,
  type UdpAddress,
} from "../../../mod.ts";
import type {
  NetProvider,
  ProviderConnectOptions,
  ProviderDatagram,
  ProviderDatagramOptions,
  ProviderListener,
  ProviderListenOptions,
  ProviderStream,
  SocketKind,
} from "../../../provider/internal.ts";
import { bare, memoryFeatures, memoryOptions, systemError } from "../../memory/internal.ts";
import { notFound, type SimDnsQuery } from "./dns.ts";
import type { Kernel } from "./kernel.ts";

/** The network of a simulated host as a backend. */
export class SimProvider implements NetProvider {
  readonly features: ReadonlySet<NetFeature> = memoryFeatures;
  readonly socketOptions: Readonly<Record<SocketKind, ReadonlySet<SocketOptionName>>> = memoryOptions;
  readonly clock: Clock;
  readonly #kernel: Kernel;

  constructor(kernel: Kernel, clock: Clock) {
    this.#kernel = kernel;
    this.clock = clock;
  }

  connect(address: StreamAddress, { bindTo }: ProviderConnectOptions): Attempt<ProviderStream> {
    const kernel = this.#kernel;
    if (address.transport === "unix") {
      return kept(kernel, "connect", address, () => kernel.unix.connect(address, () => kernel.unclaim()));
    }
    const { ip, system: remote } = kernel.targetOf(address, "connect");
    if (remote === undefined) return this.#unreachable(address);
    return kept(kernel, "connect", address, () => {
      let settle!: (error: Error | undefined) => void;
      const outcome = new Promise<Error | undefined>((resolve) => settle = resolve);
      const socket = kernel.connect({ ip, system: remote }, address, bindTo as TcpAddress | undefined, settle);
      const result = outcome.then((error) => {
        if (error !== undefined) throw error;
        return socket;
      });
      return { result, cancel: () => socket.abort() };
    });
  }

  listen(address: StreamAddress, options: ProviderListenOptions): Attempt<ProviderListener> {
    const kernel = this.#kernel;
    return kept(kernel, "listen", address, () =>
      settled(
        address.transport === "unix"
          ? kernel.unix.listen(address, options.backlog, () => kernel.unclaim())
          : kernel.listen(address, options),
      ));
  }

  datagram(address: DatagramAddress, options: ProviderDatagramOptions): Attempt<ProviderDatagram> {
    const kernel = this.#kernel;
    const asked = address as UdpAddress; // `unixDatagrams` is not a feature
    const { reuseAddr, reusePort, ipv6Only } = options;
    const request = {
      ip: kernel.ownIp(asked.ip, asked),
      port: asked.port,
      ipv6Only,
      shares: reuseAddr || reusePort,
    };
    const remote = options.remote as UdpAddress | undefined;
    let peer: { address: UdpAddress; source: IpAddress } | undefined;
    if (remote !== undefined) {
      const target = kernel.targetOf(remote, "connect");
      const source = kernel.sourceFor(request, target.ip, target.system, "connect");
      peer = { address: udp(target.ip, remote.port), source };
    }
    return kept(kernel, "bind", address, () => settled(kernel.datagrams.bind(request, asked, peer)));
  }

  lookup(name: string): Attempt<readonly IpAddress[]> {
    return this.#ask(name, "address", ({ ips }) => {
      if (ips.length === 0) throw notFound("ENODATA", name);
      return ips;
    });
  }

  lookupName(ip: IpAddress): Attempt<readonly string[]> {
    const names = this.#kernel.network.dns.namesOf(bare(ip));
    if (names.length === 0) throw notFound("ENOTFOUND", ip.toString());
    return settled(names);
  }

  lookupServices(name: string): Attempt<readonly ServiceRecord[]> {
    return this.#ask(name, "service", ({ srv }) => {
      if (srv.length === 0) throw notFound("ENODATA", name);
      return srv;
    });
  }

  #ask<T>(
    name: string,
    type: SimDnsQuery["type"],
    pick: (answer: { ips: readonly IpAddress[]; srv: readonly ServiceRecord[] }) => T,
  ): Attempt<T> {
    const kernel = this.#kernel;
    let cancel = (): void => {};
    const result = new Promise<T>((resolve, reject) => {
      cancel = kernel.network.dns.ask(kernel, name, type, (answer) => {
        try {
          resolve(pick(answer()));
        } catch (error) {
          reject(error);
        }
      });
    });
    return { result, cancel: () => cancel() };
  }

  /** Fails like a router that answers for an address without a host. */
  #unreachable(address: TcpAddress): Attempt<ProviderStream> {
    const { engine, tell, network } = this.#kernel;
    let cancel = (): void => {};
    const result = new Promise<ProviderStream>((_, reject) => {
      const event = engine.after(
        2 * network.latency,
        () => tell(() => reject(systemError("EHOSTUNREACH", "connect", address))),
      );
      cancel = () => engine.cancel(event);
    });
    return { result, cancel: () => cancel() };
  }
}

/** Counts what `open` opens; it is uncounted when that is released, or if `open` throws. */
function kept<T>(kernel: Kernel, syscall: string, address: StreamAddress | DatagramAddress, open: () => T): T {
  kernel.claim(syscall, address);
  try {
    return open();
  } catch (error) {
    kernel.unclaim();
    throw error;
  }
}

/** Returns an attempt that has already succeeded. */
function settled<T>(value: T): Attempt<T> {
  return { result: Promise.resolve(value), cancel: () => {} };
}
