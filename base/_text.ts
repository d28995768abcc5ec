// Copyright 2026 the Sluice authors. MIT license.

/** Text for messages, dumps and logs: one line, truncated, without terminal control characters. */

/** Control, format, lone surrogate, private and line-breaking characters. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

/** The default limit of {@linkcode escapeText}, in characters. */
const longestText = 200;

/** The default limit of {@linkcode quoteText}, in characters. */
const longestQuote = 100;

/** The limit of {@linkcode describe} for strings, in characters. */
const longestString = 40;

/** The largest bigint that is shown: to convert a huge one to text could take minutes. */
const largestBigint = 10n ** 30n;

/**
 * Makes untrusted text safe for a log line or an error message: escapes unprintable characters as
 * `\u{...}`, and truncates the result to `maxLength` characters, followed by `...`. Quotes and
 * backslashes are not escaped.
 *
 * @param text The text to escape.
 * @param maxLength The maximum length of the escaped text, in characters.
 * @returns The text on one line.
 */
export function escapeText(text: string, maxLength: number = longestText): string {
  const shown = cut(text, maxLength, escape);
  return shown.whole ? shown.text : `${shown.text}...`;
}

/**
 * Quotes untrusted text for an error message: escapes quotes, backslashes and unprintable
 * characters, and truncates the result to `maxLength` characters, with `...` after the closing
 * quote.
 *
 * @param text The text to quote.
 * @param maxLength The maximum number of characters between the quotes.
 * @returns The quoted text, on one line.
 */
export function quoteText(text: string, maxLength: number = longestQuote): string {
  const shown = cut(text, maxLength, (part) => escape(JSON.stringify(part).slice(1, -1)));
  return `"${shown.text}"${shown.whole ? "" : "..."}`;
}

/** Escapes as much of `text` as fits, and reports whether that is all of it. */
function cut(text: string, maxLength: number, escapePart: (part: string) => string): { text: string; whole: boolean } {
  if (text.length <= maxLength) {
    const escaped = escapePart(text);
    if (escaped.length <= maxLength) return { text: escaped, whole: true };
  }
  let shown = "";
  for (const char of text.slice(0, maxLength)) { // half of a surrogate pair is escaped
    const next = escapePart(char);
    if (shown.length + next.length > maxLength) break;
    shown += next;
  }
  return { text: shown, whole: false };
}

function escape(text: string): string {
  return text.replace(unprintable, (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`);
}

/** Converts any value to text for a message, on one line and truncated. Never throws. */
export function textOf(value: unknown): string {
  try {
    return escapeText(String(value));
  } catch {
    return "a value without text";
  }
}

/**
 * Describes a value for the error message about a wrong argument, in a few dozen characters. Runs
 * no code of the value, except a proxy's.
 */
export function describe(value: unknown): string {
  switch (typeof value) {
    case "string":
      return quoteText(value, longestString);
    case "function":
      return "a function";
    case "symbol":
      return "a symbol";
    case "bigint":
      return value > largestBigint || value < -largestBigint ? "a bigint" : String(value);
    case "object":
      return value === null ? "null" : describeObject(value);
    default:
      return String(value);
  }
}

function describeObject(object: object): string {
  try {
    if (Array.isArray(object)) return "an array";
    const { constructor } = Object.getPrototypeOf(object);
    const name = Object.getOwnPropertyDescriptor(constructor, "name")?.value;
    if (!/^[A-Z]\w{0,39}$/.test(name) || name === "Object") return "an object";
    return `${/^[AEIO]/.test(name) ? "an" : "a"} ${name}`;
  } catch {
    return "an object";
  }
}

/** Describes a value that should be bytes. A string may be confidential data and is not shown. */
export function describeData(value: unknown): string {
  return typeof value === "string" ? "a string" : describe(value);
}
