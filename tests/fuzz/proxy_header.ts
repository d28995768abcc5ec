// Copyright 2026 the Sluice authors. MIT license.

import { bufferSink, BufReader, bytesSource, ParseError } from "../../flow/mod.ts";
import { type ProxyHeader, readProxyHeader, writeProxyHeader } from "../../net/server/mod.ts";
import { bytesOf } from "../_helpers.ts";
import { binary, ip4, ip6, line4, line6, path, tlv } from "../net/server/_proxy_headers.ts";
import { checkError, same, type Target } from "./_fuzz.ts";

async function read(reader: BufReader): Promise<ProxyHeader | undefined> {
  try {
    return await readProxyHeader(reader);
  } catch (error) {
    checkError([ParseError], error);
    if (reader.consumed > 0) throw new Error("A header that failed was consumed", { cause: error });
    return undefined;
  }
}

/** Headers of the PROXY protocol: what is read is what was written, however it is split. */
export const proxyHeader: Target = {
  name: "proxyHeader",
  seeds: [
    ...[line4, line6, "PROXY UNKNOWN\r\n", "PROXY TCP6 ::ffff:192.0.2.1 :: 0 65535\r\nGET"].map(bytesOf),
    binary(0x21, 0x11, [...ip4, ...tlv(3, [0x5a, 0x46, 0x28, 0x67]), ...tlv(4, [7])]),
    binary(0x21, 0x22, [...ip6, ...tlv(4, []), ...tlv(0x20, [1, 2, 3])]),
    binary(0x21, 0x31, [...path("/run/a"), ...path("\0b"), ...tlv(5, [1])]),
    binary(0x20, 0, tlv(4, [0])),
  ],
  async check(input) {
    const reader = BufReader.of(input);
    const header = await read(reader);
    const slow = new BufReader(BufReader.of(input).asSource(), { maxSize: 1 << 17, initialSize: 1 });
    same(await read(slow), header);
    const lent = new BufReader(bytesSource(input));
    same(await read(lent), header);
    if (header === undefined) return;
    if (![slow, lent].every(({ consumed }) => consumed === reader.consumed)) throw new Error("The ends differ");
    const sink = bufferSink();
    await writeProxyHeader(sink, header);
    const again = BufReader.of(sink.bytes());
    same(await readProxyHeader(again), header);
    if (again.buffered > 0) throw new Error("Bytes are left");
  },
};
