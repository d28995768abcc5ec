// Copyright 2026 the Sluice authors. MIT license.

import {
  checkOptionName,
  checkOptionValue,
  IpAddress,
  NetError,
  type SocketOptionName,
  type SocketOptionValue,
} from "../../internal.ts";
import type { Life } from "./_life.ts";
import type { MockLog } from "./_mock_log.ts";

/** Options that can only be set. */
const onlySet: ReadonlySet<SocketOptionName> = new Set([
  "IP_ADD_MEMBERSHIP",
  "IP_ADD_SOURCE_MEMBERSHIP",
  "IP_DROP_MEMBERSHIP",
  "IP_DROP_SOURCE_MEMBERSHIP",
  "IPV6_JOIN_GROUP",
  "IPV6_LEAVE_GROUP",
]);

/** Initial values that are neither `false` nor 0. */
const initially: ReadonlyMap<SocketOptionName, SocketOptionValue> = new Map<SocketOptionName, SocketOptionValue>([
  ["SO_LINGER", null],
  ["TCP_CONGESTION", ""],
  ["IP_MULTICAST_IF", IpAddress.any4],
  ["IPV6_MULTICAST_IF", ""],
  ["IP_LOCAL_PORT_RANGE", Object.freeze([0, 0] as const)],
]);

/** The options of a mock socket: logged, and stored without effect. */
export class MockSocketOptions {
  readonly #log: MockLog;
  readonly #life: Life;
  readonly #values: Map<SocketOptionName, SocketOptionValue> = new Map();

  constructor(log: MockLog, life: Life) {
    this.#log = log;
    this.#life = life;
  }

  set(name: unknown, value: unknown): void {
    if (this.#life.isOver) throw this.#life.closedError("set an option");
    const option = checkOptionName("setOption", name);
    const checked = checkOptionValue(option, value);
    this.#values.set(option, checked);
    this.#log.note(`set ${option} ${textOfValue(checked)}`);
  }

  get(name: unknown): SocketOptionValue {
    if (this.#life.isOver) throw this.#life.closedError("get an option");
    const option = checkOptionName("getOption", name);
    if (onlySet.has(option)) throw new NetError("invalid_option", { operation: "getOption", address: option });
    this.#log.note(`get ${option}`);
    return this.#values.get(option) ?? initialValue(option);
  }
}

function initialValue(name: SocketOptionName): SocketOptionValue {
  const value = initially.get(name);
  if (value !== undefined) return value;
  try {
    return checkOptionValue(name, false);
  } catch {
    return 0; // not a flag
  }
}

function textOfValue(value: SocketOptionValue): string {
  return typeof value === "object" && !IpAddress.isIpAddress(value) ? JSON.stringify(value) : String(value);
}
