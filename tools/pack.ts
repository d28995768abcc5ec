// Copyright 2026 the Sluice authors. MIT license.

/**
 * Packs the library for npm: `deno run -A tools/pack.ts [file.tgz]`. The default is `dist/sluice-io-<version>.tgz`.
 *
 * `deno pack` writes the types and `package.json`. The bundled JavaScript replaces its own, `package.json` is
 * completed, the pages point to the repository for what the package lacks, and the result is checked.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { runChild } from "../tests/_child.ts";
import { bundle } from "./_bundle.ts";
import { readManifest, readText, root } from "./_files.ts";
import { checkPackage } from "./_package.ts";
import { completeLinks } from "./_pages.ts";

/** Packs into `output`, and throws when the package is not fit to be published. */
async function pack(output: string, work: string): Promise<void> {
  const raw = join(work, "raw.tgz");
  const folder = join(work, "package");
  await run([process.execPath, "pack", "--quiet", "--allow-dirty", "--no-source-maps", "-o", raw], root);
  await run(["tar", "-xzf", raw, "-C", work], root);
  await bundle(folder);
  completeManifest(join(folder, "package.json"));
  completePages(folder);
  const problems = checkPackage(folder);
  if (problems.length > 0) throw new Error(`Cannot pack:\n  ${problems.join("\n  ")}`);
  rmSync(raw);
  await run(["npm", "pack", "--silent", "--pack-destination", work], folder);
  const packed = readdirSync(work).find((name) => name.endsWith(".tgz"));
  if (packed === undefined) throw new Error("Cannot pack: npm wrote no tarball");
  mkdirSync(dirname(output), { recursive: true });
  cpSync(join(work, packed), output);
}

/** Adds what bundlers, npm and its users want to know. */
function completeManifest(path: string): void {
  const { description, repository } = JSON.parse(readText("package.json"));
  const manifest = JSON.parse(readFileSync(path, "utf8"));
  const { name, version, ...rest } = manifest;
  const added = { description, repository, engines: { node: ">=20" }, sideEffects: false };
  writeFileSync(path, `${JSON.stringify({ name, version, ...added, ...rest }, null, 2)}\n`);
}

/** Makes the pages point to the repository for what the package lacks. */
function completePages(folder: string): void {
  const url = JSON.parse(readText("package.json")).repository.url.replace(/^git\+|\.git$/g, "");
  for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!path.endsWith(".md")) continue;
    const page = join(folder, path);
    writeFileSync(page, completeLinks(path, readFileSync(page, "utf8"), folder, root, url));
  }
}

async function run(command: readonly string[], cwd: string): Promise<void> {
  const child = await runChild(command, { limit: 120_000, cwd });
  if (child.code !== 0) throw new Error(`${command.join(" ")}: ${child.spawnError?.message ?? child.output}`);
}

const { name, version } = readManifest();
const output = process.argv[2] ?? join(root, "dist", `${name.replace("@", "").replace("/", "-")}-${version}.tgz`);
const work = mkdtempSync(join(tmpdir(), "sluice-pack-"));
try {
  await pack(output, work);
  console.log(output);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
