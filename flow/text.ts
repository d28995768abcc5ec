// Copyright 2026 the Sluice authors. MIT license.

/** UTF-8, by one decoder and one encoder for all, as making one costs more than using it. */

let decoder: TextDecoder | undefined;
let encoder: TextEncoder | undefined;

/** The text that `bytes` are: invalid ones become U+FFFD, and a byte order mark is kept. */
export function decode(bytes: Uint8Array): string {
  return (decoder ??= new TextDecoder("utf-8", { ignoreBOM: true })).decode(bytes);
}

/** The bytes of `text`, in memory of their own: a lone surrogate becomes U+FFFD. */
export function encode(text: string): Uint8Array<ArrayBuffer> {
  return (encoder ??= new TextEncoder()).encode(text);
}

/** Writes the bytes of `text` to `memory`, as far as whole characters fit. */
export function encodeInto(text: string, memory: Uint8Array): { read: number; written: number } {
  return (encoder ??= new TextEncoder()).encodeInto(text, memory);
}

/** A byte as messages name it: `97 ("a")`. */
export function describeByte(byte: number): string {
  return byte >= 0x20 && byte < 0x7f ? `${byte} (${JSON.stringify(String.fromCharCode(byte))})` : String(byte);
}
