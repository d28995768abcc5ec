// Copyright 2026 the Sluice authors. MIT license.

/** `examples/service/`, on a network in memory, and the files with which it is deployed. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runService, type ServiceConfig } from "../../examples/service/service.ts";
import {
  BufReader,
  copyString,
  formatAddress,
  interruptible,
  type Net,
  run,
  runServer,
  type StreamSocket,
  Switch,
  tcp,
  type WorkerManager,
} from "../../mod.ts";
import { type ServerReport, writeProxyHeader } from "../../net/server/mod.ts";
import { memoryNet, type MockClock, mockClock } from "../../net/testing/mod.ts";
import { tlsClient } from "../../net/tls/mod.ts";
import { readText } from "../_helpers.ts";
import { root } from "../_runtimes.ts";
import { test } from "../_test.ts";
import { type Signal, signal } from "../net/_helpers.ts";
import { certificate, clientOptions } from "../net/tls/_helpers.ts";

const config: ServiceConfig = {
  address: tcp("127.0.0.1", 8080),
  admin: tcp("127.0.0.1", 9090),
  backend: "_answers._tcp.test",
  trusted: [],
  workers: 2,
  maxConnections: 100,
  maxPerClient: 10,
  limits: {},
  drainDelay: 0,
  grace: 10_000,
};

/** The backends, of which each has a host and a priority of its own. */
const backends = [1, 2, 3].map((n) => tcp(`10.0.1.${n}`, 7000));

/** A service, and what surrounds it. */
interface Surroundings {
  readonly sw: Switch;
  readonly net: Net;
  readonly clock: MockClock;
  /** What the service has reported. */
  readonly errors: unknown[];
  readonly stop: Signal;
  readonly stopped: Promise<ServerReport | undefined>;
}

/** Runs `fn` with a service in memory, and stops it. */
async function withService(
  changes: Partial<ServiceConfig>,
  fn: (it: Surroundings) => Promise<void>,
  workers?: WorkerManager,
): Promise<void> {
  const clock = mockClock();
  const memory = memoryNet({
    clock,
    hosts: Object.fromEntries(backends.map(({ ip }, i) => [`b${i + 1}.test`, [ip]])),
    services: {
      [config.backend]: backends.map(({ port }, i) => ({ name: `b${i + 1}.test`, port, priority: i, weight: 0 })),
    },
  });
  const net: Net = workers === undefined ? memory : { ...memory, features: new Set() };
  const errors: unknown[] = [];
  const stop = signal();
  const listening = signal();
  await Switch.run(async (sw) => {
    const events = { onListen: () => listening.resolve(), onError: (error: unknown) => errors.push(error) };
    const stopped = sw.forkPromise(() => runService(net, { ...config, ...changes }, stop.promise, events, workers));
    await interruptible(listening.promise);
    await Switch.run((sw) => fn({ sw, net, clock, errors, stop, stopped })); // closes the clients
    stop.resolve();
    await stopped;
  });
}

/** Serves one backend until `sw` ends: by default it repeats each question. */
async function serveBackend(
  { net, sw }: Pick<Surroundings, "net" | "sw">,
  which: number,
  answer: (question: string) => string = (question) => `${which} ${question}\n`,
): Promise<void> {
  const listener = await net.listen(sw, backends[which - 1]);
  sw.forkDaemon(() =>
    runServer(listener, async (connection) => {
      for await (const line of new BufReader(connection).lines()) {
        await copyString(answer(line), connection);
        await connection.shutdown("send");
      }
    }, { onError: () => {} }) // the service resets what it gives up
  );
}

/** A client of the service. */
class Client {
  static async connect({ net, sw }: Surroundings): Promise<Client> {
    return new Client(await net.connect(sw, config.address));
  }

  readonly connection: StreamSocket;
  readonly #reader: BufReader;

  private constructor(connection: StreamSocket) {
    this.connection = connection;
    this.#reader = new BufReader(connection);
  }

  async ask(question: string): Promise<string | null> {
    await copyString(`${question}\n`, this.connection);
    return await this.line();
  }

  line(): Promise<string | null> {
    return this.#reader.line();
  }
}

/** Sends a request to the admin port, and returns the status and the body. */
async function get({ net }: Surroundings, path: string): Promise<[status: number, body: string]> {
  return await Switch.run(async (sw) => {
    const connection = await net.connect(sw, config.admin);
    await copyString(`GET ${path} HTTP/1.0\r\n\r\n`, connection);
    const [head, body] = (await readText(connection)).split("\r\n\r\n");
    return [Number(head.split(" ")[1]), body];
  });
}

test("service answers each question of a connection with what a backend says", () =>
  withService({}, async (it) => {
    await serveBackend(it, 1);
    const client = await Client.connect(it);
    const peer = formatAddress(client.connection.local);
    for (const question of ["one", "two"]) assertEquals(await client.ask(question), `1 ${peer} ${question}`);
    assertEquals(it.errors, []);
  }));

test("service asks the next backend if one does not listen or dies in the middle of its answer", () =>
  withService({}, async (it) => {
    await serveBackend(it, 2, () => "2 half an ans");
    await serveBackend(it, 3);
    const client = await Client.connect(it);
    assertMatch(await client.ask("one") ?? "", /^3 .* one$/);
    assertMatch(await client.ask("two") ?? "", /^3 .* two$/);
    const [, metrics] = await get(it, "/metrics");
    assertMatch(metrics, /^service_backend_failures_total 2$/m); // the second question went to the third at once
    assertMatch(metrics, /^service_questions_answered_total 2$/m);
    assertEquals(it.errors, []);
  }));

test("service says that no backend answers, and continues", () =>
  withService({}, async (it) => {
    const client = await Client.connect(it);
    assertEquals(await client.ask("one"), "error: unavailable");
    await serveBackend(it, 2);
    assertMatch(await client.ask("two") ?? "", /^2 /);
    assertMatch((await get(it, "/metrics"))[1], /^service_questions_unavailable_total 1$/m);
    assertMatch(String(it.errors), /^UnavailableError: Cannot ask _answers\._tcp\.test: .*connection refused/);
  }));

test("service asks the next backend if one is silent for too long", () =>
  withService({}, async (it) => {
    const silent = await it.net.listen(it.sw, backends[0]);
    await serveBackend(it, 2);
    const client = await Client.connect(it);
    const answer = it.sw.forkPromise(() => client.ask("one"));
    await new BufReader(await silent.accept(it.sw)).line();
    it.clock.advance();
    assertMatch(await answer ?? "", /^2 /);
  }));

test("service sees the client of a proxy, under TLS", () =>
  withService({ trusted: ["127.0.0.0/8"], certificate: certificate("localhost") }, async (it) => {
    await serveBackend(it, 1);
    const { net, sw } = it;
    const connection = await net.connect(sw, config.address);
    const [source, destination] = [tcp("192.0.2.1", 50_000), tcp("192.0.2.9", 443)];
    await writeProxyHeader(connection, { version: 2, command: "proxy", source, destination, tlvs: [] });
    const tls = await tlsClient(sw, connection, clientOptions);
    await copyString("hello\n", tls);
    assertEquals(await new BufReader(tls).line(), "1 tcp:192.0.2.1:50000 hello");
    await tls.close();
    assertEquals(it.errors, []);
  }));

test("service does without workers where they cannot share a port", () =>
  run(({ workers }) =>
    withService({}, async (it) => {
      await serveBackend(it, 1);
      assertMatch(await (await Client.connect(it)).ask("one") ?? "", /^1 .* one$/);
    }, workers)
  ));

test("service is not ready while it drains, and accepts until the delay is over", () =>
  withService({ drainDelay: 2000 }, async (it) => {
    await serveBackend(it, 1);
    const idle = await Client.connect(it);
    await idle.ask("one");
    const silent = await Client.connect(it);
    assertEquals(await get(it, "/healthz"), [200, "ready\n"]);
    it.stop.resolve();
    while ((await get(it, "/healthz"))[0] === 200);
    assertEquals(await get(it, "/healthz"), [503, "not ready\n"]);
    assertEquals(await get(it, "/livez"), [200, "ok\n"]);
    const late = await Client.connect(it);
    assertMatch(await idle.ask("two") ?? "", /^1 .* two$/);
    it.clock.setTime(it.clock.now() + 2000);
    assertEquals(await idle.line(), null);
    await idle.connection.close();
    assertMatch(await silent.ask("three") ?? "", /^1 .* three$/);
    await silent.connection.close();
    assertMatch(await late.ask("four") ?? "", /^1 .* four$/);
    await late.connection.close();
    const report = await it.stopped;
    assertEquals([report?.served, report?.drained, report?.forced], [3, 3, 0]);
  }));

test("service has metrics in the text format of Prometheus", () =>
  withService({ maxPerClient: 1 }, async (it) => {
    await serveBackend(it, 1);
    await (await Client.connect(it)).ask("one");
    await (await Client.connect(it)).ask("two").catch(() => {}); // one too many of this client
    const [status, text] = await get(it, "/metrics");
    const lines = text.trimEnd().split("\n");
    const values: Record<string, string> = {};
    for (let i = 0; i < lines.length; i += 3) {
      const [, name] = /^# HELP (\w+) .+\.$/.exec(lines[i]) ?? [];
      assertMatch(lines[i + 1], new RegExp(`^# TYPE ${name} ${name.endsWith("_total") ? "counter" : "gauge"}$`));
      values[name] = lines[i + 2].slice(name.length + 1);
      assertEquals(lines[i + 2], `${name} ${values[name]}`);
    }
    assertEquals([status, values.service_ready, values.service_connections], [200, "1", "1"]);
    assertEquals([values.service_connections_accepted_total, values.service_connections_dropped_total], ["2", "1"]);
    assertEquals((await get(it, "/other"))[0], 404);
  }));

const deploy = (name: string): string => join(root, "examples/service/deploy", name);

function output(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  assertEquals([status, stderr], [0, ""]);
  return stdout;
}

test("the unit of service passes systemd-analyze verify", () => {
  assertEquals(output("systemd-analyze", "verify", "--man=no", deploy("sluice-example.service")), "");
}, { peers: ["systemd-analyze"] });

/** Runs kubectl on objects in YAML or JSON, without a cluster. */
function kubectl(input: string, ...command: string[]): string {
  const args = [...command, "--local", "-f", "-", "-o", "json"];
  const { status, stdout, stderr } = spawnSync("kubectl", args, { input, encoding: "utf8" });
  assertEquals([status, stderr], [0, ""]);
  return stdout;
}

/** Fails if `typed` lacks a part of `written`: kubectl leaves out fields that the type does not have. */
function checkFields(written: unknown, typed: unknown, path: string): void {
  if (typeof written !== "object" || written === null) return assertEquals(typed, written, path);
  assert(typeof typed === "object" && typed !== null, path);
  for (const [key, value] of Object.entries(written)) {
    checkFields(value, (typed as Record<string, unknown>)[key], `${path}.${key}`);
  }
}

test("the manifests of service have only fields that kubectl knows, and time for a stop", () => {
  const label = "app=sluice-example";
  const all = kubectl(readFileSync(deploy("kubernetes.yaml"), "utf8"), "label", label);
  const [deployment, service] = all.split(/(?<=^})\n(?={)/m).map((text) => JSON.parse(text));
  const typedDeployment = JSON.parse(kubectl(JSON.stringify(deployment), "set", "env", "OTHER=1"));
  const typedService = JSON.parse(kubectl(JSON.stringify(service), "set", "selector", "other=1"));
  checkFields(deployment, typedDeployment, "deployment");
  checkFields(service.spec.ports, typedService.spec.ports, "service.spec.ports");
  const { terminationGracePeriodSeconds, containers: [{ lifecycle }] } = deployment.spec.template.spec;
  assert(terminationGracePeriodSeconds > lifecycle.preStop.sleep.seconds + 20);
}, { peers: ["kubectl"] });
