// Copyright 2026 the Sluice authors. MIT license.

import { decodeReply, encodeQuery, type RecordType } from "../../net/backends/dns/_message.ts";
import { only, same, type Target } from "./_fuzz.ts";

const types: readonly RecordType[] = ["A", "AAAA", "PTR", "SRV"];
const queries = types.map((type) => encodeQuery(0x1234, "a.example", type));
const data: Readonly<Record<RecordType, number[]>> = {
  A: [10, 0, 0, 1],
  AAAA: [...Array(15).fill(0), 1],
  PTR: [1, 98, 0xc0, 14],
  SRV: [0, 1, 0, 2, 0, 80, 1, 98, 0xc0, 14],
};
const numbers: Readonly<Record<RecordType, number>> = { A: 1, AAAA: 28, PTR: 12, SRV: 33 };

const seeds = queries.map(({ type, bytes }) => {
  const alias = [0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 4, 1, 99, 0xc0, 14];
  const owner = bytes.length + 12;
  const value = [0xc0, owner, 0, numbers[type], 0, 1, 0, 0, 0, 9, 0, data[type].length, ...data[type]];
  const message = Uint8Array.from([...bytes, ...alias, ...value, ...value]);
  message.set([0x81, 0x80], 2);
  message[7] = 3;
  return message;
});

/** Replies of name servers. The header stays valid, so that the rest is read. */
export const dns: Target = {
  name: "dns",
  seeds,
  check(input) {
    const query = queries[(input[3] ?? 0) % queries.length];
    const message = Uint8Array.from(input);
    message.set(query.bytes.subarray(0, Math.min(2, message.length)));
    if (message.length > query.bytes.length) message.set(query.bytes.subarray(12), 12);
    const read = () => only([RangeError], () => decodeReply(message, query));
    const reply = read();
    if (reply === undefined) return;
    same(read(), reply);
    if (reply.values.length > input.length) throw new Error("There are more values than bytes");
  },
};
