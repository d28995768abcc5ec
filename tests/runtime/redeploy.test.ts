// Copyright 2026 the Sluice authors. MIT license.

/**
 * A restart under load: a new process listens on the same port, and the old one is told to stop. Both are in a network
 * namespace of their own, where the system hands over what it has established for a listener that closes; without
 * `tcp_migrate_req` it resets the few connections of the last microseconds.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "../_test.ts";
import { netnsPeers } from "./_netns.ts";
import { nodeProgram, Peer, thisCommand } from "./_peers.ts";

const requests = 5_000;
const clients = 16;

/** Sends requests, each over a connection of its own, and says how many of each answer came; `more` after a thousand. */
const load = `
  const net = require("node:net");
  const [total, clients] = process.argv.slice(1).map(Number);
  const answers = {};
  let started = 0, left = clients;
  const next = () => {
    if (started === total) return --left === 0 && console.log(JSON.stringify(answers));
    if (++started === 1000) console.log("more");
    let got = "", how = "";
    net.connect(8080, "127.0.0.1", function () { this.write("q"); })
      .on("data", (part) => got += part).on("error", (error) => how = error.code)
      .on("close", () => { const key = got + how; answers[key] = (answers[key] ?? 0) + 1; next(); });
  };
  for (let i = 0; i < clients; i++) next();
`;

/** A network namespace in which the connections of a listener that closes go to another one of the same port. */
class MigratingHost implements Disposable {
  readonly name: string = `sluice-${process.pid}-redeploy`;

  constructor() {
    run("ip", "netns", "add", this.name);
    this.#inside("ip", "link", "set", "lo", "up");
    this.#inside("sysctl", "-q", "-w", "net.ipv4.tcp_migrate_req=1");
  }

  /** Starts a program in it. */
  start(program: string, args: readonly string[]): Peer {
    return new Peer("ip", ["netns", "exec", this.name, program, ...args]);
  }

  #inside(...command: string[]): void {
    run("ip", "netns", "exec", this.name, ...command);
  }

  [Symbol.dispose](): void {
    spawnSync("ip", ["netns", "del", this.name]);
  }
}

function run(program: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
}

test("runServer() fails no request of 5000 when a new process takes over its port", async () => {
  using host = new MigratingHost();
  const start = async (name: string) => {
    const [program, ...args] = thisCommand("tests/runtime/_redeploy_server.ts", "127.0.0.1", "8080", name);
    const server = host.start(program, args);
    assertEquals(await server.line(), "listening");
    return server;
  };
  await using old = await start("old");
  await using clientsOfBoth = host.start(nodeProgram, ["-e", load, String(requests), String(clients)]);
  assertEquals(await clientsOfBoth.line(), "more");
  await using fresh = await start("new");
  old.kill("SIGTERM");
  assertEquals(await old.line(), "drained");
  assertEquals(await old.ended, { code: 0, signal: null });
  const answers = JSON.parse(await clientsOfBoth.line() as string);
  assertEquals(Object.keys(answers).sort(), ["new", "old"]);
  assertEquals(answers.new + answers.old, requests);
  fresh.kill("SIGTERM");
  assertMatch(await fresh.line() as string, /^drained$/);
}, { peers: [...netnsPeers, "sysctl"] });
