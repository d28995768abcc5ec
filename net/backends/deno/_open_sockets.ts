// Copyright 2026 the Sluice authors. MIT license.

import { clearInterval, setInterval } from "node:timers";

/** The longest delay of a timer. */
const longest = 2 ** 31 - 1;

let open = 0;
let timer: NodeJS.Timeout | undefined;

/**
 * Counts an open connection or listener. As long as there is one, the process goes on, as with
 * `node:net`: to Deno itself only a pending read or accept is a reason.
 */
export function opened(): void {
  if (++open === 1) timer = setInterval(() => {}, longest);
}

/** Counts what was counted by {@linkcode opened} as closed. */
export function closed(): void {
  if (--open === 0) clearInterval(timer);
}
