// Copyright 2026 the Sluice authors. MIT license.

/**
 * What the bare servers share: the command line, the `ready` line, the end by a signal, and a loop
 * of promises.
 */
import process from "node:process";

/**
 * Calls the program that the command line names. It says where to serve: a port, or a Unix path.
 */
export function runProgram(programs: Readonly<Record<string, (place: number | string) => unknown>>): void {
  const [name, place] = process.argv.slice(2);
  if (!(name in programs) || !/^(\/.+|\d+)$/.test(place)) {
    console.error(`usage: ${process.argv[1]} ${Object.keys(programs).join("|")} PORT|/UNIX/PATH`);
    process.exit(2);
  }
  programs[name](place.startsWith("/") ? place : Number(place));
}

/** Prints the address where the system chose it, and that connections are accepted. */
export function sayReady(asked: number | string, port = 0): void {
  if (asked === 0) console.log(`127.0.0.1:${port}`);
  console.log("ready");
}

/** Calls `stop` at the first SIGTERM or SIGINT. */
export function onStop(stop: () => void): void {
  const heard = () => {
    process.off("SIGTERM", heard);
    process.off("SIGINT", heard);
    stop();
  };
  process.on("SIGTERM", heard);
  process.on("SIGINT", heard);
}

/** A socket that is used by callbacks. */
interface CallbackSocket {
  pause(): void;
  resume(): void;
  end(): void;
}

/** The plainest loop of promises over a socket: what awaiting costs. */
export class PromiseEcho {
  readonly #socket: CallbackSocket;
  #arrived: Uint8Array | null | undefined;
  #wake: ((chunk: Uint8Array | null) => void) | undefined;

  constructor(socket: CallbackSocket) {
    this.#socket = socket;
  }

  /** Takes what has arrived; null is the end. */
  deliver(chunk: Uint8Array | null): void {
    const wake = this.#wake;
    this.#wake = undefined;
    if (wake !== undefined) return wake(chunk);
    this.#arrived = chunk;
    this.#socket.pause();
  }

  async run(write: (chunk: Uint8Array) => Promise<void>): Promise<void> {
    for (let chunk; (chunk = await this.#read()) !== null;) await write(chunk);
    this.#socket.end();
  }

  async #read(): Promise<Uint8Array | null> {
    const chunk = this.#arrived;
    if (chunk === undefined) return await new Promise((resolve) => this.#wake = resolve);
    this.#arrived = undefined;
    this.#socket.resume();
    return chunk;
  }
}
