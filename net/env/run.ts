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
import { createWorkerManager, startThread, type WorkerManager } from "./worker_manager.ts";

/**
 * The capabilities that {@linkcode run} passes to a program: everything it can reach. Destructure
 * it at the top, and pass each function only what it needs.
 */
export interface Env {
  /**
   * The switch of `main`, which ends with `main` and its fibers and closes what is opened under it.
   */
  readonly sw: Switch;
  /** The system's network. */
  readonly net: Net;
  /** The system's clock. */
  readonly clock: Clock;
  /** Threads, each of which reaches what {@linkcode Env.net} does: for `runWorkers`. */
  readonly workers: WorkerManager;
  /** Standard input. It is read only on demand. */
  readonly stdin: Source;
  /** Standard output. Everything written is flushed before `run` returns. */
  readonly stdout: Sink;
  /** Standard error. Everything written is flushed before `run` returns. */
  readonly stderr: Sink;
  /**
   * Waits for SIGINT or SIGTERM. A second signal ends the process at once: by the signal's default
   * action, or with exit code 128 plus its number if this is the first process of a container.
   *
   * The promise never becomes an unhandled rejection. If `run` ends before a signal arrives, it
   * stays pending.
   *
   * @returns The signal's name, "SIGINT" or "SIGTERM".
   * @throws {Cancelled} If the current scope is cancelled first.
   * @throws {TypeError} If `run` has ended.
   */
  stop(): Promise<string>;
}

/** Options for {@linkcode run}. */
export interface RunOptions {
  /**
   * The DNS servers to query instead of the system's resolver, in this order: each is queried if
   * the one before does not answer. Other servers, the hosts file and a search list are not used;
   * `localhost` is not queried.
   *
   * @default {undefined}
   */
  nameServers?: readonly UdpAddress[] | undefined;
}

/**
 * Runs a program with access to the system. `main` runs inside a switch, and nothing is left when
 * `run` returns: no signal handler, no reader of standard input. `run` can be called repeatedly and
 * concurrently.
 *
 * While it runs, a forgotten `await` does not end the process: an unhandled rejection with
 * {@linkcode Cancelled} or {@linkcode ClosedError} is ignored, and one with another error of this
 * library is shown as a process warning. Any other one ends the process as usual.
 *
 * On Deno the network needs `--allow-net`, and Unix sockets `--allow-read` and `--allow-write` too.
 *
 * @typeParam T What `main` returns.
 * @param main The program.
 * @param options How names are resolved.
 * @returns What `main` returned.
 * @throws {TypeError} If `main` is not a function, `nameServers` is not a list of UDP addresses, or
 * one has a zone.
 * @throws {RangeError} If `nameServers` is empty, or a port is 0.
 * @throws {Error} If bytes accepted by a standard stream could not be written, and no write has
 * reported that.
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
  // An outer switch owns what the environment opens, so that release hooks of `main` can use it.
  return Switch.run(async (outer) => {
    const unguard = guardRejections();
    let ended = false;
    outer.onRelease(() => {
      ended = true;
      unguard();
    });
    const net = createNet(systemProvider(nameServers));
    const checkRuns = () => {
      if (ended) throw new TypeError("Cannot use an environment: its run has ended");
    };
    // Opens a resource on first use, and closes it at the end.
    const lazily = <R>(open: () => R, close: (opened: R) => unknown): () => R => {
      let opened: { readonly value: R } | undefined;
      return () => {
        if (opened !== undefined) return opened.value;
        checkRuns();
        const value = open();
        outer.onRelease(() => close(value));
        opened = { value };
        return value;
      };
    };
    const stdin = lazily(() => openInput(process.stdin, "stdin"), (input) => input.close());
    const stdout = lazily(() => openOutput(process.stdout, "stdout"), (output) => output.close());
    const stderr = lazily(() => openOutput(process.stderr, "stderr"), (output) => output.close());
    const signal = lazily(openStopSignal, (opened) => opened.close());
    const workers = createWorkerManager(() => {
      checkRuns();
      return { net, nameServers, start: startThread };
    });
    return await Switch.run(async (sw) =>
      await main(Object.freeze({
        sw,
        net,
        clock: net.clock,
        workers,
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
