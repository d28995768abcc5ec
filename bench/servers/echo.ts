// Copyright 2026 the Sluice authors. MIT license.

/** `echo.ts PORT`: gives back what it gets, by a loop of reads and writes. */
import type { StreamSocket } from "../../mod.ts";
import { serveCommand } from "./_serve.ts";

await serveCommand(async (flow: StreamSocket) => {
  const buffer = new Uint8Array(64 * 1024);
  for (let size; (size = await flow.read(buffer)) !== null;) {
    for (let done = 0; done < size;) done += await flow.write(buffer.subarray(done, size));
  }
});
