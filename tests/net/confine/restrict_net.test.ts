// Copyright 2026 the Sluice authors. MIT license.

/** A confined network whose policy grants everything is a complete network. */
import type { NetPolicy } from "../../../net/confine/mod.ts";
import { restrict } from "../../../net/confine/mod.ts";
import { checkWrapper } from "../wrap/_checked.ts";

const everything: NetPolicy = {
  connect: ["*:*", "unix:*"],
  listen: ["*:*", "unix:*"],
  bind: ["*:*", "unix:*"],
  send: ["*:*", "unix:*"],
};

checkWrapper("restrict()", (net) => restrict(net, everything));
checkWrapper("restrict() twice", (net) => restrict(restrict(net, everything), everything));
