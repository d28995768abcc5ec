// Copyright 2026 the Sluice authors. MIT license.

/** Control, format, lone surrogate, private and line-breaking characters: nothing for a log. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

/**
 * Makes untrusted text safe for a log line or an error message: unprintable characters are written
 * as `\u{…}`, and what is longer than `maxLength` is cut and ends in `...`. Quotes and backslashes
 * stay as they are.
 *
 * @param text The text to escape.
 * @param maxLength How many characters of `text` are kept.
 * @returns The text on one line.
 */
export function escapeText(text: string, maxLength: number = 300): string {
  const kept = text.length > maxLength ? `${text.slice(0, maxLength)}...` : text;
  return kept.replace(unprintable, (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`);
}

/**
 * Puts untrusted text in quotes for an error message, with quotes, backslashes and unprintable
 * characters escaped, and what is longer than `maxLength` cut, which `...` after the closing quote
 * shows.
 *
 * @param text The text to quote.
 * @param maxLength How many characters of `text` are kept.
 * @returns The quoted text, on one line.
 */
export function quoteText(text: string, maxLength: number = 100): string {
  const quoted = escapeText(JSON.stringify(text.slice(0, maxLength)), Infinity);
  return text.length > maxLength ? `${quoted}...` : quoted;
}
