// Copyright 2026 the Sluice authors. MIT license.

/** `idle_reader.ts PORT`: an echo that waits for the first byte of a connection in a {@linkcode BufReader}. */
import { BufReader, copy } from "../../mod.ts";
import { serveCommand } from "./_serve.ts";

await serveCommand(async (flow) => {
  const reader = new BufReader(flow, { maxSize: 64 * 1024 });
  if (!await reader.atEnd()) await copy(reader.asSource(), flow);
});
