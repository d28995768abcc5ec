// Copyright 2026 the Sluice authors. MIT license.

/**
 * Compares the tables of `docs/runtimes.md` with what each runtime says and takes:
 * `deno run -A tools/features.ts`.
 * With `--write` it writes the tables anew.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { runChild } from "../tests/_child.ts";
import { allRuntimes } from "../tests/_runtimes.ts";
import type { Ability } from "../tests/fixtures/socket_options.ts";
import { readText, root } from "./_files.ts";

const page = "docs/runtimes.md";
const markers = ["<!-- made by tools/features.ts -->", "<!-- end -->"] as const;
const fixture = "tests/fixtures/socket_options.ts";

/** Every feature, and what it means. */
const meanings: Readonly<Record<string, string>> = {
  reset: "`abort()` resets a TCP connection",
  reusePort: "several listeners share a TCP port",
  ipv6Only: "a listener on `::` keeps IPv4 out (`IPV6_V6ONLY`)",
  abstractUnix: "Unix names without a file (Linux)",
  datagrams: "UDP sockets",
  multicast: "they join groups",
  datagramReusePort: "several of them share a port",
  datagramErrors: "a connected one learns that nobody listens there",
  unixDatagrams: "datagram sockets with Unix paths",
  pullAccept: "unaccepted connections stay with the system",
  acceptErrors: "errors of accepting are shown",
};

/** The kinds of sockets, as the table calls them. */
const kinds = { tcp4: "TCP", tcp6: "TCP", udp4: "UDP", udp6: "UDP" } as const;

async function askRuntimes(): Promise<[name: string, ability: Ability][]> {
  const asked: [string, Ability][] = [];
  for (const { name, runCommand } of allRuntimes(process.execPath)) {
    const child = await runChild(runCommand(fixture), { limit: 60_000, cwd: root, env: { NO_COLOR: "1" } });
    if (child.code !== 0) throw new Error(`Cannot ask ${name}: ${child.output}`);
    asked.push([name[0].toUpperCase() + name.slice(1), JSON.parse(child.output.slice(child.output.indexOf("{")))]);
  }
  return asked;
}

function makeTables(asked: readonly [string, Ability][]): string {
  for (const [name, { features }] of asked) {
    const unknown = features.filter((feature) => !(feature in meanings));
    if (unknown.length > 0) throw new Error(`Cannot make the tables: ${name} has features of no meaning: ${unknown}`);
  }
  const names = asked.map(([name]) => name);
  const features = Object.entries(meanings).map(([feature, meaning]) => [
    `\`${feature}\`: ${meaning}`,
    ...asked.map(([, ability]) => ability.features.includes(feature) ? "yes" : "no"),
  ]);
  const options = [...new Set(asked.flatMap(([, { options }]) => Object.values(options).flatMap(Object.keys)))].sort();
  const rows = options.map((option) => [`\`${option}\``, ...asked.map(([, ability]) => whereSet(ability, option))]);
  return [
    table(["Feature (`net.features`)", ...names], features),
    "Socket options that can be set, and on which sockets; any other is `not_supported`:",
    table(["Option", ...names], rows.filter((row) => row.slice(1).some((cell) => cell !== "no"))),
  ].join("\n\n");
}

function whereSet({ options }: Ability, option: string): string {
  const where = Object.entries(kinds).filter(([kind]) => options[kind as keyof typeof kinds][option] === "ok");
  return [...new Set(where.map(([, shown]) => shown))].join(", ") || "no";
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

/** The text as `deno fmt` writes it. */
function formatted(text: string): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["fmt", "--ext", "md", "-"], {
    cwd: root,
    input: text,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`Cannot format ${page}: ${stderr}`);
  return stdout;
}

const text = readText(page);
const [start, end] = markers.map((marker) => text.indexOf(marker));
if (start < 0 || end < start) throw new Error(`Cannot find ${markers.join(" and ")} in ${page}`);
const tables = makeTables(await askRuntimes());
const wanted = formatted(`${text.slice(0, start)}${markers[0]}\n\n${tables}\n\n${text.slice(end)}`);
if (process.argv.includes("--write")) {
  writeFileSync(join(root, page), wanted);
} else if (wanted !== text) {
  console.log(
    `The tables in ${page} are not what the runtimes say. If that is meant: deno run -A tools/features.ts --write`,
  );
  process.exitCode = 1;
}
