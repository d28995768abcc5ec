// Copyright 2026 the Sluice authors. MIT license.

/** What the tests with real sockets share. */
import { assert } from "@std/assert";
import { spawnSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { type ListeningSocket, type Net, runServer, type StreamAddress, type StreamSocket } from "../../mod.ts";
import type { Switch } from "../../mod.ts";
import { until, withFolder } from "../_helpers.ts";
import { ownMark } from "../../net/backends/unix/_process_mark.ts";
import { withNet } from "../net/_helpers.ts";
import { nodeProgram } from "./_peers.ts";

/** How many descriptors this process has open. */
export function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** How long what has been closed may take to be gone, in milliseconds. */
const patience = 20_000;

/** Waits until no more descriptors are open than `before`. */
export async function descriptorsBack(before: number): Promise<void> {
  const end = performance.now() + patience;
  await until(() => descriptors() <= before || performance.now() > end);
  if (descriptors() <= before) return;
  const kinds = readdirSync("/proc/self/fd").map((name) => kindOf(`/proc/self/fd/${name}`));
  throw new Error(`${descriptors()} descriptors are open: there were ${before}: ${kinds.sort().join(", ")}`);
}

function kindOf(descriptor: string): string {
  try {
    return readlinkSync(descriptor);
  } catch {
    return "gone";
  }
}

/** Does something twice, and waits until no more descriptors are open than before the second time: the first opens what a runtime opens late. */
export async function leavesNoDescriptor(action: () => Promise<unknown>): Promise<void> {
  await action();
  const before = descriptors();
  await action();
  await descriptorsBack(before);
}

/** Runs `fn` with a path for a Unix socket in a folder of its own. */
export async function withPath(fn: (path: string, sw: Switch, net: Net) => unknown): Promise<void> {
  await withFolder((folder) => withNet(async (sw, net) => await fn(join(folder, "socket"), sw, net)));
}

/** Leaves a socket file without a listener, as a killed server does. */
export function leaveStale(path: string): void {
  const script = `require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(nodeProgram, ["-e", script, path]);
  assert(lstatSync(path).isSocket());
}

/** Returns the mark of a process that has ended, with the ID of this process. */
export function exitedMark(): string {
  const [pid, start, ...realm] = ownMark()!.split(".");
  return [pid, `${start}0`, ...realm].join(".");
}

/** Leaves a dead socket at `path`, and a claim to it whose holder has `mark`. Returns the claim. */
export function leaveClaim(path: string, mark: string): string {
  leaveStale(path);
  const claim = `${path}.${lstatSync(path).ino}.claim`;
  mkdirSync(`${claim}/${mark}`, { recursive: true });
  return claim;
}

/** Runs `fn` with a server on `address`, stops it afterwards, and returns the errors that it reported. */
export async function withServer<A extends StreamAddress>(
  address: A,
  handler: (flow: StreamSocket) => unknown,
  fn: (listener: ListeningSocket<A>, sw: Switch, net: Net) => Promise<unknown>,
): Promise<unknown[]> {
  const errors: unknown[] = [];
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, address);
    const stop = new AbortController();
    const options = { onError: (error: unknown) => errors.push(error), stop: stop.signal };
    sw.fork(() => runServer(listener, handler, options));
    await fn(listener, sw, net);
    stop.abort();
  });
  return errors;
}

/** The path of the programs that run where a fault is. */
export const faultProgram: string = "tests/runtime/_fault_program.ts";
