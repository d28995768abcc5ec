// Copyright 2026 the Sluice authors. MIT license.

import type { SocketOptionName } from "../../internal.ts";

/** The options that Deno's own connections have. */
const native: readonly SocketOptionName[] = ["TCP_NODELAY", "SO_KEEPALIVE"];

/** Reports whether Deno's own connections have all these options. */
export function areNative(names: readonly SocketOptionName[] = []): boolean {
  return names.every((name) => native.includes(name));
}

/** Throws unless an option can be set on an open connection of Deno. */
export function checkNativeOption(name: SocketOptionName): void {
  if (native.includes(name)) return;
  const reason = `On Deno, ${name} can only be set with the socketOptions of connect or listen`;
  throw Object.assign(new Error(reason), { code: "ENOTSUP" });
}
