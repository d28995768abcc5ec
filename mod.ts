// Copyright 2026 the Sluice authors. MIT license.

/**
 * I/O for TypeScript in the style of Eio: authority is an argument, nothing opens without an owner,
 * and bytes flow through small interfaces.
 *
 * ```ts ignore
 * import { copy, copyString, type Net, run, type Sink, type StreamAddress, Switch, tcp } from "@sluice/io";
 *
 * async function httpGet(net: Net, stdout: Sink, address: StreamAddress) {
 *   await Switch.run(async (sw) => {
 *     const flow = await net.connect(sw, address);
 *     await copyString("GET / HTTP/1.0\r\n\r\n", flow);
 *     await flow.shutdown("send");
 *     await copy(flow, stdout);
 *   }); // the socket is closed here, whatever happened
 * }
 *
 * await run((env) => httpGet(env.net, env.stdout, tcp("127.0.0.1", 8080)));
 * ```
 *
 * @module
 */

export * from "./switch/mod.ts";
export * from "./flow/mod.ts";
export * from "./net/mod.ts";
export * from "./net/env/mod.ts";
