// Copyright 2026 the Sluice authors. MIT license.

import { checkHostName, formatAddress, hostAddress, parseAddress } from "../../net/address.ts";
import { literalOf } from "../../net/_host_name.ts";
import { IpAddress } from "../../net/ip_address.ts";
import { checkOptionName, checkOptionValue } from "../../net/socket_option.ts";
import { NetError } from "../../net/mod.ts";
import { bytesOf, textOf } from "../_helpers.ts";
import { only, same, type Target } from "./_fuzz.ts";

const wrong = [SyntaxError, RangeError, TypeError];

const texts = [
  "tcp:127.0.0.1:80",
  "tcp:[::1]:65535",
  "udp:[fe80::1%eth0]:53",
  "unix:/run/x.sock",
  "unix:@abstract",
  "unix:",
  "host:example.com:443",
  "host:xn--bcher-kva.example.:1",
  "1:2:3:4:5:6:7:8",
  "::ffff:10.0.0.1",
  "fe80::1%25",
  "localhost",
  "_http._tcp.example.com",
  "SO_KEEPALIVE",
  "IP_LOCAL_PORT_RANGE",
];

/** Addresses, IP addresses, host names and socket options, as text. */
export const addresses: Target = {
  name: "addresses",
  seeds: texts.map(bytesOf),
  check(input) {
    const text = textOf(input);
    const address = only(wrong, () => parseAddress(text));
    if (address !== undefined) {
      const formatted = formatAddress(address);
      same(formatAddress(parseAddress(formatted)), formatted);
      same(parseAddress(formatted), address);
    }
    const ip = only([SyntaxError], () => IpAddress.parse(text));
    same(literalOf(text)?.toString(), ip?.toString());
    if (ip !== undefined) {
      same(String(IpAddress.parse(String(ip))), String(ip));
      same([...IpAddress.parse(String(ip)).bytes], [...ip.bytes]);
    }
    const host = only([SyntaxError], () => hostAddress(text, 1));
    if (host !== undefined) same(parseAddress(formatAddress(host)), host);
    only([SyntaxError], () => checkHostName(text));
    const name = only([NetError], () => checkOptionName("setOption", text));
    if (name !== undefined) {
      for (const value of [text, input.length, true, undefined, [1, 2]]) {
        only([...wrong, NetError], () => checkOptionValue(name, value));
      }
    }
  },
};
