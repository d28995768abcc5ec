// Copyright 2026 the Sluice authors. MIT license.

/** Syntax that is not used here, although the language has it. */
import ts from "typescript";
import { isPublished, isTest, nodeRule, type Rule } from "./source.ts";

/** Syntax that plain type stripping cannot remove, and `any` where it would hide a mistake. */
export const plainSyntax: Rule = nodeRule(() => true, (node, source) => {
  if (ts.isEnumDeclaration(node)) return "No enum";
  if (ts.isModuleDeclaration(node)) return "No namespace, module or global augmentation";
  if (ts.isDecorator(node)) return "No decorator";
  const casts = ts.isAsExpression(node) || ts.isTypeAssertionExpression(node);
  if (casts && node.type.kind === ts.SyntaxKind.AnyKeyword && !source.path.startsWith("bridge/")) {
    return "No cast to any";
  }
  return undefined;
});

/** A class hides its state in `#fields`. */
export const fields: Rule = nodeRule(isPublished, (node) => {
  if (node.kind === ts.SyntaxKind.PrivateKeyword || node.kind === ts.SyntaxKind.ProtectedKeyword) {
    return `No ${node.getText()}: use #fields`;
  }
  if (ts.isParameter(node) && ts.isParameterPropertyDeclaration(node, node.parent)) return "No parameter property";
  return undefined;
});

/** Node 20 cannot parse `using`, and the packed library runs there. */
export const noUsing: Rule = nodeRule(isPublished, (node) => {
  const using = ts.isVariableDeclarationList(node) && (node.flags & ts.NodeFlags.Using) !== 0;
  return using ? "No using in library sources" : undefined;
});

/** Tests are written with `test()` of `tests/_test.ts`, and every one runs. */
export const testSyntax: Rule = nodeRule(
  (source) => isTest(source) && source.path !== "tests/_test.ts",
  (node, source) => {
    if (ts.isStringLiteralLike(node) && /^(node|bun):test(\/|$)/.test(node.text) && isModuleName(node)) {
      return `Only tests/_test.ts imports "${node.text}"`;
    }
    if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return undefined;
    const name = node.expression.name.text;
    const owner = node.expression.expression.getText(source.tree);
    if (owner === "Deno" && name === "test") return "No Deno.test()";
    const isTestCall = /^(Deno\.)?(test|it|describe|suite)$/.test(owner); // a reader has a skip() too
    return isTestCall && ["only", "skip", "todo"].includes(name) ? `No .${name}()` : undefined;
  },
);

/** Every rule of this file. */
export const syntaxRules: readonly Rule[] = [plainSyntax, fields, noUsing, testSyntax];

function isModuleName({ parent }: ts.Node): boolean {
  return ts.isImportDeclaration(parent) || ts.isExportDeclaration(parent) || ts.isCallExpression(parent);
}
