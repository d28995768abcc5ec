// Copyright 2026 the Sluice authors. MIT license.

/** The networks that wrappers are tried over, and the contract of a network for a wrapper. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, IpAddress, type Net, type Switch, unix, yieldNow } from "../../../mod.ts";
import { systemProvider } from "../../../net/backends/auto.ts";
import { createNet } from "../../../net/provider/mod.ts";
import { checkNet, memoryNet } from "../../../net/testing/mod.ts";
import { test } from "../../_test.ts";

/** A network in memory, and the system's. */
export const networks: Readonly<Record<string, () => Net>> = {
  memory: () => memoryNet(),
  "the system": () => createNet(systemProvider()),
};

/**
 * A clock on which every sleep ends after some turns of the event loop, so that closing is fast.
 */
function hurriedClock(): Clock {
  let now = 0;
  const sleepUntil = async (time: number) => {
    for (let turn = 0; turn < 50; turn++) await yieldNow();
    now = Math.max(now, time);
  };
  return { now: () => now, sleep: (ms) => sleepUntil(now + ms), sleepUntil };
}

/** Registers the tests of the contract of a network, for `wrap` over each network. */
export function checkWrapper(name: string, wrap: (net: Net) => Net): void {
  const inMemory = () => Promise.resolve(wrap(memoryNet({ clock: hurriedClock() })));
  for (const check of checkNet(inMemory, { name: "localhost", unixPath: () => unix("/run/checked") })) {
    test(`${name} over memoryNet(): ${check.name}`, check.run);
  }
  let directory = "";
  let paths = 0;
  const ofSystem = (sw: Switch): Promise<Net> => {
    const own = directory = mkdtempSync(join(tmpdir(), "sluice-"));
    sw.onRelease(() => rmSync(own, { recursive: true }));
    return Promise.resolve(wrap(createNet(systemProvider())));
  };
  const unixPath = () => unix(join(directory, `${paths++}.sock`));
  for (const check of checkNet(ofSystem, { ip: IpAddress.loopback4, name: "localhost", unixPath })) {
    test(`${name} over the system: ${check.name}`, check.run);
  }
}
