// Copyright 2026 the Sluice authors. MIT license.

/** `http.ts PORT`: as much of HTTP/1.1 as Eio's own bench has. Answers each request of a connection with its own body. */
import { BufReader, type BufWriter, withBufWriter } from "../../mod.ts";
import { serveCommand } from "./_serve.ts";

const mostBytes = 64 * 1024;

await serveCommand((flow) =>
  withBufWriter(flow, async (writer) => {
    const reader = new BufReader(flow, { maxSize: mostBytes });
    while (!await reader.atEnd()) {
      reply(writer, await readRequest(reader));
      await writer.flush();
    }
  })
);

/** Gives the body. */
async function readRequest(reader: BufReader): Promise<Uint8Array> {
  let size = 0;
  if (!/^[A-Z]+ \S+ HTTP\/1\.1$/.test(await reader.line() ?? "")) throw new Error("Request has a wrong first line");
  for (let line; (line = await reader.line()) !== "";) {
    if (line === null) throw new Error("Request has no end");
    const colon = line.indexOf(":");
    if (line.slice(0, colon).toLowerCase() === "content-length") size = Number(line.slice(colon + 1));
  }
  if (!(size <= mostBytes)) throw new Error(`Request has a body of ${size} bytes`);
  return await reader.take(size);
}

function reply(writer: BufWriter, body: Uint8Array): void {
  writer.string(`HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\n\r\n`);
  writer.bytes(body);
}
