// Copyright 2026 the Sluice authors. MIT license.

/** How parameters are written. */
import ts from "typescript";
import { isPublished, nodes, problemAt, type Rule, type Source } from "./source.ts";

/**
 * An options parameter of what users call is `options?: XOptions`: with a default, `options: XOptions = {}`, `deno doc`
 * does not show that it may be left out.
 */
export const optionsParameters: Rule = (sources) =>
  sources.filter(isPublished).flatMap((source) =>
    [...nodes(source.tree)].filter((node) => isDefaulted(node) && isExported(node.parent)).map((node) =>
      problemAt(source, node, `Write "${nameOf(node, source)}?:" instead of a default of {}`)
    )
  );

function isDefaulted(node: ts.Node): node is ts.ParameterDeclaration {
  return ts.isParameter(node) && node.initializer !== undefined && ts.isObjectLiteralExpression(node.initializer);
}

function nameOf(node: ts.Node, source: Source): string {
  return ts.isParameter(node) && ts.isIdentifier(node.name) ? node.name.getText(source.tree) : "options";
}

/** Whether the function is exported, or a method or constructor of an exported class. */
function isExported(callable: ts.Node): boolean {
  if (ts.isArrowFunction(callable) || ts.isFunctionExpression(callable)) {
    const statement = ts.findAncestor(callable, ts.isVariableStatement);
    const isInitializer = ts.isVariableDeclaration(callable.parent) && statement !== undefined;
    return isInitializer && hasExport(statement);
  }
  const owner = ts.isClassElement(callable) ? callable.parent : callable;
  return (ts.isFunctionDeclaration(owner) || ts.isClassDeclaration(owner)) && hasExport(owner);
}

function hasExport(node: ts.HasModifiers): boolean {
  return node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false;
}
