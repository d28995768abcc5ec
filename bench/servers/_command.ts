// Copyright 2026 the Sluice authors. MIT license.

/** What the bare servers share: the command line, the `ready` line, and the end by a signal. */
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
