// Copyright 2026 the Sluice authors. MIT license.

import process from "node:process";
import { clearInterval, setInterval } from "node:timers";
import type { Sink, Source } from "../../flow/mod.ts";
import { Cancelled, type Clock, interruptible, Switch } from "../../switch/mod.ts";
import { systemProvider } from "../backends/auto.ts";
import { createNet, type Net, type UdpAddress } from "../mod.ts";
import { openInput, openOutput } from "./stdio.ts";

/** What {@linkcode run} hands to a program: everything it can reach. To be taken apart at the top and passed on piece by piece. */
export interface Env {
  /** The system's network. */
  readonly net: Net;
  /** The system's clock. */
  readonly clock: Clock;
  /** Standard input. Read only when somebody asks for it. */
  readonly stdin: Source;
  /** Standard output. Everything that was written has gone out when `run` ends. */
  readonly stdout: Sink;
  /** Standard error. Everything that was written has gone out when `run` ends. */
  readonly stderr: Sink;
  /**
   * Waits for the user, or the system, to end the program. A second signal ends the process at once.
   *
   * @returns A promise of the signal's name, "SIGINT" or "SIGTERM". Nobody needs to await it.
   * @throws {Cancelled} When the current scope is cancelled first, or `run` ends.
   */
  stop(): Promise<string>;
}

/** Options for {@linkcode run}. */
export interface RunOptions {
  /**
   * The DNS servers to ask for names, instead of the system: in this order, the next one when one does not answer. Nobody else is asked then, neither the hosts
   * file nor a search list. Only `localhost` is not asked for.
   *
   * @default {undefined}
   */
  nameServers?: readonly UdpAddress[] | undefined;
}

/**
 * Runs a program: the one place where real authority enters. `main` runs inside a switch, and nothing of it is left when `run` settles: no signal handler,
 * no reader of standard input. It can be called again and again, also at once.
 *
 * On Deno the network needs `--allow-net`, and Unix sockets `--allow-read` and `--allow-write` too.
 *
 * @typeParam T What `main` gives.
 * @param main The program.
 * @param options Where names come from.
 * @returns What `main` gave.
 * @throws {TypeError} When `nameServers` is not a list of UDP addresses, or one has a zone.
 * @throws {RangeError} When `nameServers` is empty, or a port is 0.
 * @throws {Error} When something that was written to a standard stream did not go out, and no write has told so.
 *
 * @example A whole program
 * ```ts
 * import { copyString, run } from "@sluice/io";
 *
 * await run((env) => copyString("hello\n", env.stdout));
 * ```
 */
export function run<T>(main: (env: Env) => T | Promise<T>, options: RunOptions = {}): Promise<T> {
  return Switch.run(async (sw) => {
    const net = createNet(systemProvider(options.nameServers));
    const lazily = <R>(open: () => R, close: (opened: R) => unknown): () => R => {
      let opened: { readonly it: R } | undefined;
      return () => {
        if (opened !== undefined) return opened.it;
        const it = open();
        opened = { it };
        sw.onRelease(() => close(it));
        return it;
      };
    };
    const stdin = lazily(() => openInput(process.stdin, "stdin"), (input) => input.close());
    const stdout = lazily(() => openOutput(process.stdout, "stdout"), (output) => output.close());
    const stderr = lazily(() => openOutput(process.stderr, "stderr"), (output) => output.close());
    const signal = lazily(openSignal, (opened) => opened.close());
    return await main(Object.freeze({
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
        const stopped = interruptible(signal().heard);
        stopped.catch(() => {}); // often handed on, and awaited late or never
        return stopped;
      },
    }));
  }, { name: "run" });
}

/** Listens for the signals that end a program, until the first one: then the system's own way of ending is back. */
function openSignal(): { readonly heard: Promise<string>; close(): void } {
  const names = ["SIGINT", "SIGTERM"] as const;
  let close = (): void => {};
  const heard = new Promise<string>((resolve, reject) => {
    const alive = setInterval(() => {}, 2 ** 30); // on Node waiting for a signal alone keeps no program running
    const forget = () => {
      clearInterval(alive);
      names.forEach((name) => process.off(name, hear));
    };
    const hear = (name: string) => {
      forget();
      resolve(name);
    };
    close = () => {
      forget();
      reject(new Cancelled(new Error("The program has ended")));
    };
    names.forEach((name) => process.on(name, hear));
  });
  return { heard, close: () => close() };
}
