// Copyright 2026 the Sluice authors. MIT license.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { root, type Runtime } from "../tests/_runtimes.ts";
import type { Answer, Order } from "./load/generator.ts";
import { native } from "./_peers.ts";
import { cores, Program } from "./_process.ts";

/** What makes the load for every server: one process on Node, whatever the server runs on, and for what it can do the program in C. */
export class LoadGenerator {
  /** Whether there is the program in C; else Node does everything. */
  readonly inC: boolean;
  readonly #program: Program;

  constructor(node: Runtime) {
    const compiled = native.runCommand(join(root, "bench/load/load.c"));
    this.inC = existsSync(compiled[0]);
    const command = node.runCommand(join(root, "bench/load/generator.ts"));
    this.#program = new Program(this.inC ? [...command, ...compiled] : command, cores.load);
  }

  /** Has one order carried out. */
  async make(order: Order): Promise<Answer> {
    this.#program.send(JSON.stringify(order));
    const line = await this.#program.line();
    if (line === undefined) throw new Error("Load generator has ended");
    const answer: Answer = JSON.parse(line);
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }

  async stop(): Promise<void> {
    await this.#program.stop();
  }
}
