// Copyright 2026 the Sluice authors. MIT license.

/**
 * The one way to write a test: a flat {@linkcode test} that passes only when its body does and when nothing is left
 * behind. The same file runs under `deno test`, `bun test` and `node --test`, with the same count.
 *
 * The check is part of the test and not a hook, because Deno drops what a hook of `node:test` throws.
 */
import process from "node:process";
import { test as nodeTest } from "node:test";
import { type OpenCounts, openCounts } from "../base/_counter.ts";
import { missingTools } from "./_tools.ts";

/** Options for {@linkcode test}. */
export interface TestOptions {
  /**
   * Foreign programs that the test needs, as `["curl"]`. When one is not on the PATH the test is skipped, and the runner
   * says so by name; with `SLUICE_PEERS=all` it fails.
   *
   * @default {[]}
   */
  peers?: readonly string[] | undefined;
  /**
   * Milliseconds after which the test fails, though its body still runs.
   *
   * @default {120_000}
   */
  timeout?: number | undefined;
}

const defaultTimeout = 120_000; // nothing takes so long, on a busy machine neither

/** What is still on its way out after a body (the `close` event of a socket, say) has 170 turns, about 2 s. */
const quickTurns = 10;
const slowTurns = 160;
const slowTurnMs = 12;

/** An error that nobody handled is known only after a turn of the event loop, so every test waits for these. */
const leastTurns = 2;

/** Taken before any test can put a mock in their place. */
const { setImmediate, setTimeout, clearTimeout } = globalThis;

/** What earlier tests of this file left open and failed for; later tests are not blamed for it. */
const blamed: OpenCounts = { fibers: 0, operations: 0, timers: 0, sockets: 0, listeners: 0 };

/**
 * Registers a test. It fails when `body` throws, when an error went unhandled meanwhile, and when a fiber, operation,
 * timer, socket or listener of the library is still open at the end.
 *
 * @param name The symbol, then the behaviour: `copy() stops at the end of the source`.
 * @param body What is tested. A promise that it returns is awaited.
 * @param options The test's needs.
 */
export function test(name: string, body: () => unknown, options: TestOptions = {}): void {
  const timeout = options.timeout ?? defaultTimeout;
  const missing = missingTools(options.peers ?? []);
  const needs = missing.join(", ");
  if (missing.length > 0 && process.env.SLUICE_PEERS !== "all") {
    nodeTest(`${name} [needs ${needs}]`, { skip: true }, () => {});
    return;
  }
  // The outer limit is never reached: it only stops `bun test` from applying its own, which is shorter.
  nodeTest(name, { timeout: timeout + 60_000 }, async () => {
    if (missing.length > 0) throw new Error(`Cannot run the test: the PATH has no ${needs}`);
    await runChecked(body, timeout);
  });
}

async function runChecked(body: () => unknown, timeout: number): Promise<void> {
  forgetWhatClosed();
  const errors: unknown[] = [];
  const strays: unknown[] = [];
  const onStray = (error: unknown) => strays.push(error);
  process.on("unhandledRejection", onStray);
  process.on("uncaughtException", onStray);
  try {
    await withLimit(body, timeout);
  } catch (error) {
    errors.push(error);
  }
  await settle();
  process.off("unhandledRejection", onStray);
  process.off("uncaughtException", onStray);
  errors.push(...strays);
  const leak = describeLeak();
  if (leak !== undefined) errors.push(new Error(`Test left something open: ${leak}`));
  Object.assign(blamed, openCounts());
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, errors.map(String).join("\nand "));
}

async function withLimit(body: () => unknown, timeout: number): Promise<void> {
  const expiry = Promise.withResolvers<never>();
  const timer = setTimeout(() => expiry.reject(new Error(`Test still ran after ${timeout} ms`)), timeout);
  try {
    await Promise.race([(async () => await body())(), expiry.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < quickTurns + slowTurns; turn++) {
    if (turn >= leastTurns && describeLeak() === undefined) return;
    await new Promise<void>((resolve) => {
      if (turn < quickTurns) setImmediate(resolve);
      else setTimeout(resolve, slowTurnMs);
    });
  }
}

/** The counts that are wrong at the end of a test, as text. */
function describeLeak(): string | undefined {
  const counts = openCounts();
  const wrong = kinds(counts).filter((kind) => !isBlamed(counts, kind));
  return wrong.length === 0 ? undefined : wrong.map((kind) => `${kind}: ${counts[kind]}`).join(", ");
}

/** An earlier leak may have closed since, so that the next one of its kind is news again. */
function forgetWhatClosed(): void {
  const counts = openCounts();
  for (const kind of kinds(counts)) {
    if (isBlamed(counts, kind)) blamed[kind] = counts[kind];
  }
}

/** Whether the count is zero, or between zero and what an earlier test has failed for. */
function isBlamed(counts: OpenCounts, kind: keyof OpenCounts): boolean {
  return counts[kind] >= Math.min(0, blamed[kind]) && counts[kind] <= Math.max(0, blamed[kind]);
}

function kinds(counts: OpenCounts): (keyof OpenCounts)[] {
  return Object.keys(counts) as (keyof OpenCounts)[];
}
