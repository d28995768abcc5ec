// Copyright 2026 the Sluice authors. MIT license.

/**
 * Defines tests: a flat {@linkcode test} that passes only if its body succeeds and leaves nothing
 * open. The same file runs under `deno test`, `bun test` and `node`, with the same count.
 *
 * The check is part of the test, because Deno ignores errors of `node:test` hooks.
 */
import { createHook } from "node:async_hooks";
import process from "node:process";
import { before, test as nodeTest } from "node:test";
import { type OpenCounts, openCounts } from "../base/_counter.ts";
import { missingTools } from "./_tools.ts";

/** Options for {@linkcode test}. */
export interface TestOptions {
  /**
   * Foreign programs that the test needs, such as `["curl"]`. If one is not on the PATH, the test
   * is skipped, and the runner names it; with `SLUICE_PEERS=all` it fails.
   *
   * @default {[]}
   */
  peers?: readonly string[] | undefined;
  /**
   * Milliseconds after which the test fails, even if its body still runs.
   *
   * @default {120_000}
   */
  timeout?: number | undefined;
}

const defaultTimeout = 120_000; // no test takes so long, even on a busy machine

/**
 * Grace period after a body, for events in progress such as a socket's `close`: 170 turns, about 2
 * s.
 */
const quickTurns = 10;
const slowTurns = 160;
const slowTurnMs = 12;

/** Turns that every test waits: unhandled rejections are reported only after a turn. */
const leastTurns = 2;

/** Captured before a test can mock them. */
const { setImmediate, setTimeout, clearTimeout } = globalThis;

/** Leaks for which earlier tests of this file have failed, so that later ones do not. */
const blamed: OpenCounts = { fibers: 0, operations: 0, timers: 0, sockets: 0, listeners: 0 };

if (process.versions.deno === undefined && process.versions.bun === undefined) startWithoutHook();

/**
 * Starts the test runner of Node without its hook, which sees every promise begin and end, so that the runner knows
 * which test an error belongs to. It takes more time than many tests do, and {@linkcode test} knows without it.
 */
function startWithoutHook(): void {
  const hooks = Object.getPrototypeOf(createHook({}));
  const { enable } = hooks;
  hooks.enable = function () {
    return this;
  };
  before(() => {}); // the first call of any function of `node:test` starts the runner
  hooks.enable = enable;
}

/**
 * Registers a test. It fails if `body` throws, if there is an unhandled rejection, or if a fiber,
 * operation, timer, socket or listener of the library is still open at the end.
 *
 * @param name The symbol, then the behaviour: `copy() stops at the end of the source`.
 * @param body The test. A promise that it returns is awaited.
 * @param options Its needs.
 */
export function test(name: string, body: () => unknown, options: TestOptions = {}): void {
  const timeout = options.timeout ?? defaultTimeout;
  const missing = missingTools(options.peers ?? []);
  const needs = missing.join(", ");
  if (missing.length > 0 && process.env.SLUICE_PEERS !== "all") {
    nodeTest(`${name} [needs ${needs}]`, { skip: true }, () => {});
    return;
  }
  // An outer limit that is never reached: it replaces the shorter default of `bun test`.
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

/** Describes the counts that are wrong at the end of a test. */
function describeLeak(): string | undefined {
  const counts = openCounts();
  const wrong = kinds(counts).filter((kind) => !isBlamed(counts, kind));
  return wrong.length === 0 ? undefined : wrong.map((kind) => `${kind}: ${counts[kind]}`).join(", ");
}

/** Forgets earlier leaks that have closed since, so that new ones are reported. */
function forgetWhatClosed(): void {
  const counts = openCounts();
  for (const kind of kinds(counts)) {
    if (isBlamed(counts, kind)) blamed[kind] = counts[kind];
  }
}

/** Reports whether an earlier test has already failed for this count. */
function isBlamed(counts: OpenCounts, kind: keyof OpenCounts): boolean {
  return counts[kind] >= Math.min(0, blamed[kind]) && counts[kind] <= Math.max(0, blamed[kind]);
}

function kinds(counts: OpenCounts): (keyof OpenCounts)[] {
  return Object.keys(counts) as (keyof OpenCounts)[];
}
