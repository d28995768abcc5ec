// Copyright 2026 the Sluice authors. MIT license.

/** Nothing is left open by failed connects, at whatever layer they fail. */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import process from "node:process";
import {
  type Connection,
  forEachFiber,
  hostAddress,
  type Net,
  type NetError,
  type StreamAddress,
  Switch,
} from "../../../mod.ts";
import { tcp, unix } from "../../../mod.ts";
import { createConnector, custom, type Endpoint, tls } from "../../../net/endpoint/mod.ts";
import { memoryNet, openCounts } from "../../../net/testing/mod.ts";
import { outcomeOf, until, withFolder } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { descriptors, descriptorsBack } from "../../runtime/_helpers.ts";
import { anyPort, ownHost, ownPort, withNet } from "../_helpers.ts";
import { authority, serverOptions } from "../tls/_helpers.ts";
import { echoing, pipeConnection, startServer } from "./_helpers.ts";

/** What the cases use. */
interface World {
  readonly net: Net;
  readonly folder: string;
  /** A server that closes each connection at once, one with TLS, and one with TLS in TLS. */
  readonly rude: StreamAddress;
  readonly secure: StreamAddress;
  readonly nested: StreamAddress;
}

interface Case {
  readonly count: number;
  readonly endpoint: (world: World) => Endpoint;
  /** The code or the message of the error. */
  readonly outcome: string;
  readonly net?: Net;
  readonly timeout?: number;
  readonly open?: (own: Switch, world: World) => Promise<Connection>;
}

/** A busy machine may take long for a handshake. */
const settings = { authorities: authority, handshakeTimeout: Infinity };
const server = { tls: { ...serverOptions, handshakeTimeout: Infinity } };

/** How often each case is tried. A handshake takes as long as many refusals. */
const often = 1000;
const seldom = process.env.SLUICE_SOAK === undefined ? 10 : often;

const cases: Readonly<Record<string, Case>> = {
  "a lookup": {
    count: often,
    endpoint: () => hostAddress("absent.test", 80),
    outcome: "address_lookup_failed",
    net: memoryNet(),
  },
  TCP: { count: often, endpoint: () => tcp(ownHost, ownPort()), outcome: "connection_refused" },
  "a Unix socket": { count: often, endpoint: ({ folder }) => unix(join(folder, "absent")), outcome: "not_found" },
  "a connector": {
    count: seldom,
    endpoint: () => custom("x", null),
    outcome: "Cannot open it",
    async open(own, { net, rude }) {
      await net.connect(own, rude);
      throw new Error("Cannot open it");
    },
  },
  "a connector that never answers": {
    count: seldom,
    endpoint: () => custom("x", null),
    outcome: "connection_timeout",
    timeout: 1,
    async open(own, { net, rude }) {
      await net.connect(own, rude);
      return await new Promise(() => {});
    },
  },
  "TLS over a connector": {
    count: seldom,
    endpoint: () => tls("localhost", custom("x", null)),
    outcome: "truncated",
    async open() {
      const [near, far] = pipeConnection();
      await far.shutdown("send");
      return near;
    },
  },
  "TLS that the peer cuts": { count: seldom, endpoint: ({ rude }) => tls("localhost", rude), outcome: "truncated" },
  "TLS with a wrong name": { count: seldom, endpoint: ({ secure }) => tls("a.test", secure), outcome: "name_mismatch" },
  "TLS in TLS": {
    count: seldom,
    endpoint: ({ nested }) => tls("a.test", tls("localhost", nested)),
    outcome: "name_mismatch",
  },
};

for (const [layer, { count, endpoint, outcome, net: other, timeout, open }] of Object.entries(cases)) {
  test(`failures of ${layer} leave nothing open`, () =>
    withFolder((folder) =>
      withNet(async (sw, net) => {
        const world: World = {
          net,
          folder,
          rude: await startServer(sw, net, anyPort, () => {}),
          secure: await startServer(sw, net, tls("x", anyPort), echoing, server),
          nested: await startServer(sw, net, tls("x", tls("y", anyPort)), echoing, server),
        };
        const connectors = open && { x: (own: Switch) => open(own, world) };
        const connector = createConnector({ net: other ?? net, timeout, tls: settings, connectors });
        const target = endpoint(world);
        await Switch.run(async (sw) => {
          const fail = async () => {
            const { code, message } = await outcomeOf(() => connector.connect(sw, target)) as NetError;
            assertEquals(code ?? message, outcome, message);
          };
          await fail(); // opens what a runtime opens late
          await until(() => openCounts().sockets === 0);
          const before = descriptors();
          await forEachFiber(Array(count).fill(fail), (fail) => fail(), { maxFibers: 20 });
          await until(() => openCounts().sockets === 0); // those of the server too
          await descriptorsBack(before);
          assertEquals(sw.dump(), "switch");
        });
      })
    ));
}
