// Copyright 2026 the Sluice authors. MIT license.

/** The life of the workers of one call: from the first start until the last thread has ended. */
import { fieldOf, textOf } from "../../base/internal.ts";
import { any, type Clock, currentScope, first, interruptible, runIn, sleepOn, Switch } from "../../switch/internal.ts";
import { all, awaitCancel, protect } from "../../switch/mod.ts";
import type { Threads } from "../env/internal.ts";
import { type TcpAddress, unix } from "../internal.ts";
import type { ConnectionInfo, Outcome } from "../serve/internal.ts";
import { Crew, type CrewTerms } from "./_crew.ts";
import { addressFrom } from "./_messages.ts";
import type { Worker } from "./_worker.ts";

/** The checked options. */
export interface SupervisedTerms extends Omit<CrewTerms, "report"> {
  readonly address: TcpAddress;
  readonly onError: (error: Error, info: ConnectionInfo) => unknown;
  readonly onListen: ((address: TcpAddress) => unknown) | undefined;
}

/** The first and the longest delay before a worker is replaced, in milliseconds. */
const shortestBackoff = 100;
const longestBackoff = 5000;

/** How long a worker must have lived so that the delay is the first again, in milliseconds. */
const longLife = 10_000;

/** How long a worker may take to answer that it is to stop, in milliseconds. */
const answerTimeout = 1000;

/** Runs workers until `waitForStop` returns. */
export function supervise<T>(
  threads: Threads,
  terms: SupervisedTerms,
  waitForStop: () => Promise<Outcome<T>>,
): Promise<Outcome<T>> {
  const { clock } = threads.net;
  return Switch.run(async (sw) => {
    const scope = currentScope();
    /** Calls of `onError` that have not returned. */
    const reports = new Set<Promise<void>>();
    const report = (error: unknown, info: ConnectionInfo): Promise<void> => {
      const reporting = runIn(scope, reportTo, terms.onError, error, info, sw);
      reports.add(reporting);
      return reporting.finally(() => reports.delete(reporting));
    };
    const crew = new Crew(threads, { ...terms, report });
    let stoppedAt: number | undefined;
    try {
      const outcome = await any([waitForStop, () => keepRunning(crew, terms, clock, report)]);
      stoppedAt = clock.now();
      crew.stopping();
      await drain(crew, terms, clock, report);
      return outcome;
    } finally {
      await protect(async () => {
        stoppedAt ??= clock.now();
        crew.stopping();
        await cancelAll(crew, clock);
        await Promise.all(reports);
        crew.ended(clock.now() - stoppedAt);
      });
    }
  }, { name: "runWorkers" });
}

async function reportTo(
  onError: SupervisedTerms["onError"],
  error: unknown,
  info: ConnectionInfo,
  sw: Switch,
): Promise<void> {
  try {
    await onError(error as Error, info);
  } catch (failure) {
    sw.fail(failure);
  }
}

/** Starts all workers, and replaces each that dies. */
async function keepRunning(
  crew: Crew,
  terms: SupervisedTerms,
  clock: Clock,
  report: CrewTerms["report"],
): Promise<never> {
  const leader = await crew.start(0, terms.address); // alone: it may have to choose the port
  const address = addressFrom(await interruptible(leader.listening)) as TcpAddress;
  const others = await Promise.all(
    Array.from({ length: terms.workers - 1 }, (_, i) => crew.start(i + 1, address)),
  );
  await all(others.map(({ listening }) => () => interruptible(listening)));
  await terms.onListen?.(address);
  await all([leader, ...others].map((worker) => () => keepReplacing(worker)));
  return await awaitCancel();

  async function keepReplacing(worker: Worker): Promise<never> {
    let backoff = shortestBackoff;
    for (let current = worker;;) {
      const bornAt = clock.now();
      const { error } = await interruptible(current.exited);
      if (clock.now() - bornAt >= longLife) backoff = shortestBackoff;
      await report(deathOf(current, error), { peer: unix(""), local: address });
      await sleepOn(clock, backoff);
      backoff = Math.min(2 * backoff, longestBackoff);
      current = await crew.start(current.index, address);
    }
  }
}

/** The error with which the death of a worker is reported. Its code is that of the cause. */
function deathOf({ index }: Worker, cause: unknown): Error {
  const reason = textOf(fieldOf(cause, Error, "message") ?? cause ?? "its server has ended");
  const error = new Error(`Worker ${index + 1} died: ${reason}`, { cause });
  const code = (cause as { readonly code?: unknown } | null | undefined)?.code;
  return code === undefined ? error : Object.assign(error, { code });
}

/** Tells all workers to stop, and waits until they have ended. */
async function drain(
  crew: Crew,
  { grace, address }: SupervisedTerms,
  clock: Clock,
  report: CrewTerms["report"],
): Promise<void> {
  const end = async (worker: Worker): Promise<void> => {
    const { error } = await interruptible(worker.exited);
    if (error !== undefined && worker.isListening) {
      await report(deathOf(worker, error), { peer: unix(""), local: address });
    }
  };
  const limit = async (worker: Worker): Promise<never> => {
    await sleepOn(clock, grace);
    await sleepOn(clock, answerTimeout);
    const reason =
      `The thread was terminated, as it was still too busy to stop ${answerTimeout} ms after the grace period`;
    if (!worker.hasAnswered) worker.terminate(new Error(reason));
    return await awaitCancel();
  };
  for (const worker of crew.workers) {
    if (worker.isListening) worker.tell({ type: "stop" });
    else worker.terminate(); // it has no connections
  }
  await all(crew.workers.map((worker) => () => first(() => end(worker), () => limit(worker))));
}

/** Cancels all workers, and ends those that do not answer. */
async function cancelAll(crew: Crew, clock: Clock): Promise<void> {
  const cancel = async (worker: Worker): Promise<void> => {
    if (!worker.isListening) return worker.terminate();
    worker.tell({ type: "cancel" });
    await sleepOn(clock, answerTimeout);
    if (!worker.hasAnswered) worker.terminate();
    await awaitCancel();
  };
  await all(
    crew.workers.map((worker) => () =>
      first(() => interruptible(worker.exited), () => cancel(worker).then(awaitCancel))
    ),
  );
}
