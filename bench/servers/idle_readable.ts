// Copyright 2026 the Sluice authors. MIT license.

/** `idle_readable.ts PORT`: an echo that waits for the first byte of a connection in {@linkcode readable}, which pins no buffer. */
import { copy, readable } from "../../mod.ts";
import { serveCommand } from "./_serve.ts";

await serveCommand(async (flow) => {
  await readable(flow);
  await copy(flow, flow);
});
