// Copyright 2026 the Sluice authors. MIT license.

/** What the packed npm library must and must not hold. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { root } from "./_files.ts";
import { importsOf } from "./_import_time.ts";
import { checkLinks } from "./_pages.ts";
import { checkStrictUser } from "./_strict_user.ts";

/** A `package.json`, as far as it matters here. */
export type PackageJson = Record<string, unknown> & { exports?: Record<string, Record<string, string>> };

/** Names that only a package with something to install has. */
const dependencyFields = ["dependencies", "peerDependencies", "optionalDependencies", "bundleDependencies"];

/** The only declarations that may use Node's types. */
const nodeRoom = /^flow\/node\//;

/**
 * The most JavaScript that an import of the root may load, in bytes: compiling it is what an import
 * costs. It is 354,300; with what surrounds handlers in `net/server/` it was 416,500.
 */
const mostInRoot = 375_000;

/** What is wrong with the package in `folder`; empty when it may be published. */
export function checkPackage(folder: string): string[] {
  const manifest: PackageJson = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const files = readdirSync(folder, { recursive: true, encoding: "utf8", withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  return [
    ...checkManifest(manifest, folder),
    ...["README.md", "LICENSE"].filter((name) => !files.includes(name)).map((name) => `has no ${name}`),
    ...files.filter((path) => /(?<!\.d)\.[cm]?ts$/.test(path)).map((path) =>
      `${path}: no entry point reaches this source`
    ),
    ...files.filter((path) => /\.(js|d\.ts)$/.test(path)).flatMap((path) => checkModule(folder, path)),
    ...checkRoot(folder),
    ...files.filter((path) => path.endsWith(".md")).flatMap((path) =>
      checkLinks(path, readFileSync(join(folder, path), "utf8"), folder, root)
    ),
    ...checkStrictUser(folder, String(manifest.name), Object.keys(manifest.exports ?? {})),
  ];
}

function checkManifest(manifest: PackageJson, folder: string): string[] {
  const wanted = [
    "name",
    "version",
    "type",
    "license",
    "description",
    "repository",
    "engines",
    "sideEffects",
    "exports",
  ];
  const targets = Object.values(manifest.exports ?? {}).flatMap((conditions) => Object.values(conditions));
  return [
    ...wanted.filter((field) => manifest[field] === undefined).map((field) => `package.json has no ${field}`),
    ...dependencyFields.filter((field) => manifest[field] !== undefined).map((field) => `package.json has ${field}`),
    ...targets.filter((path) => !existsSync(join(folder, path))).map((path) =>
      `package.json names ${path}: no such file`
    ),
  ];
}

function checkRoot(folder: string): string[] {
  const loaded = new Set(["mod.js"]);
  let size = 0;
  for (const path of loaded) {
    const text = readFileSync(join(folder, path), "utf8");
    size += text.length;
    const local = importsOf(text).filter((specifier) => specifier.startsWith("."));
    for (const specifier of local) loaded.add(join(dirname(path), specifier));
  }
  return size > mostInRoot ? [`mod.js loads ${size} bytes of JavaScript: at most ${mostInRoot}`] : [];
}

function checkModule(folder: string, path: string): string[] {
  const types = path.endsWith(".d.ts");
  return importsOf(readFileSync(join(folder, path), "utf8")).flatMap((specifier) => {
    if (!specifier.startsWith(".")) {
      const allowed = specifier.startsWith("node:") && (!types || nodeRoom.test(path));
      return allowed ? [] : [`${path}: imports "${specifier}"`];
    }
    const file = types ? specifier.replace(/\.js$/, ".d.ts") : specifier;
    if (existsSync(resolve(folder, dirname(path), file))) return [];
    return [`${path}: imports "${specifier}": no such file`];
  });
}
