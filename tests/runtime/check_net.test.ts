// Copyright 2026 the Sluice authors. MIT license.

/** The contract of networks over the system's. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNet } from "../../net/provider/mod.ts";
import { IpAddress, type Switch, unix } from "../../mod.ts";
import { systemProvider } from "../../net/backends/auto.ts";
import { checkNet } from "../../net/testing/mod.ts";
import { test } from "../_test.ts";

let directory: string | undefined;
let paths = 0;

/** A directory for the paths of this check. It goes with the check. */
function make(sw: Switch) {
  const own = directory = mkdtempSync(join(tmpdir(), "sluice-"));
  sw.onRelease(() => rmSync(own, { recursive: true }));
  return Promise.resolve(createNet(systemProvider()));
}

const { loopback4, loopback6 } = IpAddress;
const unixPath = () => unix(join(directory as string, `${paths++}.sock`));
for (const { name, run } of checkNet(make, { ip: loopback4, name: "localhost", unixPath })) {
  test(name, run);
}
for (const { name, run } of checkNet(make, { ip: loopback6 })) test(`IPv6: ${name}`, run);
