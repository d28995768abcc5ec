// Copyright 2026 the Sluice authors. MIT license.

/** A network of two hosts on one machine: this process, and a network namespace of its own on the other side of a cable. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import process from "node:process";
import { findTool } from "../_tools.ts";

/** What a test needs that makes namespaces, for its `peers`. Without root that is "root", which no machine has on its PATH. */
export const netnsPeers: readonly string[] = canMakeNamespaces() ? ["ip", "nft"] : ["root"];

function canMakeNamespaces(): boolean {
  if (findTool("ip") === undefined) return false;
  removeLeftovers();
  const name = `sluice-${process.pid}-probe`;
  if (spawnSync("ip", ["netns", "add", name]).status !== 0) return false;
  spawnSync("ip", ["netns", "del", name]);
  return true;
}

/** Removes the hosts of processes that were killed, which may have had our number. */
function removeLeftovers(): void {
  for (const name of existsSync("/run/netns") ? readdirSync("/run/netns") : []) {
    const pid = /^sluice-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || (Number(pid) !== process.pid && existsSync(`/proc/${pid}`))) continue;
    spawnSync("ip", ["netns", "del", name]);
  }
}

let made = 0;

/** Networks of four addresses, of those for benchmarks (RFC 2544). */
const networks = 1 << 15;

/** Another host. It is gone, and the cable with it, when the test leaves it. */
export class OtherHost implements Disposable {
  /** The namespace. */
  readonly name: string;
  /** Our end of the cable; the other one is "eth0". */
  readonly cable: string;
  /** Our address on the cable, and the other host's. */
  readonly here: string;
  readonly there: string;

  constructor() {
    this.name = `sluice-${process.pid}-${made++}`;
    try {
      this.#run("ip", "netns", "add", this.name);
      const network = this.#layCable();
      this.cable = cableOf(network);
      [this.here, this.there] = [1, 2].map((host) => ipv4((198 << 24 | 18 << 16) + network * 4 + host));
      this.#run("ip", "addr", "add", `${this.here}/30`, "dev", this.cable);
      this.#run("ip", "link", "set", this.cable, "up");
      this.ip("addr", "add", `${this.there}/30`, "dev", "eth0");
      this.ip("link", "set", "eth0", "up");
      this.ip("link", "set", "lo", "up");
      while (!isUp(this.cable) || !isUp("eth0", "-n", this.name)); // until then the system drops what is sent
      this.nft("add", "table", "inet", "faults");
      this.nft("add", "chain", "inet", "faults", "input", "{ type filter hook input priority 0; }");
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Lays a cable, and gives the number of its network: that which nobody else has a cable for. */
  #layCable(): number {
    for (let i = process.pid * 8 + made;; i++) {
      const network = i % networks;
      const link = [cableOf(network), "type", "veth", "peer", "name", "eth0", "netns", this.name];
      const { status, stderr } = spawnSync("ip", ["link", "add", ...link], { encoding: "utf8" });
      if (status === 0) return network;
      if (!stderr.includes("File exists")) throw new Error(`Cannot lay a cable: ${stderr}`);
    }
  }

  /** The command that runs `command` on the other host. */
  command(...command: string[]): [program: string, args: string[]] {
    return ["ip", ["netns", "exec", this.name, ...command]];
  }

  /** Sets up its interfaces and routes. */
  ip(...args: string[]): void {
    this.#run("ip", "-n", this.name, ...args);
  }

  /** Sets a kernel parameter of its network. */
  sysctl(name: string, value: string): void {
    const [program, args] = this.command("sysctl", "-q", "-w", `${name}=${value}`);
    this.#run(program, ...args);
  }

  /** Does to what reaches it what `rule` says, as "tcp dport 80 drop", until {@linkcode letPass}. */
  rule(rule: string): void {
    this.nft("add", "rule", "inet", "faults", "input", rule);
  }

  /** Takes all rules away. */
  letPass(): void {
    this.nft("flush", "chain", "inet", "faults", "input");
  }

  /** Calls the packet filter. */
  nft(...args: string[]): void {
    const [program, command] = this.command("nft", ...args);
    this.#run(program, ...command);
  }

  /** What a command on the other host writes. */
  output(...command: string[]): string {
    const [program, args] = this.command(...command);
    return spawnSync(program, args, { encoding: "utf8" }).stdout;
  }

  #run(program: string, ...args: string[]): void {
    const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`Cannot run ${program} ${args.join(" ")}: ${stderr}`);
  }

  [Symbol.dispose](): void {
    spawnSync("ip", ["netns", "del", this.name]);
  }
}

function cableOf(network: number): string {
  return `sl${network}`;
}

/** Whether a link carries what is sent. */
function isUp(link: string, ...where: string[]): boolean {
  return spawnSync("ip", [...where, "link", "show", link], { encoding: "utf8" }).stdout.includes("state UP");
}

function ipv4(bits: number): string {
  return [24, 16, 8, 0].map((shift) => bits >>> shift & 255).join(".");
}
