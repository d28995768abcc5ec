// Copyright 2026 the Sluice authors. MIT license.

/** `deno_http.ts PORT`: answers each request with its own body, on bare `Deno.serve`. Deno only. */
import { onStop, portArgument, sayReady } from "./_command.ts";

interface Options {
  hostname: string;
  port: number;
  onListen(address: { readonly port: number }): void;
}
const { Deno } = globalThis as unknown as {
  Deno: { serve(options: Options, handler: (request: Request) => Promise<Response>): { shutdown(): Promise<void> } };
};

const port = portArgument();
const onListen = (address: { readonly port: number }) => sayReady(port, address.port);
const server = Deno.serve(
  { hostname: "127.0.0.1", port, onListen },
  async (request) => new Response(await request.bytes(), { headers: { "content-type": "text/plain" } }),
);
onStop(() => void server.shutdown());
