// Copyright 2026 the Sluice authors. MIT license.

import { type Random, useRandom } from "../../../../base/internal.ts";
import { useTime } from "../../../../switch/internal.ts";
import { Engine, type EngineHost } from "./engine.ts";
import { virtualTime } from "./_virtual_time.ts";

let installed = false;

/**
 * Creates an engine, and makes its time and `random` those of the library until the returned
 * function is called.
 *
 * @throws {Error} If another engine is installed.
 */
export function installEngine(host: EngineHost, random: Random): { engine: Engine; uninstall: () => void } {
  if (installed) throw new Error("Cannot simulate: another simulation is running, and a process has one at a time");
  installed = true;
  const replaced = useTime(undefined);
  const engine = new Engine(host, useTime(undefined));
  useTime(virtualTime(engine));
  useRandom(random);
  const uninstall = () => {
    engine.stop();
    useTime(replaced);
    useRandom(undefined);
    installed = false;
  };
  return { engine, uninstall };
}
