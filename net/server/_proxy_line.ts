// Copyright 2026 the Sluice authors. MIT license.

/** Headers of version 1. */
import { IpAddress, tcp, type TcpAddress } from "../internal.ts";
import type { ProxyHeader } from "./proxy_header.ts";

/** Throws an error that says what is wrong with the byte at an offset. */
export type Fail = (reason: string, at: number) => never;

/**
 * Parses a line of version 1 without its end. It begins with `PROXY `.
 *
 * @throws What `fail` throws.
 */
export function parseLine(line: string, fail: Fail): ProxyHeader {
  const fields = line.split(" ");
  const at = fields.map((_, i) => fields.slice(0, i).join(" ").length + Math.min(i, 1));
  const [, family, source, destination, sourcePort, destinationPort] = fields;
  if (family === "UNKNOWN") return { version: 1, command: "proxy", tlvs: [] }; // the rest means nothing
  if (family !== "TCP4" && family !== "TCP6") fail("the protocol is not TCP4, TCP6 or UNKNOWN", at[1]);
  if (fields.length !== 6) fail("it does not have two addresses and two ports with a space before each", line.length);
  const version = family === "TCP4" ? 4 : 6;
  const parse = (text: string, port: string, i: number): TcpAddress =>
    tcp(parseIp(text, version, at[i], fail), parsePort(port, at[i + 2], fail));
  return {
    version: 1,
    command: "proxy",
    source: parse(source, sourcePort, 2),
    destination: parse(destination, destinationPort, 3),
    tlvs: [],
  };
}

function parseIp(text: string, version: 4 | 6, at: number, fail: Fail): IpAddress {
  try {
    const ip = IpAddress.parse(text);
    if (ip.version === version && ip.zone === undefined) return ip;
  } catch {
    // The error quotes what the peer sent.
  }
  return fail(`an address is not an IPv${version} address`, at);
}

function parsePort(text: string, at: number, fail: Fail): number {
  if (/^(?:0|[1-9][0-9]{0,4})$/.test(text) && Number(text) <= 65_535) return Number(text);
  return fail("a port is not a decimal number up to 65535 without leading zeros", at);
}

/** Returns the line of a header of version 1, with its end. */
export function lineOf({ command, source, destination }: ProxyHeader): string {
  if (command === "local" || source?.transport !== "tcp" || destination?.transport !== "tcp") {
    return "PROXY UNKNOWN\r\n";
  }
  const is4 = source.ip.version === 4 && destination.ip.version === 4;
  const text = ({ ip }: TcpAddress) => is4 ? ip.text : IpAddress.fromBytes(bytes6Of(ip)).text; // without a zone
  const ports = `${source.port} ${destination.port}`;
  return `PROXY TCP${is4 ? 4 : 6} ${text(source)} ${text(destination)} ${ports}\r\n`;
}

/** Returns the 16 bytes of an IPv6 address, or of an IPv4 address mapped to IPv6. */
export function bytes6Of({ version, bytes }: IpAddress): Uint8Array {
  return version === 6 ? bytes : Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes);
}
