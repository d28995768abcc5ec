// Copyright 2026 the Sluice authors. MIT license.

import { checkString, describe, quoteText } from "../../../base/internal.ts";

/** The log of one mock. */
export class MockLog {
  /** What was done, a line for each. */
  readonly lines: string[];
  /** The name of the mock. */
  readonly label: string;

  constructor(action: string, label: string, lines: readonly string[] | undefined) {
    checkString(action, "label", label);
    if (lines !== undefined && (!Array.isArray(lines) || Object.isFrozen(lines))) {
      const what = Array.isArray(lines) ? "a frozen array" : describe(lines);
      throw new TypeError(`Cannot ${action} as log must be an array that can grow: current value is ${what}`);
    }
    this.label = label;
    this.lines = (lines ?? []) as string[];
  }

  /** Appends a line. */
  note(text: string): void {
    this.lines.push(`${this.label}: ${text}`);
  }

  /**
   * Appends what was done with data: a quoted row for each line of the data, one below the other.
   * Several buffers are a list, in one row.
   */
  noteData(verb: string, data: readonly Uint8Array[], rest = ""): void {
    if (data.length !== 1) return this.note(`${verb} [${data.map(quoteBytes).join(", ")}]${rest}`);
    const indent = `\n${" ".repeat(`${this.label}: ${verb} `.length)}`;
    this.note(`${verb} ${rowsOf(data[0]).map(quoteBytes).join(indent)}${rest}`);
  }
}

/** Splits data after each line feed. */
function rowsOf(data: Uint8Array): Uint8Array[] {
  const rows: Uint8Array[] = [];
  let start = 0;
  for (let end; (end = data.indexOf(0x0a, start) + 1) > 0 && end < data.length; start = end) {
    rows.push(data.subarray(start, end));
  }
  rows.push(data.subarray(start));
  return rows;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Quotes UTF-8 as text, and other bytes as ASCII with escapes. */
function quoteBytes(bytes: Uint8Array): string {
  try {
    return quoteText(utf8.decode(bytes), Infinity);
  } catch {
    const escaped = Array.from(
      bytes,
      (byte) => byte < 0x80 ? quoteText(String.fromCharCode(byte)).slice(1, -1) : `\\x${byte.toString(16)}`,
    );
    return `"${escaped.join("")}"`;
  }
}
