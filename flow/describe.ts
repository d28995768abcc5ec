// Copyright 2026 the Sluice authors. MIT license.

/** The class of an object as messages show it. A program may name it as it likes. */
const shortTag = /^\[object [\w .$-]{1,40}\]$/;

/** A number, or a symbol with a plain name. A program may name it as it likes. */
const shortText = /^[\w .$()-]{1,40}$/;

/** Making the text of a larger number could take minutes. */
const mostShown = 10n ** 30n;

/** How much of a text is quoted. */
const quotedLength = 40;

const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

/** Describes a wrong value in a few dozen characters: what it is, and not what it holds. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case "string":
    case "function":
      return `a ${typeof value}`;
    case "bigint":
    case "symbol":
      return shortTextOf(value) ?? `a ${typeof value}`;
    case "object":
      return value === null ? "null" : tagOf(value);
    default:
      return String(value);
  }
}

/** Quotes a text that the caller supplied, on one line, and cut if it is long. */
export function quote(text: string): string {
  const kept = JSON.stringify(text.slice(0, quotedLength));
  const line = kept.replace(unprintable, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`);
  return text.length > quotedLength ? `${line}...` : line;
}

/** The text of a small number or of a symbol with a short name. */
function shortTextOf(value: bigint | symbol): string | undefined {
  if (typeof value === "bigint" && (value > mostShown || value < -mostShown)) return undefined;
  const text = String(value);
  return shortText.test(text) ? text : undefined;
}

function tagOf(value: object): string {
  try {
    const tag = Object.prototype.toString.call(value);
    return shortTag.test(tag) ? tag : "an object";
  } catch {
    return "an object"; // a revoked proxy
  }
}
