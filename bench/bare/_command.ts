// Copyright 2026 the Sluice authors. MIT license.

/** What the bare servers share: the command line, the `ready` line, and the end by a signal. */
import process from "node:process";

/** Where the command line says to serve: a port, or a Unix path. */
export function placeArgument(): number | string {
  const [text] = process.argv.slice(2);
  if (text?.startsWith("/")) return text;
  if (text !== undefined && /^\d+$/.test(text)) return Number(text);
  console.error(`usage: ${process.argv[1]} PORT or /UNIX/PATH`);
  process.exit(2);
}

/** The port that the command line names. */
export function portArgument(): number {
  return placeArgument() as number;
}

/** Says that connections are accepted, as the servers of the library do. */
export function sayReady(asked: number | string, port: number, kind = "tcp"): void {
  if (asked === 0) console.log(`${kind}:127.0.0.1:${port}`);
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
