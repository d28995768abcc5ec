// Copyright 2026 the Sluice authors. MIT license.

/** The attack list of the confined networks, on each network with loopback. */
import type { Net } from "../../../mod.ts";
import { test } from "../../_test.ts";
import { attacks } from "./_attacks.ts";
import { inWorld, networks } from "./_world.ts";

/** Registers a test for each attack, over the network that `make` makes. */
function attackAll(name: string, make: () => Net): void {
  for (const [id, attack, run] of attacks) test(`${id} over ${name}: ${attack}`, () => inWorld(make(), run));
}

for (const [name, make] of Object.entries(networks)) attackAll(name, make);
