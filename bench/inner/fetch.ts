// Copyright 2026 the Sluice authors. MIT license.

/** `createFetch` beside the runtime's own `fetch`. */
import { run, Switch } from "../../mod.ts";
import { createFetch, type FetchFunction } from "../../net/http/mod.ts";
import { type Case, type Cases, oneByOne } from "./_case.ts";
import { piece, withPeer } from "./_peer.ts";

const greeting = String.fromCharCode(...piece.subarray(0, 13));

/** A response of a few bytes. */
export const small: Cases = (measure) =>
  measuring(measure, { name: "fetch, small GET kept alive", unit: "µs" }, async (fetch, url) => {
    const response = await fetch(url + greeting.length);
    if (response.status !== 200 || await response.text() !== greeting) throw new Error("Reply differs");
  });

/** Responses whose body is read piece by piece. */
export const large: Cases = reading(64);
export const huge: Cases = reading(512);

function reading(mebibytes: number): Cases {
  const divisor = mebibytes * 2 ** 20;
  return (measure) =>
    measuring(measure, { name: `fetch, ${mebibytes} MiB body`, unit: "ms/MB", divisor }, async (fetch, url) => {
      const { body } = await fetch(url + divisor);
      let got = 0;
      for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
        if (chunk[0] !== piece[got % piece.length]) throw new Error("Reply differs");
        got += chunk.length;
      }
      if (got !== divisor) throw new Error(`Reply has ${got} bytes instead of ${divisor}`);
    });
}

/** Measures `get`, from a server on loopback. */
function measuring(
  measure: (one: Case) => Promise<void>,
  about: Pick<Case, "name" | "unit" | "divisor">,
  get: (fetch: FetchFunction, url: string) => Promise<void>,
): Promise<void> {
  return withPeer((port) =>
    run((env) =>
      Switch.run(async (sw) => {
        const getBy = (fetch: FetchFunction) => oneByOne(() => get(fetch, `http://127.0.0.1:${port}/`));
        const ours = { createFetch: getBy(createFetch(sw, env.net)) };
        await measure({ ...about, ours, beside: { fetch: getBy(fetch) } });
      })
    )
  );
}
