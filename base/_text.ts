// Copyright 2026 the Sluice authors. MIT license.

/** Text for messages, dumps and logs: one line, cut, and without anything that a terminal obeys. */

/** Control, format, lone surrogate, private and line-breaking characters. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

/** The longest text that {@linkcode escapeText} makes, without the `...` after it. */
const longestText = 200;

/** The longest text in quotes that {@linkcode quoteText} makes. */
const longestQuote = 100;

/** How many characters of a string {@linkcode describe} shows. */
const longestString = 40;

/** Making the text of a larger number could take minutes. */
const mostShown = 10n ** 30n;

/**
 * Makes untrusted text safe for a log line or an error message: unprintable characters are written
 * as `\u{…}`, and what would take more than `maxLength` characters is cut and ends in `...`. Quotes
 * and backslashes stay as they are.
 *
 * @param text The text to escape.
 * @param maxLength How many characters the escaped text has at most.
 * @returns The text on one line.
 */
export function escapeText(text: string, maxLength: number = longestText): string {
  const shown = cut(text, maxLength, escape);
  return shown.whole ? shown.text : `${shown.text}...`;
}

/**
 * Puts untrusted text in quotes for an error message, with quotes, backslashes and unprintable
 * characters escaped. What would take more than `maxLength` characters is cut, which `...` after the
 * closing quote shows.
 *
 * @param text The text to quote.
 * @param maxLength How many characters there are between the quotes at most.
 * @returns The quoted text, on one line.
 */
export function quoteText(text: string, maxLength: number = longestQuote): string {
  const shown = cut(text, maxLength, (part) => escape(JSON.stringify(part).slice(1, -1)));
  return `"${shown.text}"${shown.whole ? "" : "..."}`;
}

/** Escapes as much of a text as has room, and says whether that is all of it. */
function cut(text: string, maxLength: number, escapePart: (part: string) => string): { text: string; whole: boolean } {
  if (text.length <= maxLength) {
    const escaped = escapePart(text);
    if (escaped.length <= maxLength) return { text: escaped, whole: true };
  }
  let shown = "";
  for (const char of text.slice(0, maxLength)) { // a character that is cut in half is escaped
    const next = escapePart(char);
    if (shown.length + next.length > maxLength) break;
    shown += next;
  }
  return { text: shown, whole: false };
}

function escape(text: string): string {
  return text.replace(unprintable, (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`);
}

/**
 * The text of any value for a message, on one line and cut. A value that has no text, or refuses to
 * tell it, fails nothing.
 */
export function textOf(value: unknown): string {
  try {
    return escapeText(String(value));
  } catch {
    return "a value without text";
  }
}

/**
 * What a value is, for the message of an error about a wrong argument: a few dozen characters at
 * most. It runs no code of the value, but for a proxy's.
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
      return value > mostShown || value < -mostShown ? "a bigint" : String(value);
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

/** The same for a value where bytes belong: a string could be what a user sends, and is not shown. */
export function describeData(value: unknown): string {
  return typeof value === "string" ? "a string" : describe(value);
}
