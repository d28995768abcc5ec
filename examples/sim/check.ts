// Copyright 2026 the Sluice authors. MIT license.

/**
 * Checks `register.ts` in simulations: three replicas and three clients, of which some crash, lose
 * packets or cannot reach each other.
 *
 *     deno task sim --seeds=1000 examples/sim/check.ts
 *     bun tools/sim.ts --seeds=1000 examples/sim/check.ts
 *     node tools/sim.ts --seeds=1000 examples/sim/check.ts
 */
import { Switch, tcp, TimeoutError } from "@sluice/io";
import type { CheckSeedsOptions, Sim, SimHost } from "@sluice/io/net/testing";
import { type Client, type Disk, empty, type Entry, read, serveReplica, write } from "./register.ts";

export const options: CheckSeedsOptions = {
  link: { jitter: 20 },
  faults: { partitions: 2, crashes: 2, drops: 4, within: 1000 },
};

export default scenarioOf(read);

/** Returns the scenario for a way to read. */
export function scenarioOf(read: (client: Client) => Promise<Entry>): (sim: Sim) => Promise<void> {
  return async (sim) => {
    const replicas = ["replica1", "replica2", "replica3"].map((name) => {
      const disk: Disk = { entry: empty };
      const main = ({ net }: SimHost) =>
        Switch.run(async (sw) => serveReplica(await net.listen(sw, tcp("0.0.0.0", 7000)), disk));
      return tcp(sim.host(name, { main }).ip, 7000);
    });
    const history = new History();
    for (const name of ["client1", "client2", "client3"]) {
      let writes = 0;
      const main = async ({ net, clock, random }: SimHost) => {
        const client = { net, replicas, random };
        for (;;) {
          await clock.sleep(200 * random());
          const operate = () => random() < 0.3 ? write(client, `${name}'s write ${++writes}`) : read(client);
          await history.check(name, operate);
        }
      };
      sim.host(name, { main });
    }
    await sim.run(1500);
  };
}

/**
 * Checks that the register behaves like one variable (linearizability): an operation does not return
 * an older entry than any that ended before it began. It sees all clients, which no client can.
 */
export class History {
  #newest: Entry = empty;
  #client = "";

  /** Runs an operation of a client. It may time out; it then counts as one that never ends. */
  async check(client: string, operate: () => Promise<Entry>): Promise<void> {
    const [before, by] = [this.#newest, this.#client];
    try {
      const entry = await operate();
      if (entry.version < before.version) {
        throw new Error(`${client} got "${entry.value}" after ${by} had got "${before.value}"`);
      }
      if (entry.version > this.#newest.version) [this.#newest, this.#client] = [entry, client];
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
    }
  }
}
