// Copyright 2026 the Sluice authors. MIT license.

/** `copy` between two connections of a network that counts, beside one that does not. */
import { both, copy, copyString, type Net, run, Switch, tcp } from "../../mod.ts";
import { meter } from "../../net/confine/mod.ts";
import { type Cases, oneByOne } from "./_case.ts";
import { withPeer } from "./_peer.ts";

const divisor = 16 * 2 ** 20;

export const cases: Cases = (measure) =>
  withPeer((port) =>
    run(({ net }) => {
      const copyOver = (net: Net) =>
        oneByOne(() =>
          Switch.run(async (sw) => {
            const connect = () => net.connect(sw, tcp("127.0.0.1", port));
            const [source, sink] = await both(connect, connect);
            await copyString(`GET /${divisor}. `, source);
            if (await copy(source, sink) < divisor) throw new Error("The body was cut short");
          })
        );
      const [ours, beside] = [{ "copy, metered": copyOver(meter(net).net) }, { copy: copyOver(net) }];
      return measure({ name: "metered copy", unit: "ms/MB", divisor, ours, beside });
    })
  );
