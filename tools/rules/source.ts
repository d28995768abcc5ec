// Copyright 2026 the Sluice authors. MIT license.

/** A source file as the house rules see it. */
import ts from "typescript";

/** A parsed file. */
export interface Source {
  /** The path from the repository's root, with `/`. */
  readonly path: string;
  /** Its syntax tree. */
  readonly tree: ts.SourceFile;
}

/** A broken rule. */
export interface Problem {
  /** The file. */
  path: string;
  /** The line, from 1. */
  line: number;
  /** What is wrong. */
  message: string;
}

/** A rule sees all files, because some rules are about how files relate. */
export type Rule = (sources: readonly Source[]) => Problem[];

/** Parses `text`, which need not be free of errors. */
export function parseSource(path: string, text: string): Source {
  return { path, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) };
}

/** Whether users get this file. */
export function isPublished({ path }: Source): boolean {
  return path === "mod.ts" || /^(base|switch|flow|net)\//.test(path);
}

/** Whether the file holds tests or what they are made of. */
export function isTest({ path }: Source): boolean {
  return path.startsWith("tests/");
}

/** A problem at `node`. */
export function problemAt(source: Source, node: ts.Node, message: string): Problem {
  return problemAtOffset(source, node.getStart(source.tree), message);
}

/** A problem at an offset in the text. */
export function problemAtOffset(source: Source, offset: number, message: string): Problem {
  const { line } = source.tree.getLineAndCharacterOfPosition(offset);
  return { path: source.path, line: line + 1, message };
}

/** Every node of the tree, parents first. */
export function* nodes(root: ts.Node): Generator<ts.Node> {
  yield root;
  const children: ts.Node[] = [];
  ts.forEachChild(root, (child) => {
    children.push(child);
  });
  for (const child of children) yield* nodes(child);
}

/** A rule that judges each node of the files that `applies` picks; it answers with a message for a bad one. */
export function nodeRule(
  applies: (source: Source) => boolean,
  judge: (node: ts.Node, source: Source) => string | undefined,
): Rule {
  return (sources) =>
    sources.filter(applies).flatMap((source) => {
      const problems: Problem[] = [];
      for (const node of nodes(source.tree)) {
        const message = judge(node, source);
        if (message !== undefined) problems.push(problemAt(source, node, message));
      }
      return problems;
    });
}
