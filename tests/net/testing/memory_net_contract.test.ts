// Copyright 2026 the Sluice authors. MIT license.

/** The contract of networks over the one in memory. */
import { IpAddress, unix } from "../../../mod.ts";
import { checkNet, type CheckNetOptions, memoryNet } from "../../../net/testing/mod.ts";
import { test } from "../../_test.ts";

const make = () => Promise.resolve(memoryNet({ hosts: { "db.example": ["10.0.0.5"] } }));

/** The three kinds of addresses that the host has. */
const hosts: CheckNetOptions[] = [
  { name: "localhost", unixPath: () => unix("/run/checked"), pumps: true },
  { ip: IpAddress.loopback6, name: "localhost", pumps: true },
  { ip: IpAddress.parse("10.0.0.5"), name: "db.example", pumps: true },
];

for (const options of hosts) {
  for (const { name, run } of checkNet(make, options)) {
    test(`memoryNet() at ${options.ip ?? IpAddress.loopback4}: ${name}`, run);
  }
}
