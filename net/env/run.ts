// Copyright 2026 the Sluice authors. MIT license.

import process from "node:process";
import { checkFunction, checkOptions, rejectionOf } from "../../base/internal.ts";
import type { Sink, Source } from "../../flow/mod.ts";
import { type Clock, isCancelled, Switch } from "../../switch/mod.ts";
import { systemProvider } from "../backends/internal.ts";
import { createNet } from "../provider/internal.ts";
import type { Net, UdpAddress } from "../mod.ts";
import { guardRejections, markFailure } from "./_rejections.ts";
import { openInput, openOutput } from "./_stdio.ts";
import { openStopSignal } from "./_stop_signal.ts";

/**
 * What {@linkcode run} hands to a program: everything it can reach. To be taken apart at the top
 * and passed on piece by piece.
 */
export interface Env {
  /**
   * The switch of `main` itself: what is opened under it is closed when `main` and its fibers have
   * ended.
   */
  readonly sw: Switch;
  /** The system's network. */
  readonly net: Net;
  /** The system's clock. */
  readonly clock: Clock;
  /** Standard input. Read only when something asks for it. */
  readonly stdin: Source;
  /** Standard output. Everything that was written has gone out when `run` ends. */
  readonly stdout: Sink;
  /** Standard error. Everything that was written has gone out when `run` ends. */
  readonly stderr: Sink;
  /**
   * Waits for the user, or the system, to end the program. A second signal ends the process at
   * once: by the signal itself, or with the exit code 128 plus its number where this is the first
   * process of a container.
   *
   * The promise never becomes an unhandled rejection. If `run` ends before there was a signal, it
   * stays pending.
   *
   * @returns The signal's name, "SIGINT" or "SIGTERM".
   * @throws {Cancelled} When the current scope is cancelled first.
   * @throws {TypeError} When `run` has ended.
   */
  stop(): Promise<string>;
}

/** Options for {@linkcode run}. */
export interface RunOptions {
  /**
   * The DNS servers to ask for names, instead of the system: in this order, the next one when one
   * does not answer. No other one is asked then, neither the hosts file nor a search list. Only
   * `localhost` is not asked for.
   *
   * @default {undefined}
   */
  nameServers?: readonly UdpAddress[] | undefined;
}

/**
 * Runs a program: the one place where real authority enters. `main` runs inside a switch, and
 * nothing of it is left when `run` settles: no signal handler, no reader of standard input. It can
 * be called again and again, also at once.
 *
 * While it runs, an async function that was not awaited does not end the process: an unhandled
 * rejection with {@linkcode Cancelled} or {@linkcode ClosedError} is ignored, and one with another
 * error of this library is shown as a process warning. Any other one ends the process as usual.
 *
 * On Deno the network needs `--allow-net`, and Unix sockets `--allow-read` and `--allow-write` too.
 *
 * @typeParam T What `main` returns.
 * @param main The program.
 * @param options Where names come from.
 * @returns What `main` returned.
 * @throws {TypeError} When `main` is not a function, `nameServers` is not a list of UDP addresses,
 * or one has a zone.
 * @throws {RangeError} When `nameServers` is empty, or a port is 0.
 * @throws {Error} When something that was written to a standard stream did not go out, and no write
 * has told so.
 *
 * @example A whole program
 * ```ts
 * import { copyString, run } from "@sluice/io";
 *
 * await run((env) => copyString("hello\n", env.stdout));
 * ```
 *
 * @example A program that opens something
 * ```ts
 * import { run, tcp } from "@sluice/io";
 *
 * await run(async ({ sw, net }) => {
 *   await net.listen(sw, tcp("127.0.0.1", 0));
 * });
 * ```
 */
export function run<T>(main: (env: Env) => T | Promise<T>, options?: RunOptions): Promise<T> {
  const problem = rejectionOf(() => {
    checkFunction("run a program", main);
    checkOptions("run a program", options);
  });
  if (problem !== undefined) return problem;
  const start = async () => {
    try {
      return await runMain(main, options?.nameServers);
    } catch (error) {
      if (!isCancelled()) markFailure(running, error);
      throw error;
    }
  };
  const running: Promise<T> = start();
  return running;
}

function runMain<T>(main: (env: Env) => T | Promise<T>, nameServers: RunOptions["nameServers"]): Promise<T> {
  // What the environment opens belongs to a switch around that of `main`, so that the release hooks
  // of `main` can use it.
  return Switch.run(async (outer) => {
    const unguard = guardRejections();
    let ended = false;
    outer.onRelease(() => {
      ended = true;
      unguard();
    });
    const net = createNet(systemProvider(nameServers));
    const lazily = <R>(open: () => R, close: (opened: R) => unknown): () => R => {
      let opened: { readonly it: R } | undefined;
      return () => {
        if (opened !== undefined) return opened.it;
        if (ended) throw new TypeError("Cannot use an environment: its run has ended");
        const it = open();
        outer.onRelease(() => close(it));
        opened = { it };
        return it;
      };
    };
    const stdin = lazily(() => openInput(process.stdin, "stdin"), (input) => input.close());
    const stdout = lazily(() => openOutput(process.stdout, "stdout"), (output) => output.close());
    const stderr = lazily(() => openOutput(process.stderr, "stderr"), (output) => output.close());
    const signal = lazily(openStopSignal, (opened) => opened.close());
    return await Switch.run(async (sw) =>
      await main(Object.freeze({
        sw,
        net,
        clock: net.clock,
        get stdin() {
          return stdin().source;
        },
        get stdout() {
          return stdout().sink;
        },
        get stderr() {
          return stderr().sink;
        },
        stop: () => {
          const problem = rejectionOf(signal);
          problem?.catch(() => {});
          return problem ?? signal().wait();
        },
      })), { name: "main" });
  }, { name: "run" });
}
