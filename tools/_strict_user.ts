// Copyright 2026 the Sluice authors. MIT license.

/** Compiles strict projects against the package, with the oldest TypeScript that `docs/install.md` promises. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import ts from "typescript-5.7";
import { root } from "./_files.ts";

/** What a project needs, as `docs/install.md` says it: `lib` alone, or less of it beside `@types/node`. */
const projects = [
  { lib: ["lib.es2022.d.ts", "lib.esnext.disposable.d.ts", "lib.dom.d.ts"], types: [], without: ["./flow/node"] },
  { lib: ["lib.es2022.d.ts"], types: ["node"], without: [] },
] as const;

/** What each project compiles, beside a file that imports every entry point. */
const program = "tests/fixtures/strict_user.ts";

/** What the compiler reports when `name`, the package in `folder`, is used with these entry points. */
export function checkStrictUser(folder: string, name: string, entries: readonly string[]): string[] {
  const project = mkdtempSync(join(tmpdir(), "sluice-user-"));
  try {
    const installed = join(project, "node_modules", name);
    mkdirSync(dirname(installed), { recursive: true });
    symlinkSync(folder, installed);
    writeFileSync(join(project, "package.json"), `{ "type": "module" }\n`);
    cpSync(join(root, program), join(project, "main.ts"));
    return projects.flatMap(({ lib, types, without }) => {
      const reached = entries.filter((entry) => !(without as readonly string[]).includes(entry));
      const imports = reached.map((entry, i) => `export * as entry${i} from "${entry.replace(".", name)}";\n`);
      writeFileSync(join(project, "entries.ts"), imports.join(""));
      const needs = [`lib ${lib.join(", ")}`, ...types.map((type) => `@types/${type}`)].join(" and ");
      return compile(project, lib, types).map((problem) => `TypeScript ${ts.version} with ${needs}: ${problem}`);
    });
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}

function compile(project: string, lib: readonly string[], types: readonly string[]): string[] {
  const compiled = ts.createProgram(["main.ts", "entries.ts"].map((path) => join(project, path)), {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    skipLibCheck: false,
    noEmit: true,
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    lib: [...lib],
    types: [...types],
    typeRoots: [join(root, "node_modules/@types")],
  });
  return ts.getPreEmitDiagnostics(compiled).map(({ file, messageText }) =>
    `${file?.fileName ?? ""}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`
  );
}
