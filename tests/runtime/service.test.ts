// Copyright 2026 the Sluice authors. MIT license.

/** `examples/service/` as programs: behind haproxy with the configuration that is deployed, and with backends that die. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  BufReader,
  type Connection,
  copyString,
  formatAddress,
  type Net,
  Switch,
  tcp,
  type TcpAddress,
} from "../../mod.ts";
import { tlsClient } from "../../net/tls/mod.ts";
import { until } from "../_helpers.ts";
import { root } from "../_runtimes.ts";
import { test } from "../_test.ts";
import { ownHost, ownPort, withNet } from "../net/_helpers.ts";
import { clientOptions, fixture } from "../net/tls/_helpers.ts";
import { dnsmasq, withDnsmasq } from "./_dnsmasq.ts";
import { Peer, thisCommand } from "./_peers.ts";
import { at } from "./_proxies.ts";

const ownAddress = (): TcpAddress => tcp(ownHost, ownPort());

/** Runs a backend: it answers each line with its name and the line, after a while, so that most clients wait for it. */
async function startBackend(name: string, { ip, port }: TcpAddress): Promise<Peer> {
  const backend = Peer.node(
    `
    net.createServer((socket) => {
      let text = "";
      socket.on("error", () => {}).on("data", (part) => {
        const lines = (text += part).split("\\n");
        text = lines.pop();
        for (const line of lines) setTimeout(() => socket.write(args[0] + " " + line + "\\n"), 50);
      });
    }).listen(args[1], args[2], () => say("listening"));
  `,
    name,
    port,
    ip.text,
  );
  assertEquals(await backend.line(), "listening");
  return backend;
}

/** Where one instance of the service listens. */
interface Place {
  readonly address: TcpAddress;
  readonly admin: TcpAddress;
}

const ownPlace = (): Place => ({ address: ownAddress(), admin: ownAddress() });

/** Starts an instance of the service, on the runtime that runs the test. */
async function startInstance(
  { address, admin }: Place,
  nameServer: string,
  env: Record<string, string> = {},
): Promise<Peer> {
  const [program, ...args] = thisCommand("examples/service/main.ts");
  const instance = new Peer(program, args, {
    LISTEN: formatAddress(address),
    ADMIN: formatAddress(admin),
    BACKEND: "_answers._tcp.test",
    NAME_SERVER: nameServer,
    ...env,
  });
  const line = await instance.line();
  assertEquals(line, `listening on ${formatAddress(address)}, admin on ${formatAddress(admin)}`, instance.errors);
  return instance;
}

/** Waits until an instance that was told to stop has ended, without a failure. */
async function checkEnd(instance: Peer): Promise<void> {
  const ending = await instance.ended;
  assertEquals([ending, instance.errors], [{ code: 0, signal: null }, ""]);
  assertMatch(instance.output, /^stopped: .*"forced":0/m);
}

/** Runs `fn` with the haproxy of the deployment in front of two places. */
async function withHaproxy(one: Place, two: Place, fn: (front: TcpAddress) => Promise<void>): Promise<void> {
  const front = ownAddress();
  await using haproxy = new Peer("haproxy", ["-W", "-f", join(root, "examples/service/deploy/haproxy.cfg")], {
    FRONT: at(front),
    ONE: at(one.address),
    ONE_ADMIN: at(one.admin),
    TWO: at(two.address),
    TWO_ADMIN: at(two.admin),
  });
  let over = false;
  haproxy.ended.finally(() => over = true).catch(() => {});
  await until(() => over || haproxy.errors.includes("Loading success")); // its main process says so
  assert(!over, haproxy.errors);
  await fn(front);
}

/** Runs `fn` with backends that SRV records name, the first one first. */
async function withBackends(
  fn: (nameServer: string, backends: readonly Peer[]) => Promise<void>,
  count = 1,
): Promise<void> {
  const addresses = Array.from({ length: count }, ownAddress);
  const backends: Peer[] = [];
  try {
    for (const [i, address] of addresses.entries()) backends.push(await startBackend(`backend${i}`, address));
    const records = addresses.flatMap(({ ip, port }, i) => [
      `host-record=b${i}.test,${ip}`,
      `srv-host=_answers._tcp.test,b${i}.test,${port},${i},1`,
    ]);
    await withDnsmasq(records, (server) => fn(formatAddress(server), backends));
  } finally {
    for (const backend of backends) await backend[Symbol.asyncDispose]();
  }
}

/** Clients that ask as long as they are told to. */
class Load {
  running = true;
  answered = 0;
  /** Who has answered last. */
  backend: string | undefined;
  readonly failures: unknown[] = [];
  readonly #net: Net;
  readonly #address: TcpAddress;
  readonly #clients: Promise<void>[];

  /** Half of the clients ask one question on each connection, half as many as the service allows. */
  constructor(sw: Switch, net: Net, address: TcpAddress) {
    this.#net = net;
    this.#address = address;
    this.#clients = Array.from({ length: 8 }, (_, i) =>
      sw.forkPromise(async () => {
        const questions = i % 2 === 0 ? 1 : Infinity;
        while (this.running) await this.#connect(questions).catch((error) => this.#fail(error));
      }));
  }

  #fail(error: unknown): void {
    this.running = false;
    this.failures.push(error);
  }

  /** Waits until `count` more questions were answered. */
  async more(count: number): Promise<void> {
    const enough = this.answered + count;
    await until(() => this.answered >= enough || !this.running);
    assertEquals(this.failures, []);
  }

  async stop(): Promise<void> {
    this.running = false;
    for (const client of this.#clients) await client;
    assertEquals(this.failures, []);
  }

  #connect(questions: number): Promise<void> {
    return Switch.run(async (sw) => {
      const connection = await this.#net.connect(sw, this.#address);
      const reader = new BufReader(connection);
      for (let i = 0; i < questions && this.running; i++) {
        const question = `question ${this.answered}`;
        await copyString(`${question}\n`, connection);
        const answer = await reader.line();
        if (answer === null && i > 0) return; // between two questions: to be asked again
        const [, backend, peer, asked] = /^(\w+) (\S+) (.*)$/.exec(answer ?? "") ?? [];
        assertEquals([peer, asked], [formatAddress(connection.local), question], `${answer}`);
        this.backend = backend;
        this.answered++;
      }
      await connection.close();
    });
  }
}

/** Asks the admin port of an instance, by a client that is not of the library. */
async function get({ admin }: Place, path: string): Promise<[status: number, type: string | null, body: string]> {
  const response = await fetch(`http://${at(admin)}${path}`, { headers: { connection: "close" } });
  return [response.status, response.headers.get("content-type"), await response.text()];
}

/** Returns a metric of an instance. */
async function metric(place: Place, name: string): Promise<number> {
  const [, , text] = await get(place, "/metrics");
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
}

/** Returns how many sockets listen on the port of an instance: each of its threads has one. */
function listenersOf({ address: { port } }: Place): number {
  const end = `:${port.toString(16).toUpperCase().padStart(4, "0")} 00000000:0000 0A `;
  return readFileSync("/proc/net/tcp", "utf8").split(end).length - 1;
}

const peers = ["haproxy", dnsmasq];

test("service behind haproxy sees its clients, over TLS, and answers probes", () =>
  withBackends((nameServer) => {
    const [one, two] = [ownPlace(), ownPlace()];
    return withNet(async (sw, net) => {
      await using instance = await startInstance(one, nameServer, {
        TRUSTED_PROXIES: "127.0.0.0/8",
        TLS_CHAIN: fixture("localhost.crt"),
        TLS_KEY: fixture("localhost.key"),
      });
      await withHaproxy(one, two, async (front) => {
        const socket = await net.connect(sw, front);
        const connection: Connection = await tlsClient(sw, socket, clientOptions);
        const reader = new BufReader(connection);
        for (const question of ["one", "two"]) {
          await copyString(`${question}\n`, connection);
          assertEquals(await reader.line(), `backend0 ${formatAddress(socket.local)} ${question}`);
        }
        assertEquals(await get(one, "/healthz"), [200, "text/plain; version=0.0.4; charset=utf-8", "ready\n"]);
        assertEquals(await metric(one, "service_connections"), 1);
        assertEquals(await metric(one, "service_questions_answered_total"), 2);
        instance.kill("SIGTERM");
        assertEquals(await reader.line(), null);
        await connection.close();
        await checkEnd(instance);
      });
    });
  }), { peers });

test(
  "service behind haproxy loses no request while one instance is replaced under load",
  () =>
    withBackends((nameServer) => {
      const places = [ownPlace(), ownPlace()];
      const env = { TRUSTED_PROXIES: "127.0.0.0/8", DRAIN_DELAY_MS: "1500" };
      return withNet(async (sw, net) => {
        const instances = await Promise.all(places.map((place) => startInstance(place, nameServer, env)));
        try {
          await withHaproxy(places[0], places[1], async (front) => {
            assertEquals(places.map(listenersOf), [2, 2]);
            const load = new Load(sw, net, front);
            await load.more(100);
            const [place] = places;
            instances[0].kill("SIGTERM");
            while ((await get(place, "/healthz"))[0] === 200);
            await checkEnd(instances[0]);
            instances[0] = await startInstance(place, nameServer, env);
            while (await metric(place, "service_questions_answered_total") < 20) await load.more(1);
            await load.stop();
          });
          for (const instance of instances) instance.kill("SIGTERM");
          for (const instance of instances) await checkEnd(instance);
        } finally {
          for (const instance of instances) await instance[Symbol.asyncDispose]();
        }
      });
    }, 2), // on a busy machine one may take too long
  { peers },
);

test("service asks another backend when one is killed under load", () =>
  withBackends((nameServer, [first]) => {
    const place = ownPlace();
    return withNet(async (sw, net) => {
      await using instance = await startInstance(place, nameServer, { WORKERS: "1" });
      const load = new Load(sw, net, place.address);
      await load.more(50);
      assertEquals(load.backend, "backend0");
      first.kill("SIGKILL");
      await first.ended;
      await load.more(20);
      assertEquals(load.backend, "backend1");
      await load.more(50);
      await load.stop();
      assert(await metric(place, "service_backend_failures_total") > 0);
      assertEquals(await metric(place, "service_questions_unavailable_total"), 0);
      instance.kill("SIGTERM");
      await checkEnd(instance);
    });
  }, 2), { peers: [dnsmasq] });
