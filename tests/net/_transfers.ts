// Copyright 2026 the Sluice authors. MIT license.

/** Every way to send bytes through a connection, and every way to receive them. */
import { give, type GivingSink, lend, type LendingSource } from "../../flow/provider.ts";
import {
  both,
  bufferSink,
  BufReader,
  bytesSource,
  chunks,
  copy,
  pipe,
  proxy,
  readAll,
  type Source,
  type StreamSocket,
  toReadableStream,
  withBufWriter,
  writeAll,
} from "../../mod.ts";

/** The number of bytes sent, and the bytes. */
export const size: number = 300_000;
export const data: Uint8Array<ArrayBuffer> = new Uint8Array(size).map((_, i) => i * 31 >> 3);

/** Every way to send all of `data`. */
export const senders: Record<string, (to: StreamSocket) => Promise<unknown>> = {
  "write()": async (to) => {
    for (let done = 0; done < size;) done += await to.write(data.subarray(done));
  },
  "writeAll()": (to) => writeAll(to, data.subarray(0, 10), data.subarray(10)),
  "[give]()": async (to) => {
    const copy = data.slice();
    for (let done = 0; done < size;) {
      const middle = Math.min(done + 1000, size);
      done += await (to as StreamSocket & GivingSink)[give]([copy.subarray(done, middle), copy.subarray(middle)]);
    }
  },
  "copy() from memory": (to) => copy(bytesSource(data.slice(0, 70_000), data.slice(70_000)), to),
  "copy() from a source that only reads": (to) => copy(readerOf(data), to),
  "proxy()": async (to) => {
    const [near, far] = pipe();
    await both(() => proxy(near, to), async () => {
      await writeAll(far, data);
      await far.shutdown("send");
      await readAll(far);
    });
  },
  "withBufWriter()": (to) =>
    withBufWriter(to, async (writer) => {
      for (let i = 0; i < 100; i++) writer.byte(data[i]);
      writer.bytes(data.subarray(100, 5000));
      await writer.flush();
      writer.schedule(data.slice(5000));
    }),
};

/** Every way to receive up to the end. */
export const receivers: Record<string, (from: StreamSocket) => Promise<Uint8Array>> = {
  "read()": async (from) => {
    const all = new Uint8Array(size + 1);
    let done = 0;
    for (let count; (count = await from.read(all.subarray(done, done + 777))) !== null;) done += count;
    return all.subarray(0, done);
  },
  "readAll()": readAll,
  "[lend]() of a part at a time": async (from) => {
    const sink = bufferSink();
    const take = (bytes: Uint8Array) => {
      const part = bytes.slice(0, Math.ceil(bytes.length / 2));
      return sink.write(part);
    };
    while (await (from as StreamSocket & LendingSource)[lend](take) !== null);
    return sink.bytes();
  },
  "[lend]() of all at once": async (from) => {
    const pieces: Uint8Array[] = [];
    const take = (bytes: Uint8Array) => pieces.push(bytes.slice()) && bytes.length;
    while (await (from as StreamSocket & LendingSource)[lend](take) !== null);
    return await readAll(bytesSource(...pieces));
  },
  "copy()": async (from) => {
    const sink = bufferSink();
    await copy(from, sink);
    return sink.bytes();
  },
  "proxy()": async (from) => {
    const [near, far] = pipe();
    const [, all] = await both(() => proxy(from, near), async () => {
      await far.shutdown("send");
      return await readAll(far);
    });
    return all;
  },
  "BufReader": async (from) => {
    const reader = new BufReader(from, { maxSize: 2 * size });
    const head = await reader.take(1234);
    return await readAll(bytesSource(head, await reader.takeAll()));
  },
  "BufReader.unread()": async (from) => {
    const reader = new BufReader(from, { maxSize: size });
    const head = await reader.take(10);
    return await readAll(bytesSource(head, await readAll(reader.unread(from))));
  },
  "chunks()": async (from) => {
    const pieces: Uint8Array[] = [];
    for await (const piece of chunks(from)) pieces.push(piece.slice());
    return await readAll(bytesSource(...pieces));
  },
  "toReadableStream()": async (from) => new Uint8Array(await new Response(toReadableStream(from)).arrayBuffer()),
};

function readerOf(data: Uint8Array): Source {
  let done = 0;
  return {
    read(buffer) {
      const part = data.subarray(done, done + buffer.length);
      buffer.set(part);
      done += part.length;
      return Promise.resolve(part.length || null);
    },
  };
}
