// Copyright 2026 the Sluice authors. MIT license.

/** A process that, whenever it is told "go", takes a Unix path that a dead server has left, and gives it back when it is told "stop". */
import process from "node:process";
import { createInterface } from "node:readline";
import { type ListeningSocket, type NetError, run, Switch, unix } from "../../mod.ts";

const path = process.argv.at(-1) as string;
const say = (line: string) => process.stdout.write(`${line}\n`);

await run((env) =>
  Switch.run(async (sw) => {
    let listener: ListeningSocket | undefined;
    say("ready");
    for await (const line of createInterface({ input: process.stdin })) {
      if (line === "go") {
        try {
          listener = await env.net.listen(sw, unix(path), { reuseAddr: true });
          say("won");
        } catch (error) {
          say((error as NetError).code);
        }
      } else {
        await listener?.close();
        listener = undefined;
        say("stopped");
      }
    }
  })
);
