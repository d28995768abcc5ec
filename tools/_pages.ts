// Copyright 2026 the Sluice authors. MIT license.

/** Where the Markdown pages of the package point to. The package holds fewer files than the repository. */
import { existsSync, statSync } from "node:fs";
import { join, posix } from "node:path";

/** A place in a page that names a file of the repository. */
interface Pointer {
  /** Where the text stands that names it. */
  readonly index: number;
  /** The text as it stands there. */
  readonly text: string;
  /** The path from the root, without `#heading`. */
  readonly path: string;
  /** What kind of place it is: a link's target, or code in a sentence. */
  readonly kind: "link" | "image" | "code";
}

/** The page with whole addresses of the repository at `url` for what the package in `folder` lacks. */
export function completeLinks(page: string, text: string, folder: string, root: string, url: string): string {
  let result = "";
  let end = 0;
  for (const { index, text: target, path, kind } of missing(page, text, folder, root)) {
    if (!existsSync(join(root, path))) continue;
    const address = addressOf(path, root, url, kind) + (/#.*$/.exec(target)?.[0] ?? "");
    result += text.slice(end, index) + (kind === "code" ? `[${target}](${address})` : address);
    end = index + target.length;
  }
  return result + text.slice(end);
}

/** What the page names that neither the package nor the web has. */
export function checkLinks(page: string, text: string, folder: string, root: string): string[] {
  return missing(page, text, folder, root).map(({ text }) => `${page}: points to ${text}, which is not in the package`);
}

function missing(page: string, text: string, folder: string, root: string): Pointer[] {
  return pointersOf(page, text).filter(({ path, kind }) => {
    if (existsSync(join(folder, path))) return false;
    return kind !== "code" || existsSync(join(root, path));
  });
}

/** In order. What stands in blocks of code points nowhere. */
function pointersOf(page: string, text: string): Pointer[] {
  const pointers: Pointer[] = [];
  const pattern =
    /^ *```[^]*?^ *```$|(?<image>!?)\[(?:`[^`]*`|!\[[^\]]*\]\([^)]*\)|[^\]])*\]\((?<target>[^)\s]+)|`(?<code>[^`\n]+)`/gm;
  for (const match of text.matchAll(pattern)) {
    const { image, target, code } = match.groups ?? {};
    if (target !== undefined) {
      if (/^([a-z]+:|#|\/\/)/i.test(target)) continue;
      const index = match.index + match[0].length - target.length;
      const path = posix.join(posix.dirname(page), target.replace(/#.*$/, ""));
      pointers.push({ index, text: target, path, kind: image === "!" ? "image" : "link" });
    } else if (code !== undefined && /^[\w.-]+(\/[\w.-]*)*$/.test(code) && /\/|\.(md|ts)$/.test(code)) {
      pointers.push({ index: match.index, text: match[0], path: posix.normalize(code), kind: "code" });
    }
  }
  return pointers;
}

function addressOf(path: string, root: string, url: string, kind: Pointer["kind"]): string {
  if (kind === "image") return `${url}/raw/main/${path}`;
  const isFolder = existsSync(join(root, path)) && statSync(join(root, path)).isDirectory();
  return `${url}/${isFolder ? "tree" : "blob"}/main/${path}`;
}
