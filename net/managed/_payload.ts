// Copyright 2026 the Sluice authors. MIT license.

import { describeData } from "../../base/internal.ts";
import { encode, isBytes, viewOf } from "../../flow/internal.ts";

/** Returns the bytes to send: those of a text, or a view of the caller's. */
export function payloadOf(action: string, data: Uint8Array | string): Uint8Array {
  if (typeof data === "string") return encode(data);
  if (isBytes(data)) return viewOf(data);
  throw new TypeError(`Cannot ${action} ${describeData(data)}: must be a Uint8Array or a string`);
}
