// Copyright 2026 the Sluice authors. MIT license.

import { RequestFraming } from "../../flow/node/_request_framing.ts";
import { bytesOf } from "../_helpers.ts";
import { same, type Target } from "./_fuzz.ts";

const texts = [
  "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
  "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n",
  "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nx: y\r\n\r\nGET / HTTP/1.1\r\n\r\n",
  "\r\nPOST / HTTP/1.1\ncontent-length:-100\n\nab",
];

function read(input: Uint8Array<ArrayBuffer>, piece: number): unknown {
  const framing = new RequestFraming();
  for (let at = 0; at < input.length; at += piece) framing.take(input.slice(at, at + piece));
  return [framing.heads, framing.idle];
}

/** Where requests of HTTP/1 begin and end. */
export const http: Target = {
  name: "http",
  seeds: texts.map(bytesOf),
  check(input) {
    const whole = read(input, input.length + 1);
    same(read(input, input.length % 2 === 0 ? 1 : 5), whole);
    if ((whole as [number])[0] > input.length) throw new Error("There are more requests than bytes");
  },
};
