// Copyright 2026 the Sluice authors. MIT license.

/** The characters of HTTP/1.1 (RFC 9110, section 5.6; RFC 9112). */

/** The bit of bytes that may stand in a token, such as the name of a header. */
export const tokenByte = 1;
/** The bit of bytes that may stand in the value of a header: no control character but a tab. */
export const valueByte = 2;

/** For each byte, the bits of the parts in which it may stand. */
export const kindOfByte: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]$/.test(String.fromCharCode(byte)) ? tokenByte : 0;
  const value = byte === 9 || (byte >= 0x20 && byte !== 0x7f) ? valueByte : 0;
  return token | value;
});

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const value = /^[\t\x20-\x7e\x80-\xff]*$/;
const target = /^[\x21-\x7e]+$/;

/** Reports whether `text` is a token: a method, or the name of a header. */
export function isToken(text: string): boolean {
  return token.test(text);
}

/** Reports whether `text` may be the value of a header. */
export function isFieldValue(text: string): boolean {
  return value.test(text);
}

/** Reports whether `text` may be the target of a request. */
export function isTarget(text: string): boolean {
  return target.test(text);
}

/** The most bytes that one call converts: each is an argument. */
const charactersPerCall = 4096;

/** Decodes the bytes from `start` to `end`: each byte is one character. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at += charactersPerCall) {
    const part = bytes.subarray(at, Math.min(end, at + charactersPerCall));
    text += String.fromCharCode.apply(null, part as unknown as number[]);
  }
  return text;
}
