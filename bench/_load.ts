// Copyright 2026 the Sluice authors. MIT license.

import { join } from "node:path";
import { root, type Runtime } from "../tests/_runtimes.ts";
import type { Answer, Order } from "./load/generator.ts";
import { cores, Program } from "./_process.ts";

/** The one process that makes the load for every server. It runs on Node, whatever the server runs on. */
export class LoadGenerator {
  readonly #program: Program;

  constructor(node: Runtime) {
    this.#program = new Program(node.runCommand(join(root, "bench/load/generator.ts")), cores.load);
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
