// Copyright 2026 the Sluice authors. MIT license.

/** Which files may name a runtime, and what a published file may import from outside. */
import ts from "typescript";
import { importsOf } from "./imports.ts";
import { isPublished, nodeRule, problemAt, type Rule, type Source } from "./source.ts";

/** Globals that belong to one runtime, or that reach one. */
const runtimeGlobals = ["Deno", "Bun", "process", "Buffer", "require"];

/** Names a published source may not import anything outside the package by, but for the runtimes' own modules. */
export const publishedImports: Rule = (sources) =>
  sources.filter(isPublished).flatMap((source) =>
    importsOf(source).flatMap(({ specifier, target, node }) => {
      if (target !== undefined) {
        return target.endsWith(".ts") ? [] : [problemAt(source, node, `Import "${specifier}" does not end in .ts`)];
      }
      if (!/^(node|bun):/.test(specifier)) {
        return [problemAt(source, node, `Published sources import nothing from outside: "${specifier}"`)];
      }
      return mayNameRuntime(source) ? [] : [problemAt(source, node, `Only the rooms for it import "${specifier}"`)];
    })
  );

/** The name of a runtime stands only in the rooms for it. */
export const runtimeNames: Rule = nodeRule(
  (source) => isPublished(source) && !mayNameRuntime(source),
  (node) => isRuntimeGlobal(node) ? `Only the rooms for it name ${node.text}` : undefined,
);

/** Only `net/backends/auto.ts` asks which runtime this is. */
export const runtimeSniffing: Rule = nodeRule(
  (source) => isPublished(source) && source.path !== "net/backends/auto.ts",
  (node) => isSniffing(node) ? "Only net/backends/auto.ts asks which runtime this is" : undefined,
);

function mayNameRuntime({ path }: Source): boolean {
  return ["switch/_context.ts", "net/tls/_node_engine.ts"].includes(path) ||
    /^(net\/backends|net\/env|flow\/node)\//.test(path);
}

function isRuntimeGlobal(node: ts.Node): node is ts.Identifier {
  return ts.isIdentifier(node) && runtimeGlobals.includes(node.text) && !isMemberName(node);
}

/** Whether the identifier only names a member or a field: `this.process`, `{ process: 1 }`. */
function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node && !isGlobalThis(parent.expression);
  if (ts.isQualifiedName(parent)) return parent.right === node;
  return (ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent) || ts.isPropertyDeclaration(parent) ||
    ts.isMethodDeclaration(parent) || ts.isMethodSignature(parent)) && parent.name === node;
}

function isSniffing(node: ts.Node): boolean {
  if (ts.isTypeOfExpression(node)) return ts.isIdentifier(node.expression) && isRuntimeGlobal(node.expression);
  if (ts.isStringLiteralLike(node)) return node.text === "Deno" || node.text === "Bun";
  if (ts.isIdentifier(node) && node.text === "navigator") return !isMemberName(node);
  if (!ts.isPropertyAccessExpression(node)) return false;
  if (isGlobalThis(node.expression)) return [...runtimeGlobals, "navigator"].includes(node.name.text);
  return node.expression.getText() === "process" && ["versions", "version", "release"].includes(node.name.text);
}

function isGlobalThis(node: ts.Node): boolean {
  if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node)) return isGlobalThis(node.expression);
  return ts.isIdentifier(node) && node.text === "globalThis";
}
