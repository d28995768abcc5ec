// Copyright 2026 the Sluice authors. MIT license.

/**
 * Calls sources and sinks that may be foreign code, and finds the joints of the library's own.
 * Foreign code may ignore that the current scope is cancelled, so that is checked before each call.
 * Every count is validated, so that a wrong one causes an error and never an endless loop.
 */
import { describeData } from "../base/internal.ts";
import { refused, type Scope } from "../switch/internal.ts";
import { isBytes, totalLength, unshared, viewOf } from "./_bytes.ts";
import { type Borrower, give, type GivingSink, lend, type LendingSource } from "./provider.ts";
import type { Sink, Source } from "./types.ts";

/**
 * Throws unless `source` looks like a `Source`. Each function that accepts a source checks it once.
 *
 * @param action What cannot be done: "copy from".
 * @throws {TypeError} If it is not a source. The message says how to wrap a value that is often
 * mistaken for one.
 */
export function checkSource(action: string, source: Source): void {
  // A Node stream also has a `read`, but its null does not mean the end.
  if (typeof source?.read === "function" && !("readableFlowing" in source)) return;
  throw new TypeError(`Cannot ${action} ${describeData(source)}: must be a source${sourceHint(source)}`);
}

/** Throws unless `sink` looks like a `Sink`. The action is like "copy to". */
export function checkSink(action: string, sink: Sink): void {
  if (typeof sink?.write === "function" && !("writableLength" in sink)) return;
  const hint = has(sink, "writableLength")
    ? ": wrap a Node stream in fromWritable"
    : has(sink, "getWriter")
    ? ": wrap a web stream in fromWritableStream"
    : "";
  throw new TypeError(`Cannot ${action} ${describeData(sink)}: must be a sink${hint}`);
}

/** Reports whether `source` has the fast path {@linkcode lend}. */
export function lends(source: Source): source is LendingSource {
  return typeof (source as Partial<LendingSource>)[lend] === "function";
}

/** Reports whether `sink` has the fast path {@linkcode give}. */
export function gives(sink: Sink): sink is GivingSink {
  return typeof (sink as Partial<GivingSink>)[give] === "function";
}

/** Reads once. `buffer` must be a plain view, so that any source sees its true length. */
export async function readSome(source: Source, buffer: Uint8Array): Promise<number | null> {
  const refusal = refused();
  if (refusal !== undefined) return await refusal;
  const { length } = buffer; // before the source can detach it
  const count = await source.read(buffer);
  return count === null ? null : checkCount("read", "source", count, length);
}

/** Borrows once: one or more pieces. May throw synchronously. */
export function lendSome(source: LendingSource, use: Borrower): Promise<number | null> {
  return lendWith(source, use, false);
}

/** Borrows one piece. May throw synchronously. */
export function lendOne(
  source: LendingSource,
  use: (bytes: Uint8Array<ArrayBuffer>, keep: boolean) => number,
): Promise<number | null> {
  return lendWith(source, use, true);
}

function lendWith(source: LendingSource, use: Borrower, once: boolean): Promise<number | null> {
  const refusal = refused();
  if (refusal !== undefined) return refusal;
  let total: number | undefined; // undefined before the first answer
  let more = true;
  const lending = source[lend]((bytes, keep) => {
    if (!more) throw new TypeError("Cannot read: the source lent more than the borrower asked for");
    const plain = lent(bytes);
    const { length } = plain; // before the borrower can transfer the memory
    more = false;
    const answer = use(plain, keep);
    if (typeof answer !== "number") {
      return Promise.resolve(answer).then((taken) => {
        total = (total ?? 0) + taken;
        return taken;
      });
    }
    total = (total ?? 0) + answer;
    more = answer === length && !once;
    return once ? Promise.resolve(answer) : answer;
  });
  return Promise.resolve(lending).then((count) => {
    if (count === null ? total === undefined : typeof count === "number" && count === total) return count;
    throw new TypeError(
      `Cannot read: the source reported ${describeData(count)} bytes, but ${
        total === undefined ? "lent none" : `${total} were taken`
      }`,
    );
  });
}

/** Returns a plain view of bytes that a source has lent. */
function lent(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (isBytes(bytes)) return unshared(viewOf(bytes));
  throw new TypeError(`Cannot read: the source lent ${describeData(bytes)}: must be a Uint8Array`);
}

/** Writes a view once. May throw synchronously. */
export function writeSome(sink: Sink, bytes: Uint8Array): Promise<number> {
  const { length } = bytes; // before a stream can detach it
  return refused() ??
    Promise.resolve(sink.write(bytes)).then((count) => checkCount("write", "sink", count, length));
}

/** Writes `bytes` once. The sink may keep their memory. May throw synchronously. */
export function giveSome(sink: Sink, bytes: Uint8Array): number | Promise<number> {
  return gives(sink) ? giveAll(sink, [bytes]) : writeSome(sink, bytes);
}

/**
 * Like {@linkcode giveSome}, for memory that no other code can reach, so that a socket need not
 * copy it.
 */
export function giveOwned(sink: Sink, bytes: Uint8Array): number | Promise<number> {
  return jointOf(sink)?.giveOwned(bytes) ?? giveSome(sink, bytes);
}

/** Writes several buffers once. The sink may keep their memory. May throw synchronously. */
export function giveAll(sink: GivingSink, buffers: readonly Uint8Array[]): number | Promise<number> {
  const length = totalLength(buffers);
  const refusal = refused();
  if (refusal !== undefined) return refusal;
  const taken = sink[give](buffers);
  if (typeof taken === "number") return checkCount("write", "sink", taken, length);
  return Promise.resolve(taken).then((count) => checkCount("write", "sink", count, length));
}

function sourceHint(value: unknown): string {
  if (typeof value === "string") return ": wrap it in stringSource";
  if (isBytes(value)) return ": wrap it in bytesSource";
  if (has(value, "readableFlowing")) return ": wrap a Node stream in fromReadable";
  if (has(value, "getReader")) return ": wrap a web stream in fromReadableStream";
  if (value instanceof Blob) return ": wrap its stream() in fromReadableStream";
  if (has(value, Symbol.asyncIterator) || has(value, Symbol.iterator)) return ": wrap it in fromIterable";
  return "";
}

function has(value: unknown, key: PropertyKey): boolean {
  return typeof value === "object" && value !== null && key in value;
}

function checkCount(operation: string, who: string, count: unknown, limit: number): number {
  if (Number.isInteger(count) && count as number >= 1 && count as number <= limit) return count as number;
  throw new TypeError(
    `Cannot ${operation} as the ${who} must return a count from 1 to ${limit}: it gave ${describeData(count)}`,
  );
}

/** The conditions under which a stream lends bytes to a {@linkcode Joint}. */
export interface LoanTerms {
  /** The scope of the loan, in which the sink waits. Later pieces arrive in any scope. */
  readonly scope: Scope | undefined;
  /**
   * What the sink may do with the memory: copy it, because it is reused; keep it; or own it,
   * because no other code can reach it.
   */
  readonly memory: "reused" | "kept" | "owned";
}

/** A loan in progress. It holds the state of all pieces, so that they need no closures. */
export interface Loan extends LoanTerms {
  /** Who takes the bytes: a user's borrower, or the joint of another flow. */
  readonly to: Borrower | Outlet;
  /**
   * Called with each count that an outlet took, and returns it. If set, the loan resolves to null
   * when the input has ended, even if bytes were taken.
   */
  readonly note: ((taken: number) => number) | undefined;
  /** The scope in which the loan began. The loan ends when that is cancelled. */
  readonly scope: Scope | undefined;
  /** Whether the end owns the memory. User code may still hold a view of it. */
  readonly owned: boolean;
  /** Set before each piece of a loan to an outlet. */
  memory: LoanTerms["memory"];
  /** How many bytes were taken. */
  taken: number;
}

/** What a joint lends to. */
export interface Outlet {
  /** Takes lent bytes, and returns how many. Throws, or rejects, if it cannot. */
  take(bytes: Uint8Array<ArrayBuffer>, terms: LoanTerms): number | Promise<number>;
}

/**
 * How flows of the library are connected without user code, and without a promise for each piece.
 * A stream is a joint. So is a wrapper around a joint, which also counts what passes.
 */
export interface Joint extends Outlet {
  /**
   * Lends what arrives to `outlet`, as a `LendingSource` lends to a borrower, but resolves to null
   * at the end even if bytes were taken. `note` receives each count.
   */
  lendTo(outlet: Outlet, note: (taken: number) => number): Promise<number | null>;
  /** Writes bytes once, as a `GivingSink` does. Only the library can reach their memory. */
  giveOwned(bytes: Uint8Array): number | Promise<number>;
  /** How many bytes were read, and how many were taken by writes. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /**
   * What has arrived and was not read: bytes, null if the peer has ended or no more can be read, or
   * `undefined` if there is nothing.
   */
  readonly input: Uint8Array | null | undefined;
  /** How many bytes were taken and are still queued, if known: see `StreamEnd.unsent`. */
  readonly unsent: number;
  /** Calls `callback` once the underlying stream is gone. Returns a function that removes it. */
  onGone(callback: () => void): () => void;
}

/** Finds the joint of a flow of one class, by a private field that no other object can forge. */
type Finder = (flow: object) => Joint | undefined;

const finders: Finder[] = [];

/** Registers a class of flows that forward reads and writes to their joint unchanged. */
export function registerFlows(find: Finder): void {
  finders.push(find);
}

/** Returns the joint of `flow`, if its class is registered and it has one. */
export function jointOf(flow: object): Joint | undefined {
  for (const find of finders) {
    const joint = find(flow);
    if (joint !== undefined) return joint;
  }
  return undefined;
}

/** Returns the flow inside a flow of one class, by a private field, too. */
type InnerFinder = (outer: object) => object | undefined;

const innerFinders: InnerFinder[] = [];

/** Registers a class of flows over another flow. */
export function registerLayers(find: InnerFinder): void {
  innerFinders.push(find);
}

/**
 * Returns the flow directly inside `outer`, if the class of `outer` is registered. For what the
 * library has noted about a flow; a wrapper does not show the flow inside to users.
 */
export function innerOf(outer: object): object | undefined {
  for (const find of innerFinders) {
    const inner = find(outer);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

/** Passes the count of a borrower or a sink to `note`, synchronously unless it is a promise. */
export function noted(taken: number | Promise<number>, note: (taken: number) => number): number | Promise<number> {
  return typeof taken === "number" ? note(taken) : taken.then(note);
}
