// Copyright 2026 the Sluice authors. MIT license.

import { describe } from "../../base/internal.ts";
import { encodeInto } from "../../flow/internal.ts";
import { isFieldValue, isTarget, isToken } from "./_characters.ts";
import type { Field } from "./_fields.ts";

/** The head of a request, without the header that frames its body. */
export interface RequestHead {
  /** The method, such as `"GET"`; not `"CONNECT"`. */
  readonly method: string;
  /** The target in origin form: `"/index.html?a=b"`. */
  readonly target: string;
  /**
   * The headers, `host` among them, neither `content-length` nor `transfer-encoding`. One character
   * of a value is one byte.
   */
  readonly headers: readonly Field[];
}

/**
 * Formats the head of a request, with `framing` as its last header line.
 *
 * @throws {TypeError} If a part has a character that could end it early, or must not be in it.
 */
export function formatRequestHead({ method, target, headers }: RequestHead, framing: string): string {
  if (!isToken(method) || method === "CONNECT") throw problem("method", method);
  if (!isTarget(target)) throw problem("target", target);
  let text = `${method} ${target} HTTP/1.1\r\n`;
  for (let i = 0; i < headers.length; i++) {
    const [name, value] = headers[i];
    if (!isToken(name) || isFraming(name)) throw problem("header name", name);
    if (!isFieldValue(value)) throw problem(`value of the header ${name}`, value);
    text += `${name}: ${value}\r\n`;
  }
  return `${text}${framing}\r\n`;
}

function isFraming(name: string): boolean {
  if (name.length !== 14 && name.length !== 17) return false;
  const lower = name.toLowerCase();
  return lower === "content-length" || lower === "transfer-encoding";
}

function problem(what: string, value: string): TypeError {
  return new TypeError(`Cannot send the request: ${describe(value)} is not allowed as the ${what}`);
}

/** Encodes `text`, one byte for each character up to U+00FF, followed by `rest`, in new memory. */
export function encodeWith(text: string, rest: Uint8Array | undefined): Uint8Array<ArrayBuffer> {
  const memory = new Uint8Array(text.length + (rest?.length ?? 0));
  const { written } = encodeInto(text, memory.subarray(0, text.length));
  // Characters above U+007F were encoded as two bytes each, or did not fit.
  if (written !== text.length || /[^\0-\x7f]/.test(text)) {
    for (let i = 0; i < text.length; i++) memory[i] = text.charCodeAt(i);
  }
  if (rest !== undefined) memory.set(rest, text.length);
  return memory;
}
