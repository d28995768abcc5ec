// Copyright 2026 the Sluice authors. MIT license.

/** What holds for copies, whatever the network and the hosts do. */
import { assert, assertEquals } from "@std/assert";
import { both, bytesSource, copy, type CopyFailure, readAll, type Sink, type Source } from "../../mod.ts";
import type { Sim, SimHost } from "../../net/testing/mod.ts";
import {
  below,
  Delivery,
  exchangeUntilCalm,
  isDisturbance,
  orReset,
  type Outcomes,
  partialSink,
  server,
  testFault,
  testSeeds,
  Violation,
  withConnection,
} from "./_flow_helpers.ts";

/** A copy, as the scenario uses it. */
type Copy = typeof copy;

/** Copies, and checks the count: of the result, or of the error. */
async function countedCopy(copyWith: Copy, ...[source, sink]: Parameters<Copy>): Promise<number> {
  let taken = 0;
  const counting: Sink = {
    async write(bytes) {
      const size = await sink.write(bytes);
      taken += size;
      return size;
    },
  };
  try {
    const copied = await copyWith(source, counting);
    if (copied !== taken) throw new Violation(`copy() returned ${copied} after ${taken} bytes`);
    return copied;
  } catch (error) {
    if (!isDisturbance(error)) throw error;
    const { copied } = error as CopyFailure;
    if (copied !== taken) throw new Violation(`an error of copy() says ${copied} after ${taken} bytes`);
    throw error;
  }
}

/** A client whose server copies everything back, in one of several ways. */
function echo(copyWith: Copy) {
  return async (sim: Sim, outcomes: Outcomes): Promise<void> => {
    let key = 0;
    const echoServer = server((flow, { random }) =>
      orReset(flow, async () => {
        const source: Source = random() < 0.7 ? flow : { read: (buffer) => flow.read(buffer) }; // which does not lend
        const way = below(random, 3);
        if (way === 0) await copyWith(source, flow);
        else await countedCopy(copyWith, source, way === 1 ? flow : partialSink(flow, random));
        await flow.shutdown("send");
      })
    );
    const host = sim.host("server", { main: echoServer });

    const exchange = (client: SimHost) =>
      withConnection(client, host, async (flow) => {
        const { random } = client;
        const delivery = new Delivery(key++);
        const pieces = Array.from({ length: below(random, 4) }, () => delivery.next(1 + below(random, 4000)));
        delivery.complete = true;
        const source = bytesSource(...pieces);
        const sent = async () => {
          let copied = 0;
          try {
            copied = await copyWith(source, flow);
            await flow.shutdown("send");
          } catch (error) {
            ({ copied } = error as CopyFailure);
            throw error;
          } finally {
            // What the sink has not taken is still in the source.
            if (copied !== undefined) assertEquals(copied + (await readAll(source)).length, delivery.sent);
          }
        };
        const taking: Sink = {
          async write(bytes) {
            const size = 1 + below(random, bytes.length);
            delivery.take(bytes.subarray(0, size));
            if (random() < 0.05) await client.clock.sleep(random() * 100);
            return size;
          },
        };
        await both(sent, async () => {
          await countedCopy(copyWith, flow, taking);
          delivery.end();
        });
        assert(delivery.ended);
      });
    await exchangeUntilCalm(sim, outcomes, { client: "client", hosts: [host] }, exchange);
  };
}

testSeeds("copy() between sockets loses, repeats and adds nothing, and counts what was taken", echo(copy));

testFault("a copy that loses a byte when a write takes a part is found", echo(forgetful), "is wrong");

/** A copy that takes the end of the sink's room for a byte that it has taken. */
async function forgetful(source: Source, sink: Sink): Promise<number> {
  let copied = 0;
  const buffer = new Uint8Array(4096);
  for (let size; (size = await source.read(buffer)) !== null;) {
    for (let done = 0; done < size; done++) {
      const taken = await sink.write(buffer.subarray(done, size));
      copied += taken;
      done += taken < size - done ? taken : taken - 1;
    }
  }
  return copied;
}
