// Copyright 2026 the Sluice authors. MIT license.

/**
 * Runs the service of `service.ts`, configured by the environment. SIGTERM stops it.
 * `docs/operating.md` describes how it is run.
 *
 *     BACKEND=_answers._tcp.example.com deno run -A examples/service/main.ts
 *     BACKEND=_answers._tcp.example.com bun examples/service/main.ts
 *     BACKEND=_answers._tcp.example.com node examples/service/main.ts
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { copyString, formatAddress, parseAddress, run, type TcpAddress, type UdpAddress } from "@sluice/io";
import { runService, type ServiceConfig } from "./service.ts";

/** Returns a variable of the environment. */
function read(name: string, otherwise?: string): string {
  const value = process.env[name] ?? otherwise;
  if (value === undefined) throw new Error(`Cannot start: ${name} is not set`);
  return value;
}

function readNumber(name: string, otherwise: number): number {
  const value = Number(read(name, String(otherwise)));
  if (Number.isNaN(value)) throw new RangeError(`Cannot start: ${name} is not a number`);
  return value;
}

function readTcp(name: string, otherwise: string): TcpAddress {
  const address = parseAddress(read(name, otherwise));
  if (address.transport !== "tcp") throw new TypeError(`Cannot start: ${name} is not a TCP address`);
  return address;
}

function readNameServer(): UdpAddress[] | undefined {
  const text = process.env["NAME_SERVER"];
  if (text === undefined) return undefined; // those of the system
  const address = parseAddress(text);
  if (address.transport !== "udp") throw new TypeError("Cannot start: NAME_SERVER is not a UDP address");
  return [address];
}

const chain = process.env["TLS_CHAIN"]; // a path, as TLS_KEY
const config: ServiceConfig = {
  address: readTcp("LISTEN", "tcp:127.0.0.1:8080"),
  admin: readTcp("ADMIN", "tcp:127.0.0.1:9090"),
  backend: read("BACKEND"),
  trusted: read("TRUSTED_PROXIES", "").split(",").filter((rule) => rule !== ""),
  certificate: chain === undefined ? undefined : { chain: readFileSync(chain), key: readFileSync(read("TLS_KEY")) },
  workers: readNumber("WORKERS", 2),
  maxConnections: readNumber("MAX_CONNECTIONS", 10_000),
  maxPerClient: readNumber("MAX_PER_CLIENT", 100),
  limits: { firstByte: 10_000, idle: 60_000, write: 30_000 },
  drainDelay: readNumber("DRAIN_DELAY_MS", 0),
  grace: readNumber("GRACE_MS", 20_000),
};

await run(async ({ net, workers, stop, stdout }) => {
  const report = await runService(net, config, stop(), {
    onListen: (address, admin) =>
      copyString(`listening on ${formatAddress(address)}, admin on ${formatAddress(admin)}\n`, stdout),
    onError: (error) => console.error(String(error)),
  }, workers);
  await copyString(`stopped: ${JSON.stringify(report)}\n`, stdout);
}, { nameServers: readNameServer() });
