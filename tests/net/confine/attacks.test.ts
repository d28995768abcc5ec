// Copyright 2026 the Sluice authors. MIT license.

/** The attack list of the confined networks, on each network with loopback. */
import type { Net } from "../../../mod.ts";
import { simulate } from "../../../net/testing/mod.ts";
import { test } from "../../_test.ts";
import { attacks } from "./_attacks.ts";
import { inWorld, networks } from "./_world.ts";

/** Registers a test for each attack, over the network that `within` passes to it. */
function attackAll(name: string, within: (run: (net: Net) => Promise<unknown>) => Promise<unknown>): void {
  for (const [id, attack, run] of attacks) {
    test(`${id} over ${name}: ${attack}`, () => within((net) => inWorld(net, run)));
  }
}

for (const [name, make] of Object.entries(networks)) attackAll(name, (run) => run(make()));
attackAll("a simulated host", (run) => simulate({}, (sim) => run(sim.host("owner").net)));
