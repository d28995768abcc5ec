// Copyright 2026 the Sluice authors. MIT license.

/** The imports of a file. */
import { posix } from "node:path";
import ts from "typescript";
import { nodes, type Source } from "./source.ts";

/** An import, a re-export, a dynamic import or an import type. */
export interface Import {
  /** What is imported, as written. */
  specifier: string;
  /** The path of the file, when the import is relative. */
  target: string | undefined;
  /** Whether nothing of it is left in JavaScript. */
  typeOnly: boolean;
  /** Where. */
  node: ts.Node;
}

/** Every import of a file. */
export function importsOf(source: Source): Import[] {
  const imports: Import[] = [];
  for (const node of nodes(source.tree)) {
    const found = readImport(node);
    if (found === undefined) continue;
    const { specifier } = found;
    const target = /^\.\.?\//.test(specifier) ? posix.join(posix.dirname(source.path), specifier) : undefined;
    imports.push({ ...found, target, node });
  }
  return imports;
}

function readImport(node: ts.Node): { specifier: string; typeOnly: boolean } | undefined {
  if (ts.isImportDeclaration(node)) {
    // `import { type A }` still loads the module: only `import type` leaves nothing.
    const typeOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
    return { specifier: textOf(node.moduleSpecifier), typeOnly };
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
    return { specifier: textOf(node.moduleSpecifier), typeOnly: node.isTypeOnly };
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return { specifier: textOf(node.argument.literal), typeOnly: true };
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return { specifier: textOf(node.arguments[0]), typeOnly: false };
  }
  return undefined;
}

function textOf(node: ts.Node | undefined): string {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : "(computed)";
}
