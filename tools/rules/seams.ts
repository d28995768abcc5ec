// Copyright 2026 the Sluice authors. MIT license.

/** Delays, turns of the event loop and random numbers come from the library's own seams, so that they can be replaced. */
import ts from "typescript";
import { isPublished, nodeRule, type Rule, type Source } from "./source.ts";

/** The seams themselves, and what talks to the system: there is nothing to replace below that. */
const exempt = /^(base\/_random|switch\/_context)\.ts$|^net\/(backends|env)\//;

/** The functions that are called by their name alone. */
const functions = ["setTimeout", "setInterval", "setImmediate"];

/** The functions that are called on an object. */
const methods = ["Math.random", "Date.now", "performance.now", "crypto.getRandomValues", "crypto.randomUUID"];

/** Names what comes from the system where a seam should be asked. */
export const seams: Rule = nodeRule(
  (source: Source) => isPublished(source) && !exempt.test(source.path),
  (node) => {
    if (ts.isStringLiteral(node) && /^(node:)?timers(\/promises)?$/.test(node.text)) return message(node.text);
    if (ts.isNewExpression(node) && node.expression.getText() === "Date" && !node.arguments?.length) {
      return message("new Date()");
    }
    if (ts.isPropertyAccessExpression(node)) {
      const name = node.getText().replace(/^globalThis\./, "");
      return [...methods, ...functions].includes(name) ? message(name) : undefined;
    }
    if (!ts.isCallExpression(node) || !ts.isIdentifier(node.expression)) return undefined;
    return functions.includes(node.expression.text) ? message(node.expression.text) : undefined;
  },
);

function message(name: string): string {
  return `Time and chance come from a Clock, switch/_context.ts or base/_random.ts, not from ${name}`;
}
