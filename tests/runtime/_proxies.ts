// Copyright 2026 the Sluice authors. MIT license.

/** Real proxies, each with a configuration of the test's. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { tcp, type TcpAddress } from "../../mod.ts";
import { withFolder } from "../_helpers.ts";
import { ownHost, ownPort, withNet } from "../net/_helpers.ts";
import { Peer } from "./_peers.ts";

/** A proxy that runs. */
export interface Proxy {
  readonly peer: Peer;
  /** Where its first `listen` is, its second, and so on. */
  readonly addresses: readonly TcpAddress[];
}

/** Where a proxy listens, and where it may write files. */
export interface Places {
  readonly addresses: readonly TcpAddress[];
  readonly folder: string;
}

/** Returns an address as both proxies write it. */
export const at = ({ ip, port }: TcpAddress): string => `${ip}:${port}`;

/** Runs `fn` with haproxy. `config` returns its sections after `defaults`, in which each of `addresses` is bound. */
export function withHaproxy<T>(
  count: number,
  config: (places: Places) => string,
  fn: (proxy: Proxy) => Promise<T>,
): Promise<T> {
  return withProxy(count, fn, (places, ready) => {
    const path = join(places.folder, "haproxy.cfg");
    writeFileSync(
      path,
      `
global
  nbthread 1
  stats socket ${join(places.folder, "stats")} expose-fd listeners
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend ready
  bind ${at(ready)}
${config(places)}
`,
    );
    return new Peer("haproxy", ["-W", "-f", path]);
  });
}

/** Runs `fn` with nginx. `config` returns its servers, of the module `http` or `stream`. */
export function withNginx<T>(
  module: "http" | "stream",
  count: number,
  config: (places: Places) => string,
  fn: (proxy: Proxy) => Promise<T>,
): Promise<T> {
  return withProxy(count, fn, (places, ready) => {
    const path = join(places.folder, "nginx.conf");
    writeFileSync(
      path,
      `
${module === "stream" ? "load_module /usr/lib/nginx/modules/ngx_stream_module.so;" : ""}
daemon off;
master_process off;
pid ${join(places.folder, "pid")};
error_log stderr;
events {}
${module} {
  ${module === "http" ? "access_log off;" : ""}
  server { listen ${at(ready)}; return ${module === "http" ? 204 : '""'}; }
  ${config(places)}
}
`,
    );
    return new Peer("nginx", ["-p", places.folder, "-c", path, "-e", "stderr"]);
  });
}

/** Runs `fn` with tinyproxy, an HTTP proxy that listens on the address and connects to `port` alone. */
export function withTinyproxy<T>(port: number, fn: (address: TcpAddress) => Promise<T>): Promise<T> {
  let address: TcpAddress | undefined;
  return withProxy(0, () => fn(address!), ({ folder }, ready) => {
    address = ready;
    const path = join(folder, "tinyproxy.conf");
    writeFileSync(path, `Listen ${ready.ip}\nPort ${ready.port}\nConnectPort ${port}\nTimeout 60\nMaxClients 10\n`);
    return new Peer("tinyproxy", ["-d", "-c", path]);
  });
}

/** Starts a proxy, on ports that are nobody else's, and waits until it listens. */
function withProxy<T>(
  count: number,
  fn: (proxy: Proxy) => Promise<T>,
  start: (places: Places, ready: TcpAddress) => Peer,
): Promise<T> {
  return withFolder(async (folder) => {
    const [ready, ...addresses] = Array.from({ length: count + 1 }, () => tcp(ownHost, ownPort()));
    await using peer = start({ addresses, folder }, ready);
    let over = false;
    peer.ended.finally(() => over = true).catch(() => {});
    await withNet(async (sw, net) => {
      for (;;) {
        if (over) throw new Error(`Cannot start the proxy: ${peer.errors}`);
        const flow = await net.connect(sw, ready).catch(() => undefined);
        if (flow !== undefined) return await flow.close();
        await net.clock.sleep(5);
      }
    });
    return await fn({ peer, addresses });
  });
}
