// Copyright 2026 the Sluice authors. MIT license.

/** What holds for buffered writers and readers, whatever the network and the hosts do. */
import { assertEquals } from "@std/assert";
import { BufReader, type BufWriter, mapFibers, withBufWriter } from "../../mod.ts";
import type { Sim, SimHost } from "../../net/testing/mod.ts";
import {
  below,
  exchangeUntilCalm,
  orReset,
  type Outcomes,
  partialSink,
  server,
  testFault,
  testSeeds,
  Violation,
  withConnection,
} from "./_flow_helpers.ts";

/** A record as it was written: its writer, its number among those of its writer, and its size. */
type Written = readonly [writer: number, number: number, size: number];

/** What was written on one connection, in order. */
interface Session {
  readonly written: Written[];
  /** Whether nothing more will be written. */
  complete: boolean;
}

/** The size of a record without its body. */
const headSize = 6;

/** Writes a record by several calls, none of which waits. Returns its bytes, which may change after a flush. */
function writeRecord(w: BufWriter, random: () => number, [writer, number, size]: Written): Uint8Array {
  w.uint8(writer);
  w.uint16be(number);
  w.uint16le(size);
  w.string("\n");
  const body = Uint8Array.from({ length: size }, (_, i) => writer ^ number ^ i);
  const half = below(random, size + 1);
  w.bytes(body.subarray(0, half));
  if (random() < 0.3) w.schedule(body.subarray(half));
  else for (const byte of body.subarray(half)) w.byte(byte);
  return body;
}

/** What runs a function with a writer, as the scenario uses it. */
type WithWriter = (...terms: Parameters<typeof withBufWriter<void>>) => Promise<void>;

/** Several fibers that write records through one writer, and a server that reads them. */
function records(withWriter: WithWriter) {
  return async (sim: Sim, outcomes: Outcomes): Promise<void> => {
    const sessions: Session[] = [];
    const host = sim.host("server", {
      main: server((flow, { random, clock }) =>
        orReset(flow, async () => {
          const reader = new BufReader(flow, { initialSize: 16, maxSize: 65_536 });
          const session = sessions[await reader.uint8()] as Session;
          let count = 0;
          for (; !await reader.atEnd(); count++) {
            if (random() < 0.02) await clock.sleep(random() * 500);
            const got: Written = [await reader.uint8(), await reader.uint16be(), await reader.uint16le()];
            assertEquals(got, session.written[count] as Written, `record ${count}`);
            assertEquals(await reader.line(), "");
            const [writer, number, size] = got;
            const body = await reader.take(size);
            if (body.some((byte, i) => byte !== ((writer ^ number ^ i) & 255))) throw new Violation("wrong bytes");
          }
          if (!session.complete) throw new Violation("the end came before everything was written");
          assertEquals(count, session.written.length);
          await withBufWriter(flow, (w) => w.uint16be(count));
          await flow.shutdown("send");
        })
      ),
    });
    const exchange = (client: SimHost) =>
      withConnection(client, host, async (flow) => {
        const { random, clock } = client;
        const session: Session = { written: [], complete: false };
        const counting = partialSink(flow, random);
        const sink = random() < 0.5 ? flow : counting;
        const most = random() < 0.05 ? 60_000 : 2000; // enough to fill the windows of the connection, or not
        let size = 0;
        await withWriter(sink, async (w) => {
          w.uint8(sessions.push(session) - 1);
          size++;
          const flush = async () => {
            const before = size;
            await w.flush();
            if (sink === counting && counting.taken < before) throw new Violation("a flush ended early");
          };
          await mapFibers([1, 2, 3], async (writer) => {
            const count = below(random, 8);
            for (let number = 0; number < count; number++) {
              if (random() < 0.1) w.pause();
              const record: Written = [writer, number, below(random, random() < 0.2 ? most : 300)];
              session.written.push(record);
              const body = writeRecord(w, random, record);
              size += headSize + record[2];
              const choice = random();
              if (choice < 0.4) {
                await flush();
                body.fill(255);
              } else if (choice < 0.6) {
                await clock.sleep(random() * 50);
              }
              w.unpause();
            }
          });
        }, { initialSize: 1 + below(random, 3000) });
        if (sink === counting) assertEquals(counting.taken, size);
        session.complete = true;
        await flow.shutdown("send");
        const reader = new BufReader(flow);
        assertEquals(await reader.uint16be(), session.written.length);
        await reader.endOfInput();
      });
    await exchangeUntilCalm(sim, outcomes, { client: "client", hosts: [host] }, exchange);
  };
}

testSeeds("BufWriter loses, repeats and mixes nothing, and flush() means what it says", records(withBufWriter));

testFault("a writer that loses what a sink has not taken is found", records(careless), "Cannot pass seed");

/** A writer that believes that a sink takes everything. */
function careless(...[sink, fn, options]: Parameters<WithWriter>): Promise<void> {
  const believing = {
    async write(bytes: Uint8Array): Promise<number> {
      await sink.write(bytes);
      return bytes.length;
    },
  };
  return withBufWriter(believing, fn, options);
}
