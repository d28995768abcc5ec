// Copyright 2026 the Sluice authors. MIT license.

/**
 * Attacks every parser with random and mutated inputs, on the runtime that runs it.
 *
 * `--seconds=` for all targets together, or `--runs=` for each; `--seed=`; names of targets.
 */
import process from "node:process";
import { addresses } from "./addresses.ts";
import { buffered } from "./buffered.ts";
import { dns } from "./dns.ts";
import { endpoints } from "./endpoints.ts";
import { Choices, failureOf, makeInput, shrink, type Target } from "./_fuzz.ts";
import { http } from "./http.ts";
import { httpClient, httpResponses } from "./http_responses.ts";
import { proxyHeader } from "./proxy_header.ts";
import { certificates, serverNames } from "./tls.ts";

const targets: readonly Target[] = [
  dns,
  addresses,
  endpoints,
  buffered,
  http,
  httpResponses,
  httpClient,
  certificates,
  serverNames,
  proxyHeader,
];
const args = process.argv.slice(2);

function option(name: string, otherwise: number): number {
  const text = args.find((arg) => arg.startsWith(`--${name}=`));
  return text === undefined ? otherwise : Number(text.slice(name.length + 3));
}

const names = args.filter((arg) => !arg.startsWith("--"));
const chosen = targets.filter(({ name }) => names.length === 0 || names.includes(name));
const seed = option("seed", Date.now() % 2 ** 31);
const runs = option("runs", Infinity);
const seconds = option("seconds", runs === Infinity ? 60 : Infinity);
let failed = false;

// Most inputs end in an error, and a stack for each would take most of the time.
const { stackTraceLimit } = Error;

for (const target of chosen) {
  const choices = new Choices(seed);
  Error.stackTraceLimit = 0;
  const end = performance.now() + seconds * 1000 / chosen.length;
  let count = 0;
  let slowest = 0;
  for (let now = performance.now(); count < runs && now < end; count++) {
    const input = makeInput(choices, target);
    const pending = failureOf(target, input);
    const failure = pending instanceof Promise ? await pending : pending;
    const later = performance.now();
    if (later - now > slowest) slowest = Math.max(slowest, Math.min(later - now, await timeOf(target, input)));
    now = performance.now();
    if (failure === undefined) continue;
    const smallest = await shrink(target, input);
    Error.stackTraceLimit = stackTraceLimit;
    console.log(`${target.name} failed, seed ${seed}, input ${count}: [${smallest.join(", ")}]`);
    console.log(await failureOf(target, Uint8Array.from(smallest)) ?? failure);
    failed = true;
    break;
  }
  console.log(`${target.name}: ${count} inputs, seed ${seed}, the slowest took ${slowest.toFixed(1)} ms`);
}

/** How long an input takes once more: the first time the machine may have been busy with something else. */
async function timeOf(target: Target, input: Uint8Array<ArrayBuffer>): Promise<number> {
  const start = performance.now();
  await failureOf(target, input);
  return performance.now() - start;
}

process.exitCode = failed ? 1 : 0;
