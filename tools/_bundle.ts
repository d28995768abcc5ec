// Copyright 2026 the Sluice authors. MIT license.

/**
 * The JavaScript of the npm package: one file for each entry point, and one for each room that they share, so that an
 * import reads a few files instead of a hundred. Names and the order of the code stay as in the sources.
 */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type OutputChunk, rolldown } from "rolldown";
import { readManifest, root } from "./_files.ts";

const banner = "// Copyright 2026 the Sluice authors. MIT license.";

/** Shared files, by what goes into them. What matches none is shared as the bundler sees fit. */
const rooms = [
  { name: "switch", test: /\/(base|switch)\/[^/]+\.ts$/, priority: 4 },
  { name: "flow", test: /\/flow\/((buffered|web)\/)?[^/]+\.ts$/, priority: 3 },
  { name: "net", test: /\/net\/((provider|serve)\/)?[^/]+\.ts$/, priority: 2 },
  { name: "server", test: /\/net\/(server|wrap|blocks)\//, priority: 1 },
  { name: "node", test: /\/flow\/node\//, priority: 1, minShareCount: 2 },
  { name: "system", test: /\/net\/(backends|env)\//, priority: 1 },
];

/** What is not an entry point, but a file of its own, as the library loads it by its URL. */
const loadedByUrl = ["net/workers/_thread.ts"];

/** Replaces every `.js` file in `folder`, the package, by the bundled ones. Returns the paths of these. */
export async function bundle(folder: string): Promise<string[]> {
  const inputs = [...Object.values(readManifest().exports), ...loadedByUrl].map((path) => path.replace(/^\.\//, ""));
  const bundler = await rolldown({
    cwd: root,
    input: Object.fromEntries(inputs.map((path) => [path.replace(/\.ts$/, ""), join(root, path)])),
    external: /^node:/,
    platform: "node",
    onLog(_level, log) {
      throw new Error(`Cannot bundle: ${log.message}`);
    },
  });
  for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (path.endsWith(".js")) rmSync(join(folder, path));
  }
  try {
    const { output } = await bundler.write({
      dir: folder,
      format: "esm",
      banner,
      entryFileNames: "[name].js",
      chunkFileNames: "chunks/[name].js",
      minifyInternalExports: false,
      comments: { jsdoc: false }, // they are in the .d.ts files
      codeSplitting: { groups: rooms },
    });
    return output.filter((file): file is OutputChunk => file.type === "chunk").map(({ fileName }) => fileName);
  } finally {
    await bundler.close();
  }
}
