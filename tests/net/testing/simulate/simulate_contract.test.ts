// Copyright 2026 the Sluice authors. MIT license.

/** The network contract on a simulated host, over several kinds of links to itself. */
import { IpAddress, type Net, unix } from "../../../../mod.ts";
import { checkNet, type CheckNetOptions, type LinkOptions, simulate } from "../../../../net/testing/mod.ts";
import { test } from "../../../_test.ts";

const ip = IpAddress.parse("10.0.0.5");
const bad = { latency: 1, jitter: 3, loss: 0.1, duplicate: 0.1, reorder: 0.1 };

const subjects: { title: string; options: CheckNetOptions; link: LinkOptions; only?: string }[] = [
  { title: "127.0.0.1", options: { name: "localhost", unixPath: () => unix("/run/checked") }, link: {} },
  { title: "::1, slow", options: { ip: IpAddress.loopback6, name: "localhost" }, link: { latency: 1, jitter: 5 } },
  { title: "10.0.0.5, thin", options: { ip, name: "db.example" }, link: { bandwidth: 100_000, mtu: 300 } },
  // Datagrams are lost there.
  { title: "10.0.0.5, bad", options: { ip, name: "db.example" }, link: bad, only: "a connection: " },
];

let net: Net | undefined;

for (const { title, options, link, only = "" } of subjects) {
  for (const { name, run } of checkNet(() => Promise.resolve(net as Net), options)) {
    if (!name.startsWith(only)) continue;
    test(`simulate() at ${title}: ${name}`, async () => {
      await simulate({ seed: 7 }, async (sim) => {
        const host = sim.host("db.example", { ip, ip6: "2001:db8::5" });
        sim.link(host, host, link);
        net = host.net;
        await run();
      });
    });
  }
}
