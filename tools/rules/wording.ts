// Copyright 2026 the Sluice authors. MIT license.

/** How an error's message reads: `Cannot connect to tcp "10.0.0.1:80": connection refused`. */
import ts from "typescript";
import { isPublished, nodes, type Problem, problemAt, type Rule, type Source } from "./source.ts";

const contraction =
  /\b\w+n['’]t\b|\b(?:it|that|there|here|what|who|where|he|she|let)['’]s\b|\b(?:I|you|we|they)['’](?:re|ve|ll|d|m)\b/i;

/** At which position an error class takes its message; -1 when it takes none. */
type MessageIndexes = Map<string, number>;

/** Every message that is written out where an error is made, in literals and templates alike. */
export const errorWording: Rule = (sources) => {
  const published = sources.filter(isPublished);
  const indexes = findErrorClasses(published);
  return published.flatMap((source) => judgeSource(source, indexes));
};

function judgeSource(source: Source, indexes: MessageIndexes): Problem[] {
  const problems: Problem[] = [];
  for (const node of nodes(source.tree)) {
    const index = messageIndexAt(node, indexes);
    if (index === undefined || index < 0) continue;
    const message = (node as ts.NewExpression | ts.CallExpression).arguments?.[index];
    if (message === undefined) continue;
    for (const fault of judge(message)) problems.push(problemAt(source, message, `Error message ${fault}`));
  }
  return problems;
}

/** Where the message is among the arguments of `new SomeError(…)` or of `super(…)` in an error class. */
function messageIndexAt(node: ts.Node, indexes: MessageIndexes): number | undefined {
  if (ts.isNewExpression(node) && ts.isIdentifier(node.expression)) return indexOf(node.expression.text, indexes);
  if (!ts.isCallExpression(node) || node.expression.kind !== ts.SyntaxKind.SuperKeyword) return undefined;
  const parent = baseOf(ts.findAncestor(node, ts.isClassLike));
  return parent === undefined ? undefined : indexOf(parent, indexes);
}

/** The message's index for the error class `name`, or `undefined` when it is no error class. */
function indexOf(name: string, indexes: MessageIndexes): number | undefined {
  if (indexes.has(name)) return indexes.get(name);
  if (name === "AggregateError") return 1;
  if (name === "SuppressedError") return 2;
  return /(Error|Exception)$/.test(name) ? 0 : undefined;
}

/** The error classes of the library. Each takes its message where its constructor, or else its base's, says so. */
function findErrorClasses(sources: readonly Source[]): MessageIndexes {
  const indexes: MessageIndexes = new Map();
  const classes = sources.flatMap(({ tree }) => [...nodes(tree)].filter(ts.isClassDeclaration));
  // A base may be declared after its subclass: repeat until nothing is new.
  for (let known = -1; known < indexes.size;) {
    known = indexes.size;
    for (const declaration of classes) {
      const base = baseOf(declaration);
      const inherited = base === undefined ? undefined : indexOf(base, indexes);
      if (inherited !== undefined && declaration.name !== undefined) {
        indexes.set(declaration.name.text, ownMessageIndex(declaration) ?? inherited);
      }
    }
  }
  return indexes;
}

function ownMessageIndex(declaration: ts.ClassDeclaration): number | undefined {
  const constructor = declaration.members.find(ts.isConstructorDeclaration);
  return constructor?.parameters.findIndex(({ name }) => name.getText() === "message");
}

function baseOf(declaration: ts.ClassLikeDeclaration | undefined): string | undefined {
  const clause = declaration?.heritageClauses?.find(({ token }) => token === ts.SyntaxKind.ExtendsKeyword);
  return clause?.types[0].expression.getText();
}

function judge(message: ts.Expression): string[] {
  const parts = fixedParts(message);
  if (parts === undefined) return [];
  const first = parts[0] ?? "";
  const last = parts.at(-1) ?? "";
  const faults: string[] = [];
  if (first !== "" && !/^[A-Z]/.test(first)) faults.push("does not start with a capital letter");
  if (/[.!?]$/.test(last)) faults.push("ends with a full stop or the like");
  if (parts.some((part) => contraction.test(part))) faults.push("has a contraction");
  return faults;
}

/** The written parts of a message: what stands before, between and after its expressions. */
function fixedParts(node: ts.Expression): string[] | undefined {
  if (ts.isParenthesizedExpression(node)) return fixedParts(node.expression);
  if (ts.isStringLiteralLike(node)) return [node.text];
  if (ts.isTemplateExpression(node)) return [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)];
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    return [...fixedParts(node.left) ?? [""], ...fixedParts(node.right) ?? [""]];
  }
  return undefined;
}
