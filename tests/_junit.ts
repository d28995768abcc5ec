// Copyright 2026 the Sluice authors. MIT license.

/** JUnit reports: the only format that all three test runners can write. */

/** The outcome of a test. Cancelled, timed out and errored tests have failed. */
export type Outcome = "passed" | "failed" | "skipped";

/** A test in a report. */
export interface Case {
  /** The name passed to `test()`. */
  name: string;
  /** How it ended. */
  outcome: Outcome;
}

const caseTag = /<testcase((?:\s+[\w:.-]+="[^"]*")*)\s*(?:\/>|>([\s\S]*?)<\/testcase>)/g;

/** Returns the tests of a report in order, or `undefined` if the text is not a complete report. */
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

/** Undoes escapes, however nested: Node escapes a quotation mark twice. */
function unescape(text: string): string {
  const once = text.replace(/&(?:lt|gt|quot|apos|amp|#(?:\d+|x[\da-f]+));/gi, decodeEntity);
  return once === text ? once : unescape(once);
}

function decodeEntity(entity: string): string {
  const named = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&" }[entity];
  if (named !== undefined) return named;
  return String.fromCodePoint(entity[2] === "x" ? parseInt(entity.slice(3), 16) : parseInt(entity.slice(2), 10));
}
