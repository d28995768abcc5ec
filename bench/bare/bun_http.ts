// Copyright 2026 the Sluice authors. MIT license.

/** `bun_http.ts PORT`: answers each request with its own body, on bare `Bun.serve`. Bun only. */
import { onStop, portArgument, sayReady } from "./_command.ts";

interface Options {
  hostname: string;
  port: number;
  fetch(request: Request): Promise<Response>;
}
const { Bun } = globalThis as unknown as {
  Bun: { serve(options: Options): { readonly port: number; stop(closeConnections: boolean): void } };
};

const port = portArgument();
const server = Bun.serve({
  hostname: "127.0.0.1",
  port,
  fetch: async (request) => new Response(await request.bytes(), { headers: { "content-type": "text/plain" } }),
});
onStop(() => server.stop(true));
sayReady(port, server.port);
