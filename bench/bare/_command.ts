// Copyright 2026 the Sluice authors. MIT license.

/** What the bare servers share: the command line, the `ready` line, and the end by a signal. */
import process from "node:process";

/** The port that the command line names. */
export function portArgument(): number {
  const [text] = process.argv.slice(2);
  if (text !== undefined && /^\d+$/.test(text)) return Number(text);
  console.error(`usage: ${process.argv[1]} PORT`);
  process.exit(2);
}

/** Says that connections are accepted, as the servers of the library do. */
export function sayReady(asked: number, port: number): void {
  if (asked === 0) console.log(`tcp:127.0.0.1:${port}`);
  console.log("ready");
}

/** Calls `stop` at SIGTERM or SIGINT, once. */
export function onStop(stop: () => void): void {
  const heard = () => {
    process.off("SIGTERM", heard);
    process.off("SIGINT", heard);
    stop();
  };
  process.on("SIGTERM", heard);
  process.on("SIGINT", heard);
}
