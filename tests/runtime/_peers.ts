// Copyright 2026 the Sluice authors. MIT license.

/** Foreign processes on the other side of a socket. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { tcp, type TcpAddress } from "../../mod.ts";
import { until } from "../_helpers.ts";
import { root, thisRuntime } from "../_runtimes.ts";

/** The program of Node, which runs the scripts of peers. */
export const nodeProgram: string = join(root, `node_modules/node-linux-${process.arch}/bin/node`);

/** How a process ended. */
export interface Ending {
  code: number | null;
  signal: string | null;
}

/** A process that talks by lines. It is killed when the test leaves it. */
export class Peer implements AsyncDisposable {
  readonly child: ChildProcessWithoutNullStreams;
  /** What it has written to standard output and to standard error, up to now. */
  output = "";
  errors = "";
  /** Settles when it has ended, and its output too. */
  readonly ended: Promise<Ending>;
  #heard = 0;
  #wake: () => void = () => {};
  #over = false;

  constructor(program: string, args: readonly string[], env: Record<string, string> = {}) {
    this.child = spawn(program, args, { env: { ...process.env, NO_COLOR: "1", ...env } });
    this.child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.output += text;
      this.#wake();
    });
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => this.errors += text);
    this.child.stdin.on("error", () => {});
    this.ended = new Promise((resolve, reject) => {
      this.child.on("error", reject);
      this.child.on("close", (code, signal) => {
        this.#over = true;
        this.#wake();
        resolve({ code, signal });
      });
    });
    this.ended.catch(() => {});
  }

  /** Runs `script` on Node, with `net` and its arguments as `args`. */
  static node(script: string, ...args: (string | number)[]): Peer {
    const prelude = `const net = require("node:net"); const args = process.argv.slice(1); const say = console.log;\n`;
    return new Peer(nodeProgram, ["-e", prelude + script, ...args.map(String)]);
  }

  /** The next line of standard output; `undefined` when it has ended. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.output.indexOf("\n", this.#heard);
      if (end >= 0) {
        const line = this.output.slice(this.#heard, end);
        this.#heard = end + 1;
        return line;
      }
      if (this.#over) return undefined;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** Writes to its standard input. */
  say(text: string): void {
    this.child.stdin.write(text);
  }

  /** Ends its standard input. */
  endInput(): void {
    this.child.stdin.end();
  }

  /** Sends it a signal, if it still runs. */
  kill(signal: NodeJS.Signals): void {
    if (this.#over || this.child.pid === undefined) return;
    try {
      process.kill(this.child.pid, signal); // not by the child's own kill(): on Deno that works only once
    } catch {
      // ESRCH: it has ended, and that is not known here yet
    }
  }

  /** Lets it stand still, until it gets a SIGCONT. */
  async freeze(): Promise<void> {
    this.kill("SIGSTOP");
    await until(() => / T /.test(readFileSync(`/proc/${this.child.pid}/stat`, "utf8")));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.ended.catch(() => {});
  }
}

/** The command that runs a program of the tests on the runtime that runs this very code. */
export function thisCommand(path: string, ...args: string[]): [program: string, ...args: string[]] {
  const [program, ...rest] = thisRuntime().runCommand(join(root, path));
  return [program, ...rest, ...args];
}

/** Runs such a program. */
export function runThis(path: string, ...args: string[]): Peer {
  const [program, ...rest] = thisCommand(path, ...args);
  return new Peer(program, rest);
}

/** Runs `fn` with an address on which connecting never ends: its backlog is full, and its process stands still. */
export async function withDeafPeer(fn: (address: TcpAddress) => Promise<void>): Promise<void> {
  await using peer = Peer.node(`
    const server = net.createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => say(server.address().port));
  `);
  const port = Number(await peer.line());
  await peer.freeze();
  await using fill = Peer.node(
    `
    for (let i = 0; i < 8; i++) net.connect(args[0], "127.0.0.1", () => say("connected")).on("error", () => {});
  `,
    port,
  );
  for (let i = 0; i < 2; i++) await fill.line(); // the system keeps one more than the backlog
  await fn(tcp("127.0.0.1", port));
}
