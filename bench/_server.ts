// Copyright 2026 the Sluice authors. MIT license.

import { join } from "node:path";
import { root, type Runtime } from "../tests/_runtimes.ts";
import type { LoadGenerator } from "./_load.ts";
import { cores, Program } from "./_process.ts";
import type { Target } from "./load/_load.ts";
import type { Answer, Order } from "./load/generator.ts";

/** What is asked of a server. */
export interface Turn {
  readonly shape: Order["shape"];
  readonly connections: number;
  /** How long a message is, in bytes. The default is 64. */
  readonly size?: number | undefined;
}

/** A server that runs, in a process on a core of its own. */
export class Server {
  readonly #program: Program;
  readonly #target: Target;
  readonly #load: LoadGenerator;

  private constructor(program: Program, target: Target, load: LoadGenerator) {
    this.#program = program;
    this.#target = target;
    this.#load = load;
  }

  /** Starts the program at `path` below `bench/`: on a port that the system chooses, or at a Unix path. */
  static async start(runtime: Runtime, path: string, load: LoadGenerator, unixPath?: string): Promise<Server> {
    const program = new Program([...runtime.runCommand(join(root, "bench", path)), unixPath ?? "0"], cores.server);
    try {
      const address = unixPath ?? await program.line();
      if (await program.line() !== "ready") throw new Error(`${program.name} did not start`);
      return new Server(program, unixPath ?? Number(address?.split(":").at(-1)), load);
    } catch (error) {
      await program.stop();
      throw error;
    }
  }

  /** Puts a load on it, after `warmup` milliseconds for `ms` of them. */
  async serve({ shape, connections, size = 64 }: Turn, warmup: number, ms: number): Promise<Answer> {
    const { pid, name } = this.#program;
    try {
      return await this.#load.make({ shape, target: this.#target, pid, connections, size, warmup, ms });
    } catch (cause) {
      throw new Error(`${shape} of ${name}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
  }

  /** Asks of it that it gives back exactly what it gets, from many at once. */
  async validate(connections = 50): Promise<void> {
    await this.serve({ shape: "validate", connections }, 0, 0);
  }

  async stop(): Promise<void> {
    await this.#program.stop();
  }
}
