// Copyright 2026 the Sluice authors. MIT license.

/** A check in a scope that is not cancelled. The object shows that the meter of memory sees one. */
import { AsyncLocalStorage } from "node:async_hooks";
import { checkCancelled, Switch } from "../../switch/mod.ts";
import type { Cases } from "./_case.ts";

export const cases: Cases = (measure) =>
  Switch.run((sw) => {
    const storage = new AsyncLocalStorage<object>();
    const kept: { last: unknown } = { last: undefined };
    return storage.run(sw, () =>
      measure({
        name: "a check, not cancelled",
        ours: {
          "checkCancelled()"(times) {
            for (let i = 0; i < times; i++) checkCancelled();
          },
          "sw.check()"(times) {
            for (let i = 0; i < times; i++) sw.check();
          },
        },
        beside: {
          "getStore()"(times) {
            let found = 0;
            for (let i = 0; i < times; i++) if (storage.getStore() === sw) found++;
            if (found !== times) throw new Error("The context was lost");
          },
          "an object"(times) {
            for (let i = 0; i < times; i++) kept.last = { i };
          },
        },
      }));
  });
