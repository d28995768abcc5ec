// Copyright 2026 the Sluice authors. MIT license.

/**
 * Hostile arguments are refused with the library's own messages, and nothing hangs. (Hostile bytes
 * have their own test.)
 */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { Duplex, PassThrough } from "node:stream";
import * as flow from "../../flow/mod.ts";
import * as flowProvider from "../../flow/provider.ts";
import * as node from "../../flow/node/mod.ts";
import { bufferSink, BufReader, BufWriter, copy, pipe, readAll, type Sink, type Source } from "../../flow/mod.ts";
import { openCounts } from "../../net/testing/mod.ts";
import {
  assertOurs,
  Lie,
  noOptions,
  noText,
  noWhole,
  one,
  refusalOf,
  refusing,
  revoked,
  strangers,
  strangersBut,
  thrownBy,
} from "../_lies.ts";
import { readOnce, throwingAt } from "../_lies.ts";
import { test } from "../_test.ts";

type Loose = (...args: unknown[]) => unknown;
type Row = readonly [name: string, strangers: typeof strangers, call: (value: unknown) => unknown];

/** The room, without types. */
const js = { ...flow, ...node } as unknown as Record<string, Loose>;
const noSize = strangersBut("a number", "2 ** 53");

const source = (): Source => flow.stringSource("hello");
const reader = () => new BufReader(source()) as unknown as Record<string, Loose>;
const writer = () => new BufWriter() as unknown as Record<string, Loose>;

/** Calls of every asynchronous function with one hostile argument. */
const refused: readonly Row[] = [
  ["readExact(?, buffer)", strangers, (value) => js.readExact(value, new Uint8Array(1))],
  ["readExact(source, ?)", strangers, (value) => js.readExact(source(), value)],
  ["readAll(?)", strangers, (value) => js.readAll(value)],
  ["readAll(source, ?)", noOptions, (value) => js.readAll(source(), value)],
  ["readAll(source, { maxSize: ? })", noSize, (maxSize) => js.readAll(source(), { maxSize })],
  ["readable(?)", strangers, (value) => js.readable(value)],
  ["writeAll(?, bytes)", strangers, (value) => js.writeAll(value, new Uint8Array(1))],
  ["writeAll(sink, ?)", strangers, (value) => js.writeAll(bufferSink(), value)],
  ["copy(?, sink)", strangers, (value) => js.copy(value, bufferSink())],
  ["copy(source, ?)", strangers, (value) => js.copy(source(), value)],
  ["copyString(?, sink)", noText, (value) => js.copyString(value, bufferSink())],
  ["copyString(text, ?)", strangers, (value) => js.copyString("x", value)],
  ["proxy(?, b)", strangers, (value) => js.proxy(value, pipe()[0])],
  ["proxy(a, ?)", strangers, (value) => js.proxy(pipe()[0], value)],
  ["parse(?, parser)", strangersBut("a text", "a huge text"), (value) => js.parse(value, one)],
  ["parse(source, ?)", strangers, (value) => js.parse(source(), value)],
  ["parse(source, parser, ?)", noOptions, (value) => js.parse("", one, value)],
  ["parse(source, parser, { maxSize: ? })", noWhole, (maxSize) => js.parse(source(), one, { maxSize })],
  ["withBufWriter(?, fn)", strangers, (value) => js.withBufWriter(value, one)],
  ["withBufWriter(sink, ?)", strangers, (value) => js.withBufWriter(bufferSink(), value)],
  ["withBufWriter(sink, fn, ?)", noOptions, (value) => js.withBufWriter(bufferSink(), one, value)],
  [
    "withBufWriter(sink, fn, { initialSize: ? })",
    noWhole,
    (initialSize) => js.withBufWriter(bufferSink(), one, { initialSize }),
  ],
  ["read(?) of a pipe", strangers, (value) => pipe()[0].read(value as Uint8Array)],
  ["write(?) of a pipe", strangers, (value) => pipe()[0].write(value as Uint8Array)],
  ["shutdown(?) of a pipe", strangers, (value) => pipe()[0].shutdown(value as "send")],
  ["read(?) of a source", strangers, (value) => source().read(value as Uint8Array)],
  ["write(?) of a sink", strangers, (value) => bufferSink().write(value as Uint8Array)],
  ["BufReader.take(?)", noWhole, (value) => reader().take(value)],
  ["BufReader.skip(?)", noWhole, (value) => reader().skip(value)],
  ["BufReader.ensure(?)", noWhole, (value) => reader().ensure(value)],
  ["BufReader.byte(?)", noWhole, (value) => reader().byte(value)],
  ["BufReader.string(?)", noText, (value) => reader().string(value)],
  ...["takeWhile", "takeWhile1", "skipWhile", "skipWhile1"].map((method): Row => [
    `BufReader.${method}(?)`,
    strangers,
    (value) => reader()[method](value),
  ]),
];
for (const [name, values, call] of refused) {
  test(`${name} is refused by a rejection in our own words, whatever the stranger is`, async () => {
    const before = openCounts();
    for (const [stranger, value] of values) {
      check(stranger, await refusalOf(() => call(value)));
      assertEquals(openCounts(), before);
    }
  });
}

/** Calls that throw synchronously. */
const thrown: readonly Row[] = [
  ["stringSource(?)", noText, (value) => js.stringSource(value)],
  ["bytesSource(?)", strangers, (value) => js.bytesSource(value)],
  [
    "fromIterable(?)",
    strangersBut("a text", "a huge text", "an array", "a list with holes"),
    (value) => js.fromIterable(value),
  ],
  ["cancellableSource(?)", strangers, (value) => js.cancellableSource(value)],
  ["pipe(?)", noOptions, (value) => js.pipe(value)],
  ["pipe({ capacity: ? })", noSize, (capacity) => js.pipe({ capacity })],
  ["new BufReader(?)", strangers, (value) => new BufReader(value as Source)],
  ["new BufReader(source, ?)", noOptions, (value) => new BufReader(source(), value as { maxSize: number })],
  ["new BufReader(source, { maxSize: ? })", noWhole, (value) => new BufReader(source(), { maxSize: value as number })],
  [
    "new BufReader(source, { initialSize: ? })",
    noWhole,
    (value) => new BufReader(source(), { maxSize: 10, initialSize: value as number }),
  ],
  ["BufReader.of(?)", noText, (value) => BufReader.of(value as string)],
  ["BufReader.consume(?)", noWhole, (value) => reader().consume(value)],
  ["BufReader.unread(?)", strangers, (value) => reader().unread(value)],
  ["new BufWriter(?)", noOptions, (value) => new BufWriter(value as { initialSize: number })],
  ["new BufWriter({ initialSize: ? })", noWhole, (value) => new BufWriter({ initialSize: value as number })],
  ["new BufWriter({ sw: ? })", strangers, (value) => new BufWriter({ sw: value as never })],
  ["BufWriter.string(?)", noText, (value) => writer().string(value)],
  ["BufWriter.bytes(?)", strangers, (value) => writer().bytes(value)],
  ["BufWriter.schedule(?)", strangers, (value) => writer().schedule(value)],
  ["BufWriter.shift(?)", strangers, (value) => writer().shift(value)],
  ...["byte", "uint8", "uint16be", "uint32le", "uint48be"].map((method): Row => [
    `BufWriter.${method}(?)`,
    strangersBut("a number"),
    (value) => writer()[method](value),
  ]),
  ["BufWriter.uint64be(?)", strangersBut("a bigint"), (value) => writer().uint64be(value)],
  [
    "BufWriter.float64be(?)",
    strangersBut("a number", "NaN", "-1", "1.5", "2 ** 53"),
    (value) => writer().float64be(value),
  ],
  ["sequence(?, parser)", strangers, (value) => js.sequence(value, one)],
  ["sequence(reader, ?)", strangers, (value) => js.sequence(reader(), value)],
  ["sequence(reader, parser, ?)", noOptions, (value) => js.sequence(reader(), one, value)],
  ["sequence(reader, parser, { stop: ? })", strangers, (stop) => js.sequence(reader(), one, { stop })],
  ["toReadableStream(?)", strangers, (value) => js.toReadableStream(value)],
  ["toWritableStream(?)", strangers, (value) => js.toWritableStream(value)],
  ["fromReadableStream(?)", strangers, (value) => js.fromReadableStream(value)],
  ["fromWritableStream(?)", strangers, (value) => js.fromWritableStream(value)],
  ["fromReadable(?)", strangers, (value) => js.fromReadable(value)],
  ["fromWritable(?)", strangers, (value) => js.fromWritable(value)],
  ["fromDuplex(?)", strangers, (value) => js.fromDuplex(value)],
  ["fromDuplex(duplex, ?)", noOptions, (value) => js.fromDuplex(new PassThrough(), value)],
  [
    "fromDuplex(duplex, { linger: ? })",
    strangersBut("a number", "1.5", "2 ** 53"),
    (linger) => js.fromDuplex(new PassThrough(), { linger }),
  ],
  ["httpHandler(?)", strangers, (value) => js.httpHandler(value)],
];
for (const [name, values, call] of thrown) {
  test(`${name} is refused at once in our own words, whatever the stranger is`, () => {
    for (const [stranger, value] of values) check(stranger, thrownBy(() => call(value)));
  });
}

/** Functions with options, all of which are set. */
const withOptions: Record<string, { options: object; call: (options: unknown) => unknown }> = {
  readAll: { options: { maxSize: 10 }, call: (options) => js.readAll(source(), options) },
  pipe: { options: { capacity: 10 }, call: (options) => js.pipe(options) },
  BufReader: {
    options: { maxSize: 10, initialSize: 5 },
    call: (options) => new BufReader(source(), options as { maxSize: number }),
  },
  BufWriter: { options: { initialSize: 5, sw: undefined }, call: (options) => new BufWriter(options as object) },
  parse: { options: { maxSize: 10 }, call: (options) => js.parse("", one, options) },
  withBufWriter: { options: { initialSize: 10 }, call: (options) => js.withBufWriter(bufferSink(), one, options) },
  sequence: { options: { stop: one }, call: (options) => js.sequence(reader(), one, options) },
};
for (const [name, { options, call }] of Object.entries(withOptions)) {
  test(`${name}() reads each option once, and throws what a getter throws`, async () => {
    const lying = readOnce(options);
    await call(lying.options);
    for (const [key, reads] of Object.entries(lying.reads())) assertEquals(reads, 1, key);
    for (const key of Object.keys(options)) {
      assertInstanceOf(await Promise.resolve().then(() => call(throwingAt(options, key))).catch((e) => e), Lie);
    }
  });
}

/** Results of a source or sink that are not a count. */
const noCount = strangersBut(
  "null",
  "a number",
  "a thenable",
  "a thenable that throws",
  "a refusing proxy",
  "a revoked proxy",
);

for (const [stranger, value] of noCount) {
  test(`a source or sink that counts ${stranger} fails its caller with an error of the library, and nothing waits forever`, async () => {
    const lying = { read: () => value, write: () => value, shutdown: () => Promise.resolve() } as unknown as
      & Source
      & Sink;
    const uses = [
      () => flow.readExact(lying, new Uint8Array(2)),
      () => readAll(lying),
      () => copy(lying, bufferSink()),
      () => copy(source(), lying),
      () => flow.writeAll(lying, new Uint8Array(2)),
      () => flow.copyString("hello", lying),
      () => new BufReader(lying).line(),
      () => flow.withBufWriter(lying, (w) => w.string("hello")),
      () => flow.cancellableSource(lying).read(new Uint8Array(2)),
      () => flow.toReadableStream(lying).getReader().read(),
      () => flow.toWritableStream(lying).getWriter().write(new Uint8Array(1)),
    ];
    for (const use of uses) check(stranger, await refusalOf(use));
  });
}

test("a source that lends anything but bytes, or more than was taken, fails its reader with an error of the library", async () => {
  for (const [stranger, value] of strangersBut("a thenable")) {
    const lending = {
      read: () => Promise.resolve(null),
      [flowProvider.lend]: async (use: (bytes: unknown, keep: boolean) => unknown) => await use(value, true),
    } as unknown as Source;
    check(stranger, await refusalOf(() => copy(lending, bufferSink())));
    const counting = {
      read: () => Promise.resolve(null),
      [flowProvider.lend]: async (use: (bytes: Uint8Array, keep: boolean) => Promise<number>) => {
        await use(new Uint8Array(3), true);
        return value;
      },
    } as unknown as Source;
    if (value !== null) check(stranger, await refusalOf(() => copy(counting, bufferSink())));
  }
});

test("a source that answers undefined without lending anything fails its reader", async () => {
  const lending = {
    read: () => Promise.resolve(null),
    [flowProvider.lend]: () => Promise.resolve(undefined),
  } as unknown as Source;
  const error = await refusalOf(() => copy(lending, bufferSink()));
  assert(error instanceof TypeError, String(error));
});

test("a borrower that returns anything but a count fails the loan, and the bytes stay", async () => {
  for (const [stranger, value] of strangersBut("null", "a thenable", "a thenable that throws", "a refusing proxy")) {
    const [a, b] = pipe();
    await flow.copyString("hello", a);
    const lending = b as unknown as flowProvider.LendingSource;
    if (value !== 5) check(stranger, await refusalOf(() => lending[flowProvider.lend](() => value as number)));
    const buffer = new Uint8Array(9);
    assertEquals(await b.read(buffer), 5);
  }
});

test("a source takes the first word of a thenable, and no other", async () => {
  const words: ((resolve: Loose, reject: Loose) => unknown)[] = [
    (resolve) => resolve(2),
    (resolve) => (resolve(2), resolve(9)),
    (resolve, reject) => (resolve(2), reject(new Lie())),
    (resolve) => {
      resolve(2);
      throw new Lie();
    },
  ];
  for (const then of words) {
    const lying = { read: () => ({ then }), write: () => ({ then }) } as unknown as Source & Sink;
    await flow.readExact(lying, new Uint8Array(4));
    await flow.writeAll(lying, new Uint8Array(4));
    assertEquals(await new BufReader(lying).take(1), new Uint8Array(1));
  }
});

test("methods of a source and a sink are called on them, and callbacks without a this", async () => {
  const seen: unknown[] = [];
  const both = {
    read(this: unknown): Promise<null> {
      seen.push(this === both);
      return Promise.resolve(null);
    },
    write(this: unknown, bytes: Uint8Array): Promise<number> {
      seen.push(this === both);
      return Promise.resolve(bytes.length);
    },
  };
  await copy(both, bufferSink());
  await copy(source(), both);
  await new BufReader(both).atEnd();
  const callback = function (this: unknown): boolean {
    seen.push(this === undefined || this === null);
    return false;
  };
  await new BufReader(source()).takeWhile(callback);
  await flow.parse("", callback as unknown as () => Promise<boolean>);
  await flow.withBufWriter(bufferSink(), callback);
  const items = flow.sequence(new BufReader(flow.stringSource("")), callback as never, { stop: callback as never });
  await assertRejects(async () => {
    for await (const _ of items);
  });
  assert(seen.length >= 8 && seen.every((each) => each === true), JSON.stringify(seen));
});

test("an iterator that lies fails its source in our own words, and is ended", async () => {
  for (const [stranger, value] of strangersBut("a thenable")) {
    let ended = 0;
    const iterable = {
      [Symbol.iterator]: () => ({ next: () => ({ done: false, value }), return: () => (ended++, { done: true }) }),
    } as unknown as Iterable<Uint8Array>;
    check(stranger, await refusalOf(() => readAll(flow.fromIterable(iterable))));
    const nexts = { [Symbol.iterator]: () => ({ next: () => value }) } as unknown as Iterable<Uint8Array>;
    const endless = typeof value === "object" || typeof value === "function"; // an object is a result
    if (!endless) check(stranger, await refusalOf(() => readAll(flow.fromIterable(nexts))));
  }
});

test("what a source, a sink or a parser throws is thrown as it is, even if it refuses to be touched", async () => {
  for (
    const error of [refusing({}), refusing(new Error()), revoked({}), null, undefined, Object.freeze(new Error("x"))]
  ) {
    const fail = () => {
      throw error;
    };
    const failing = { read: fail, write: fail } as unknown as Source & Sink;
    const uses = [
      () => flow.readExact(failing, new Uint8Array(2)),
      () => readAll(failing),
      () => copy(failing, bufferSink()),
      () => copy(source(), failing),
      () => flow.writeAll(failing, new Uint8Array(2)),
      () => new BufReader(failing).line(),
      () => flow.withBufWriter(failing, (w) => w.string("hello")),
      () => flow.parse("", fail),
      () => flow.withBufWriter(bufferSink(), fail),
      () => new BufReader(source()).takeWhile(fail),
      () => flow.cancellableSource(failing).read(new Uint8Array(2)),
    ];
    for (const [i, use] of uses.entries()) {
      // in an array, because it may be a thenable
      const [thrown] = await use().then(() => ["nothing"], (given) => [given]);
      assert(Object.is(thrown, error), `${i}`);
    }
  }
});

test("streams of Node that lie fail the flow, and nothing hangs", async () => {
  for (
    const [stranger, value] of strangersBut("null", "a text", "a huge text", "a thenable", "a thenable that throws")
  ) {
    const stream = new Duplex({ objectMode: true, read() {}, write: (_, __, done) => done() });
    stream.on("error", () => {});
    const bridged = node.fromDuplex(stream);
    const reading = refusalOf(() => bridged.read(new Uint8Array(1)));
    stream.push(value);
    const error = await reading;
    if (!(error instanceof Lie) && stranger !== "a revoked proxy") assertInstanceOf(error, Error);
    await bridged.close();
  }
});

/** Checks a refusal, unless the hostile argument has thrown itself. */
function check(stranger: string, error: unknown): void {
  if (error instanceof Lie || (stranger === "a revoked proxy" && error instanceof TypeError)) return;
  try {
    assertOurs(error);
  } catch (problem) {
    throw new Error(`${stranger}: ${(problem as Error).message}`);
  }
}
