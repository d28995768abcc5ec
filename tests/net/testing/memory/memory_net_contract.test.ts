// Copyright 2026 the Sluice authors. MIT license.

/** The network contract on the in-memory network. */
import { type Clock, IpAddress, unix, yieldNow } from "../../../../mod.ts";
import { checkNet, type CheckNetOptions, memoryNet } from "../../../../net/testing/mod.ts";
import { test } from "../../../_test.ts";

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

/** The three kinds of addresses of the host. */
const addresses: CheckNetOptions[] = [
  { name: "localhost", unixPath: () => unix("/run/checked") },
  { ip: IpAddress.loopback6, name: "localhost" },
  { ip: IpAddress.parse("10.0.0.5"), name: "db.example" },
];

const make = () => Promise.resolve(memoryNet({ clock: hurriedClock(), hosts: { "db.example": ["10.0.0.5"] } }));

for (const options of addresses) {
  for (const { name, run } of checkNet(make, options)) {
    test(`memoryNet() at ${options.ip ?? IpAddress.loopback4}: ${name}`, run);
  }
}
