// Copyright 2026 the Sluice authors. MIT license.

/**
 * A program of its own: clients that know nothing of Sluice and use the runtime's raw `node:net`.
 *
 *     node examples/tour/foreign.ts PORT FIRST COUNT CLIENTS
 *
 * It runs the clients FIRST to FIRST + COUNT - 1 of CLIENTS, all at once, and prints for each how many bytes came back right. If any reply was wrong it
 * exits with 1.
 */
import { createHash } from "node:crypto";
import { connect } from "node:net";
import process from "node:process";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { generatedPart, type Payload, repositoryFiles } from "./payloads.ts";

async function sendAndCheck(port: number, payloads: readonly Payload[]): Promise<number> {
  const sent = createHash("sha256");
  for (const { bytes } of payloads) sent.update(bytes);
  const returned = createHash("sha256");
  let size = 0;
  const pieces = payloads.map(({ bytes }) => bytes).filter((bytes) => bytes.length > 0);
  await pipeline(Readable.from(pieces), connect(port, "127.0.0.1"), async (replies: AsyncIterable<Uint8Array>) => {
    for await (const reply of replies) {
      returned.update(reply);
      size += reply.length;
    }
  });
  if (returned.digest("hex") !== sent.digest("hex")) {
    throw new Error(`Wrong SHA-256 of the ${size} bytes that came back`);
  }
  return size;
}

const [port, first, count, clients] = process.argv.slice(2).map(Number);
const files = repositoryFiles();
await Promise.all(Array.from({ length: count }, async (_, i) => {
  console.log(await sendAndCheck(port, [generatedPart(first + i, clients), ...files]));
}));
