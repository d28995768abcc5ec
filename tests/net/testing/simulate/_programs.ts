// Copyright 2026 the Sluice authors. MIT license.

/** Programs for simulated hosts. */
import { copy, type Net, NetError, type Source, type StreamSocket, Switch, tcp } from "../../../../mod.ts";
import type { SimHost } from "../../../../net/testing/mod.ts";

/**
 * Serves each connection to a port with a fiber of its own, until it is cancelled. A connection that
 * breaks does no harm.
 */
export function serve(net: Net, handler: (flow: StreamSocket, sw: Switch) => unknown, port = 80): Promise<void> {
  return Switch.run(async (sw) => {
    const listener = await net.listen(sw, tcp("0.0.0.0", port));
    for (;;) {
      const flow = await listener.accept(sw);
      sw.fork(async () => {
        try {
          await handler(flow, sw);
        } catch (error) {
          if (!(error instanceof NetError)) throw error;
          flow.abort();
        }
      });
    }
  });
}

/** The program of an echo server. */
export const echoServer = ({ net }: SimHost): Promise<void> =>
  serve(net, async (flow) => {
    await copy(flow, flow);
    await flow.close();
  });

/** Reads until an error comes, and returns it; `undefined` at the end. */
export async function readError(source: Source): Promise<unknown> {
  try {
    while (await source.read(new Uint8Array(1024)) !== null);
    return undefined;
  } catch (error) {
    return error;
  }
}
