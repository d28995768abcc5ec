// Copyright 2026 the Sluice authors. MIT license.

/** The JUnit report, which all three test runners write: the one form of result that they share. */

/** How one test ended. Cancelled, timed out and errored are all "failed". */
export type Outcome = "passed" | "failed" | "skipped";

/** One test of a report. */
export interface Case {
  /** The name given to `test()`. */
  name: string;
  /** How it ended. */
  outcome: Outcome;
}

const caseTag = /<testcase((?:\s+[\w:.-]+="[^"]*")*)\s*(?:\/>|>([\s\S]*?)<\/testcase>)/g;

/** The tests in a report, in order; `undefined` when the text is not a whole report. */
export function parseJunit(xml: string): Case[] | undefined {
  if (!/<\/testsuites>|<testsuites[^<>]*\/>/.test(xml)) return undefined;
  return Array.from(xml.matchAll(caseTag), ([, attributes, body = ""]) => {
    const name = /\sname="([^"]*)"/.exec(attributes)?.[1] ?? "";
    return { name: unescape(name), outcome: outcomeOf(body) };
  });
}

function outcomeOf(body: string): Outcome {
  if (/<(failure|error)\b/.test(body)) return "failed";
  return /<skipped\b/.test(body) ? "skipped" : "passed";
}

/** Undoes the escapes, as often as they were done: Node escapes a quotation mark twice. */
function unescape(text: string): string {
  const once = text.replace(/&(?:lt|gt|quot|apos|amp|#(?:\d+|x[\da-f]+));/gi, decodeEntity);
  return once === text ? once : unescape(once);
}

function decodeEntity(entity: string): string {
  const named = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&" }[entity];
  if (named !== undefined) return named;
  return String.fromCodePoint(entity[2] === "x" ? parseInt(entity.slice(3), 16) : parseInt(entity.slice(2), 10));
}
