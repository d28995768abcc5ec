// Copyright 2026 the Sluice authors. MIT license.

/** Rules about the text of a file: its first line, its length, what its comments may not say. */
import ts from "typescript";
import { isPublished, type Problem, problemAtOffset, type Rule, type Source } from "./source.ts";

const licence = "// Copyright 2026 the Sluice authors. MIT license.";
const mostLines = 300;

/** The first line is the licence; only a `#!` line may come before it. */
export const licenceHeader: Rule = (sources) =>
  sources.filter(({ tree }) => {
    const [first, second] = tree.text.split("\n", 2);
    return (first.startsWith("#!") ? second : first) !== licence;
  }).map((source) => problemAtOffset(source, 0, `The first line is not "${licence}"`));

/** A published file has at most 300 lines of code. Comments and blank lines do not count. */
export const fileLength: Rule = (sources) =>
  sources.filter(isPublished).flatMap((source) => {
    const lines = countCode(source);
    return lines <= mostLines ? [] : [problemAtOffset(source, 0, `${lines} lines of code: at most ${mostLines}`)];
  });

/** Comments switch no check off and put nothing off. */
export const comments: Rule = (sources) => sources.flatMap((source) => forbiddenComments(source));

/** Lines that hold a part of a token. */
function countCode({ tree }: Source): number {
  const lines = new Set<number>();
  const visit = (node: ts.Node) => {
    if (ts.isJSDoc(node) || node.kind === ts.SyntaxKind.EndOfFileToken) return;
    const children = node.getChildren(tree);
    children.forEach(visit);
    if (children.length > 0 || node.getWidth(tree) === 0) return;
    const last = tree.getLineAndCharacterOfPosition(node.getEnd()).line;
    for (let line = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line; line <= last; line++) lines.add(line);
  };
  visit(tree);
  return lines.size;
}

function forbiddenComments(source: Source): Problem[] {
  return commentRanges(source.tree).flatMap(({ pos, end }) => {
    const text = source.tree.text.slice(pos, end);
    const problems: Problem[] = [];
    const directive = /@ts-(ignore|nocheck)\b/.exec(text);
    // The bridge wraps JavaScript that has no types.
    if (directive !== null && !source.path.startsWith("bridge/")) {
      problems.push(problemAtOffset(source, pos + directive.index, `No ${directive[0]}`));
    }
    const reminder = /\b(TODO|FIXME|XXX)\b/.exec(text);
    if (reminder !== null) problems.push(problemAtOffset(source, pos + reminder.index, `No ${reminder[0]} comment`));
    return problems;
  });
}

/** Every comment once, in order. */
function commentRanges(tree: ts.SourceFile): ts.CommentRange[] {
  const ranges = new Map<number, ts.CommentRange>();
  const visit = (node: ts.Node) => {
    if (ts.isJSDoc(node)) return;
    const start = node.getFullStart();
    // A template's middle and tail start inside the template, where nothing is a comment.
    if (!ts.isTemplateMiddleOrTemplateTail(node)) {
      for (const range of ts.getLeadingCommentRanges(tree.text, start) ?? []) ranges.set(range.pos, range);
    }
    for (const range of ts.getTrailingCommentRanges(tree.text, node.getEnd()) ?? []) ranges.set(range.pos, range);
    node.getChildren(tree).forEach(visit);
  };
  visit(tree);
  return [...ranges.values()].sort((a, b) => a.pos - b.pos);
}
