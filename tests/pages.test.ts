// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { checkLinks, completeLinks } from "../tools/_pages.ts";
import { test } from "./_test.ts";

const url = "https://example.com/repository";

test("completeLinks() points to the repository for what the package lacks", () => {
  withFolders(
    ["README.md", "docs/a.md", "tools/x.ts", "plot.svg", "flow/b.md"],
    ["README.md", "docs/a.md"],
    (folders) => {
      const complete = (page: string, text: string) => completeLinks(page, text, ...folders, url);
      assertEquals(
        complete("README.md", "[a](docs/a.md#b) [b](flow/b.md#c)"),
        `[a](docs/a.md#b) [b](${url}/blob/main/flow/b.md#c)`,
      );
      assertEquals(
        complete("docs/a.md", "[a](../README.md) [t](../tools)"),
        `[a](../README.md) [t](${url}/tree/main/tools)`,
      );
      assertEquals(complete("README.md", "![p](plot.svg)"), `![p](${url}/raw/main/plot.svg)`);
      assertEquals(
        complete("README.md", "see `flow/b.md`, `docs/a.md`"),
        `see [\`flow/b.md\`](${url}/blob/main/flow/b.md), \`docs/a.md\``,
      );
      for (
        const same of [
          "[w](https://x.y/flow/b.md)",
          "[h](#here)",
          "```sh\ncat [b](flow/b.md)\n```",
          "`f()` and `sw.fork`",
        ]
      ) {
        assertEquals(complete("README.md", same), same);
      }
    },
  );
});

test("checkLinks() reports what neither the package nor the repository has", () => {
  withFolders(["README.md", "flow/b.md"], ["README.md"], (folders) => {
    const text = "[`flow/b.md`](flow/b.md) [n](none.md) `flow/b.md` `none.md`";
    assertEquals(checkLinks("README.md", text, ...folders), [
      "README.md: points to flow/b.md, which is not in the package",
      "README.md: points to none.md, which is not in the package",
      "README.md: points to `flow/b.md`, which is not in the package",
    ]);
    assertEquals(checkLinks("README.md", completeLinks("README.md", text, ...folders, url), ...folders), [
      "README.md: points to none.md, which is not in the package",
    ]);
  });
});

/** Calls `fn` with the folders of a package and of its repository, which contain these files. */
function withFolders(
  repository: readonly string[],
  packaged: readonly string[],
  fn: (folders: [folder: string, root: string]) => void,
): void {
  const work = mkdtempSync(join(tmpdir(), "sluice-pages-"));
  try {
    for (const path of [...repository.map((path) => `root/${path}`), ...packaged.map((path) => `package/${path}`)]) {
      mkdirSync(dirname(join(work, path)), { recursive: true });
      writeFileSync(join(work, path), "");
    }
    fn([join(work, "package"), join(work, "root")]);
  } finally {
    rmSync(work, { recursive: true });
  }
}
