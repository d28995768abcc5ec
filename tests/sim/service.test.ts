// Copyright 2026 the Sluice authors. MIT license.

/** What holds for the clients of `examples/service/`, whatever happens to it, its backends and the network. */
import { Backend, BackendCounts, UnavailableError } from "../../examples/service/backend.ts";
import { serviceHandler } from "../../examples/service/handler.ts";
import {
  BufReader,
  copyString,
  formatAddress,
  MultipleErrors,
  type Net,
  runServer,
  Switch,
  tcp,
  withTcpConnect,
} from "../../mod.ts";
import { writeProxyHeader } from "../../net/server/mod.ts";
import type { Sim, SimHost } from "../../net/testing/mod.ts";
import {
  below,
  exchangeUntilCalm,
  isDisturbance,
  type Outcomes,
  server,
  testFault,
  testSeeds,
  Violation,
  withConnection,
} from "./_flow_helpers.ts";
import { choose } from "./_helpers.ts";

const service = "_answers._tcp.test";

/** Who a proxy says that it connects for, and where to. */
const [source, destination] = [tcp("192.0.2.1", 50_000), tcp("192.0.2.9", 443)];

/** Returns what the handler asks its backends by. */
type AskOf = (net: Net) => (question: string) => Promise<string>;

/** How long the header of a proxy may take. */
const headerTimeout = 3000;

/** When the service drains no more and every backend that works answers. The last faults have ended before. */
const calm = 10_000;

/** Clients that ask a service, which drains and starts again, while its backends die in their answers. */
function asking(askOf: AskOf) {
  return async (sim: Sim, outcomes: Outcomes): Promise<void> => {
    const setup = sim.host("setup").random;
    const isProxied = setup() < 0.5;
    const health = choose(setup, [["good", "good"], ["bad", "good"], ["good", "bad"]] as const);
    const isCalm = () => sim.clock.now() > calm;

    const backends = health.map((health, i) =>
      sim.host(`back${i}`, {
        main: server(async (flow, { random, clock }) => {
          const question = await new BufReader(flow).line();
          const answer = `back${i} ${question}\n`;
          const how = health === "bad" ? 0.3 * random() : isCalm() ? 1 : random();
          if (how < 0.1) await clock.sleep(3000); // longer than the service waits
          if (how < 0.2) return;
          await copyString(how < 0.3 ? answer.slice(0, below(random, answer.length)) : answer, flow);
        }),
      })
    );
    sim.dns.set(service, {
      srv: backends.map(({ name }, i) => ({ name, port: 80, priority: i, weight: 0 })),
    });

    const front = sim.host("front", {
      main: async ({ net, clock, random }) => {
        const onError = (error: unknown) => {
          if (!isExpected(error)) throw error;
        };
        const limits = { firstByte: 10_000, idle: 60_000, write: 30_000 };
        const config = { trusted: isProxied ? ["10.0.0.0/8"] : [], maxPerClient: 2, limits };
        const handler = serviceHandler(clock, config, askOf(net), onError);
        for (;;) {
          await Switch.run(async (sw) => {
            const listener = await net.listen(sw, tcp("0.0.0.0", 80));
            const stop = isCalm() ? undefined : clock.sleep(random() * 2000);
            await runServer(listener, handler, { onError, stop });
          });
        }
      },
    });

    const exchange = (client: SimHost) =>
      withConnection(client, front, async (flow) => {
        const startedAt = client.clock.now();
        const isLast = isCalm();
        if (isProxied) await writeProxyHeader(flow, { version: 2, command: "proxy", source, destination, tlvs: [] });
        const peer = formatAddress(isProxied ? source : flow.local);
        const reader = new BufReader(flow);
        let isAnswered = false;
        const count = isLast ? 5 : 1 + below(client.random, 3); // one packet of each may still be lost
        for (let asked = 0; asked < count; asked++) {
          const question = `question ${client.random()}`;
          await copyString(`${question}\n`, flow);
          const answer = await reader.line();
          if (answer === null && !isLast && (asked > 0 || client.clock.now() - startedAt > headerTimeout)) return;
          if (answer === "error: unavailable") continue;
          const expected = backends.map(({ name }) => `${name} ${peer} ${question}`);
          if (!expected.includes(`${answer}`)) throw new Violation(`the answer to ${question} is ${answer}`);
          isAnswered = true;
        }
        if (isLast && !isAnswered) throw new Violation("no backend answers");
      });
    await exchangeUntilCalm(sim, outcomes, { client: "client", hosts: [front, ...backends] }, exchange, isExpected);
  };
}

function isExpected(error: unknown): boolean {
  if (error instanceof MultipleErrors) return error.errors.every(isExpected);
  return isDisturbance(error) || error instanceof UnavailableError;
}

testSeeds(
  "service answers each question by a backend that works, or says that none does",
  asking((net) => {
    const backend = new Backend(net, service, new BackendCounts());
    return (question) => backend.ask(question);
  }),
  100,
);

testFault(
  "a service that asks the first backend only is found",
  asking((net) => (question) =>
    withTcpConnect(net, { host: "back0", service: 80 }, async (connection) => {
      await copyString(`${question}\n`, connection);
      const reader = new BufReader(connection);
      const answer = await reader.takeWhile((byte) => byte !== 10);
      await reader.byte(10);
      return new TextDecoder().decode(answer);
    }).catch((cause) => {
      throw new UnavailableError("back0", { cause });
    })
  ),
  "no backend answers",
);

testFault(
  "a service that takes half an answer for a whole is found",
  asking((net) => (question) =>
    withTcpConnect(net, { host: "back0", service: 80 }, async (connection) => {
      await copyString(`${question}\n`, connection);
      return await new BufReader(connection).line() ?? "";
    })
  ),
  "the answer to",
);
