// Copyright 2026 the Sluice authors. MIT license.

/** A process that listens on a Unix path and closes it, again and again, until it is killed. */
import process from "node:process";
import { run, Switch, unix } from "../../mod.ts";

const path = process.argv.at(-1) as string;

await run(async ({ net }) => {
  for (let first = true;; first = false) {
    await Switch.run((sw) => net.listen(sw, unix(path), { reuseAddr: true, mode: 0o600 })).catch(() => {});
    if (first) process.stdout.write("ready\n");
  }
});
