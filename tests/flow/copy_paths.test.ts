// Copyright 2026 the Sluice authors. MIT license.

/**
 * No path of copy() changes what a caller can observe: one script must have the same result on each
 * pair of a source path and a sink path.
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { BufReader, copy } from "../../flow/mod.ts";
import { give, lend } from "../../flow/provider.ts";
import type { GivingSink, LendingSource } from "../../flow/provider.ts";
import type { Sink, Source } from "../../flow/mod.ts";
import { flowOf } from "../../flow/_flow.ts";
import { Stream } from "../../flow/_stream.ts";
import { noSink, noSource, type StreamNames } from "../../flow/_half.ts";
import type { StreamEnd } from "../../flow/provider.ts";
import { pattern } from "../../net/testing/_random.ts";
import { runIn } from "../../switch/_scope.ts";
import { Cancelled, Switch, yieldNow } from "../../switch/mod.ts";
import { test } from "../_test.ts";

type Op =
  | readonly [kind: "bytes", sizes: readonly number[]]
  | readonly [kind: "room", size: number]
  | readonly [kind: "end" | "source fails" | "sink fails" | "cancel"]
  | readonly [kind: "close source" | "drop source" | "close sink" | "end sink"]
  | readonly [kind: "other read" | "other write"];

const size = fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: 20 }) }, {
  weight: 1,
  arbitrary: fc.integer({ min: 60_000, max: 140_000 }),
});
const bytesOp: fc.Arbitrary<Op> = fc.tuple(fc.constant("bytes"), fc.array(size, { minLength: 1, maxLength: 4 }));
const roomOp: fc.Arbitrary<Op> = fc.tuple(fc.constant("room"), size);
const endOp: fc.Arbitrary<Op> = fc.tuple(fc.constantFrom("end", "source fails", "sink fails", "cancel", "end sink"));
const ownOp: fc.Arbitrary<Op> = fc.tuple(
  fc.constantFrom("close source", "drop source", "close sink", "other read", "other write"),
);

function scripts(...rare: fc.Arbitrary<Op>[]): fc.Arbitrary<Op[]> {
  return fc.array(
    fc.oneof(
      { weight: 4, arbitrary: bytesOp },
      { weight: 4, arbitrary: roomOp },
      ...rare.map((arbitrary) => ({ weight: 1, arbitrary })),
    ),
    { maxLength: 14 },
  );
}

/** A source with some of the fast paths, and how many bytes of the stream it buffers itself. */
interface Path {
  readonly source: Source;
  readonly held: () => number;
}

const none = () => 0;
const ending = { close: () => Promise.resolve() };
const sources: Record<string, (stream: Stream) => Path> = {
  joined: (stream) => ({ source: flowOf(stream, ending), held: none }),
  lend: (stream) => ({ source: lending(stream), held: none }),
  "lend, not to be kept": (stream) => ({
    source: { ...lending(stream), [lend]: (use) => stream.lend((bytes) => use(bytes, false)) } as LendingSource,
    held: none,
  }),
  BufReader: (stream) => {
    const reader = new BufReader(lending(stream), { maxSize: 65_536 });
    return { source: reader.asSource(), held: () => reader.buffered };
  },
  read: (stream) => ({ source: { read: (buffer) => stream.read(buffer) }, held: none }),
};

function lending(stream: Stream): LendingSource {
  return { read: (buffer) => stream.read(buffer), [lend]: (use) => stream.lend(use) };
}

/** The sinks, likewise. */
const sinks: Record<string, (stream: Stream) => Sink> = {
  joined: (stream) => flowOf(stream, ending),
  "give, and always wait": (
    stream,
  ) => ({ ...giving(stream), [give]: async (buffers) => await stream.give(buffers) } as GivingSink),
  give: giving,
  write: (stream) => ({ write: (bytes) => stream.write(bytes) }),
};

function giving(stream: Stream): GivingSink {
  return { write: (bytes) => stream.write(bytes), [give]: (buffers) => stream.give(buffers) };
}

const names: StreamNames = { label: "fake", failure: (_, cause) => cause };
const marker = 255;

/** A scripted end to read from. */
class FakeSource implements StreamEnd {
  readonly #pieces: Uint8Array<ArrayBuffer>[] = [];
  #arrived = 0;
  #last: null | Error | undefined;
  readonly flushed = true;
  write = noSink.write;
  give = noSink.give;
  end = noSink.end;

  arrive(size: number): void {
    // The values stay below the marker, which other writers use.
    this.#pieces.push(pattern(this.#arrived, size).map((byte) => byte % marker));
    this.#arrived += size;
  }
  finish(last: null | Error): void {
    if (this.#last === undefined) this.#last = last;
  }
  peek() {
    const piece = this.#pieces[0];
    if (piece !== undefined) return piece;
    if (this.#last instanceof Error) throw this.#last;
    return this.#last;
  }
  consume(size: number) {
    const rest = this.#pieces[0].subarray(size);
    if (rest.length > 0) this.#pieces[0] = rest;
    else this.#pieces.shift();
  }
  drop() {
    this.#pieces.length = 0;
  }
  left(): number {
    return this.#pieces.reduce((sum, { length }) => sum + length, 0);
  }
}

/** A scripted end to write to: it takes as much as it has room for. */
class FakeSink implements StreamEnd {
  digest = 0;
  room = 0;
  failure: Error | undefined;
  readonly flushed = true;
  peek = noSource.peek;
  consume = noSource.consume;
  drop = noSource.drop;
  end = noSink.end;

  write(bytes: Uint8Array): number {
    return this.give([bytes]);
  }
  give(buffers: readonly Uint8Array[]): number {
    if (this.failure !== undefined) throw this.failure;
    let size = 0;
    for (const bytes of buffers) {
      const part = bytes.subarray(0, Math.min(this.room, 65_536 - size));
      for (const byte of part) this.digest = (this.digest * 31 + byte + 1) % 1_000_000_007;
      this.room -= part.length;
      size += part.length;
    }
    return size;
  }
}

const sourceFailure = new Error("Cannot read");
const sinkFailure = new Error("Cannot write");
const cancellation = new Error("Cancelled by the test");

/** What a caller can observe. */
interface Seen {
  readonly outcome: string;
  /** A digest of what the sink took. */
  readonly sent: number;
  /** The results of concurrent operations. */
  readonly others: readonly string[];
  /** How many bytes are left in the source. */
  readonly left: number;
}

/** Plays a script on one pair of paths. */
async function play(
  script: readonly Op[],
  path: (stream: Stream) => Path,
  makeSink: (stream: Stream) => Sink,
): Promise<Seen> {
  const [from, to] = [new FakeSource(), new FakeSink()];
  const [reading, writing] = [new Stream(from, names), new Stream(to, names)];
  const { source, held } = path(reading);
  const others: string[] = [];
  const other = (operation: Promise<unknown>) => {
    const i = others.push("waits") - 1;
    operation.then((value) => others[i] = String(value), (error) => others[i] = error.name);
  };
  const acts: Record<Op[0], (detail: number & readonly number[], sw: Switch) => unknown> = {
    bytes: (sizes) => (sizes.forEach((size) => from.arrive(size)), reading.readable()),
    room: (size) => (to.room += size, writing.writable()),
    end: () => (from.finish(null), reading.readable()),
    "source fails": () => (from.finish(sourceFailure), reading.readable()),
    "sink fails": () => (to.failure = sinkFailure, writing.writable()),
    cancel: (_, sw) => sw.fail(cancellation),
    "close source": () => reading.close(),
    "drop source": () => void reading.shutdown("receive"),
    "close sink": () => writing.close(),
    "end sink": () => void writing.shutdown("send"),
    "other read": () => other(reading.read(new Uint8Array(1))),
    "other write": () => other(writing.write(Uint8Array.of(marker))),
  };

  let outcome = "";
  await Switch.run(async (sw) => {
    const copying = copy(source, makeSink(writing)).then(
      (count) => outcome = `copied ${count}`,
      (error) => outcome = `${error instanceof Cancelled ? error.cause : error}, copied ${error.copied}`,
    );
    await settled();
    for (const [kind, detail] of [...script, ["cancel"] as Op]) {
      // Outside the switch, whose cancellation would refuse it.
      await runIn(undefined, async () => {
        acts[kind](detail as number & readonly number[], sw);
        await settled();
      });
    }
    await copying;
  }).catch((error) => {
    if (error !== cancellation) throw error;
  });
  const left = from.left() + held();
  reading.close();
  writing.close();
  await settled();
  return { outcome, sent: to.digest, others, left };
}

/** Waits until nothing changes any more. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await yieldNow();
}

/** Runs scripts on each pair, and compares with the plainest lender and sink. */
async function compare(
  script: fc.Arbitrary<Op[]>,
  paths: readonly string[],
  check: (seen: Seen, expected: Seen) => void,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(script, async (script) => {
      const expected = await play(script, sources.lend, sinks.write);
      for (const path of paths) {
        for (const makeSink of Object.values(sinks)) check(await play(script, sources[path], makeSink), expected);
      }
    }),
    { numRuns: 100 },
  );
}

test("copy() from a source that lends shows the same on every path, whatever happens on either side", async () => {
  const paths = ["joined", "lend", "lend, not to be kept"];
  await compare(scripts(endOp, ownOp), paths, (seen, expected) => assertEquals(seen, expected));
});

test("copy() from a BufReader shows the same as from what it reads", async () => {
  await compare(scripts(endOp), ["BufReader"], (seen, expected) => assertEquals(seen, expected));
});

test("copy() from a source that does not lend shows the same, but for at most 64 KiB that are lost", async () => {
  await compare(scripts(endOp), ["read"], ({ left, ...seen }, { left: most, ...expected }) => {
    assertEquals(seen, expected);
    assert(left <= most && most - left <= 65_536, `${left} of ${most} bytes are left`);
  });
});
