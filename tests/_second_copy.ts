// Copyright 2026 the Sluice authors. MIT license.

/**
 * A second copy of the library in this process, loaded from a copy of its sources. A query in the
 * module's URL would not do, as it does not apply to the modules that it imports.
 */
import { cp, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

type Library =
  & typeof import("../mod.ts")
  & typeof import("../flow/node/mod.ts")
  & typeof import("../flow/provider.ts")
  & typeof import("../net/confine/mod.ts")
  & typeof import("../net/endpoint/mod.ts")
  & typeof import("../net/http/mod.ts")
  & typeof import("../net/managed/mod.ts")
  & typeof import("../net/observe/mod.ts")
  & typeof import("../net/pool/mod.ts")
  & typeof import("../net/provider/mod.ts")
  & typeof import("../net/server/mod.ts")
  & typeof import("../net/testing/mod.ts")
  & typeof import("../net/tls/mod.ts")
  & typeof import("../net/wintertc/mod.ts")
  & typeof import("../net/workers/mod.ts");

const entryPoints = [
  "mod.ts",
  "flow/node/mod.ts",
  "flow/provider.ts",
  "net/confine/mod.ts",
  "net/endpoint/mod.ts",
  "net/http/mod.ts",
  "net/managed/mod.ts",
  "net/observe/mod.ts",
  "net/pool/mod.ts",
  "net/provider/mod.ts",
  "net/server/mod.ts",
  "net/testing/mod.ts",
  "net/tls/mod.ts",
  "net/wintertc/mod.ts",
  "net/workers/mod.ts",
];

/** Loads the second copy, and removes its files. */
export async function loadSecondCopy(): Promise<Library> {
  const folder = await mkdtemp(join(await realpath(tmpdir()), "sluice-copy-"));
  try {
    for (const name of ["mod.ts", "base", "switch", "flow", "net"]) {
      await cp(join(import.meta.dirname as string, "..", name), join(folder, name), { recursive: true });
    }
    await writeFile(join(folder, "package.json"), '{ "type": "module" }');
    const modules: unknown[] = [];
    for (const path of entryPoints) modules.push(await import(pathToFileURL(join(folder, path)).href));
    return Object.assign({}, ...modules);
  } finally {
    await rm(folder, { recursive: true });
  }
}
