// Copyright 2026 the Sluice authors. MIT license.

import { type Random, useRandom } from "../../../../base/internal.ts";
import { useTime } from "../../../../switch/internal.ts";
import { Engine, type EngineHost } from "./engine.ts";
import { virtualTime } from "./_virtual_time.ts";

/**
 * Creates an engine, and makes its time and `random` those of the library until the returned
 * function is called. One engine is installed at a time.
 */
export function installEngine(host: EngineHost, random: Random): { engine: Engine; uninstall: () => void } {
  const replaced = useTime(undefined);
  const engine = new Engine(host, useTime(undefined));
  useTime(virtualTime(engine));
  useRandom(random);
  const uninstall = () => {
    engine.stop();
    useTime(replaced);
    useRandom(undefined);
  };
  return { engine, uninstall };
}
