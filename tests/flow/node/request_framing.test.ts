// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { RequestFraming } from "../../../flow/node/_request_framing.ts";
import { bytesOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const sized = "POST / HTTP/1.1\r\nContent-Length:  12\r\n\r\nab\r\n\r\nGET /\n";
const chunked = "POST / HTTP/1.1\r\nTRANSFER-ENCODING: gzip, chunked\r\n\r\n" +
  "5;x=y\r\nab\r\nc\r\n0a\r\n0\r\n\r\n12345\r\n0\r\nContent-Length: 7\r\n\r\n";

test("RequestFraming is between two requests only where one ends", () => {
  for (const request of [get, sized, chunked, get.replaceAll("\r", "")]) {
    const ends = [];
    for (let size = 1; size < request.length * 2; size++) {
      const framing = new RequestFraming();
      framing.take(bytesOf((request + request).slice(0, size)));
      if (framing.idle) ends.push(size);
    }
    assertEquals(ends, [request.length], request);
  }
});

test("RequestFraming counts requests, in whatever pieces they come", () => {
  const all = "\r\n" + get + sized + "\r\n" + chunked + get + "\r\n";
  for (const size of [1, 2, 3, 7, 50, all.length]) {
    const framing = new RequestFraming();
    for (let at = 0; at < all.length; at += size) framing.take(bytesOf(all.slice(at, at + size)));
    assertEquals([framing.heads, framing.idle], [4, true]);
  }
});

test("RequestFraming never goes back for a length below 0", () => {
  const framing = new RequestFraming();
  framing.take(bytesOf("POST / HTTP/1.1\r\nContent-Length: -100\r\n\r\n" + get));
  assertEquals([framing.heads, framing.idle], [2, true]);
});
