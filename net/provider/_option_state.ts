// Copyright 2026 the Sluice authors. MIT license.

/**
 * The options of a socket: which ones apply to it, which its backend supports, and their values.
 */
import { describe } from "../../base/internal.ts";
import {
  type Address,
  checkOptionName,
  checkOptionValue,
  type HostAddress,
  NetError,
  netErrorFrom,
  type SocketOptionEntry,
  type SocketOptionName,
  type SocketOptions,
  type SocketOptionTypes,
  type SocketOptionValue,
} from "../internal.ts";
import type { NetProvider, ProviderOptions, SocketKind } from "./provider.ts";

/** Options that take effect only when the socket is bound. */
const beforeBinding: ReadonlySet<SocketOptionName> = new Set(["IPV6_V6ONLY"]);

/** Options that perform an action, and so have no value to read. */
const actions: ReadonlySet<SocketOptionName> = new Set([
  "IP_ADD_MEMBERSHIP",
  "IP_DROP_MEMBERSHIP",
  "IP_ADD_SOURCE_MEMBERSHIP",
  "IP_DROP_SOURCE_MEMBERSHIP",
  "IPV6_JOIN_GROUP",
  "IPV6_LEAVE_GROUP",
]);

const none: ReadonlySet<SocketOptionName> = new Set();

/** Returns the options that a provider can set on sockets at `address`. None on Unix sockets. */
export function supportedOptionsOf(
  provider: NetProvider,
  kind: SocketKind,
  address: Address | HostAddress,
): ReadonlySet<SocketOptionName> {
  return address.transport === "unix" ? none : provider.socketOptions?.[kind] ?? none;
}

/** Checks all options of a socket before it is opened at `address`. */
export function checkSocketOptions(
  options: SocketOptions | undefined,
  address: Address | HostAddress,
  supportedOptions: ReadonlySet<SocketOptionName>,
): readonly SocketOptionEntry[] {
  if (options === undefined) return [];
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot use socketOptions as they must be an object: current value is ${describe(options)}`);
  }
  const entries: SocketOptionEntry[] = [];
  for (const [key, value] of Object.entries(options)) {
    const name = checkOptionName("setOption", key);
    if (value === undefined) continue;
    entries.push([name, checkOptionValue(name, value)]);
    checkSupported(name, address, supportedOptions);
  }
  return entries;
}

/**
 * Returns the entries that apply to `address`: those for a host name may fit only one IP version.
 */
export function fitting(entries: readonly SocketOptionEntry[], address: Address): readonly SocketOptionEntry[] {
  return entries.filter(([name]) => fits(name, address));
}

/** Returns the value of `name` in `entries`. */
export function initialOption<N extends SocketOptionName>(
  entries: readonly SocketOptionEntry[],
  name: N,
): SocketOptionTypes[N] | undefined {
  return entries.find(([key]) => key === name)?.[1] as SocketOptionTypes[N] | undefined;
}

/** The options of an open socket. */
export class OptionState {
  readonly #address: Address;
  readonly #supportedOptions: ReadonlySet<SocketOptionName>;
  readonly #system: ProviderOptions;
  readonly #values: Map<SocketOptionName, SocketOptionValue> = new Map();

  /**
   * @param address The address that the socket is bound to.
   * @param supportedOptions The options that the backend can set.
   * @param system The socket in the backend.
   * @param initialOptions The options to set at once, already checked.
   */
  constructor(
    address: Address,
    supportedOptions: ReadonlySet<SocketOptionName>,
    system: ProviderOptions,
    initialOptions: readonly SocketOptionEntry[] = [],
  ) {
    this.#address = address;
    this.#supportedOptions = supportedOptions;
    this.#system = system;
    for (const [name, value] of initialOptions) {
      if (beforeBinding.has(name)) this.#values.set(name, value);
      else this.#apply(name, value);
    }
  }

  /** Whether no option has been set. */
  get isEmpty(): boolean {
    return this.#values.size === 0;
  }

  /** The options that were set, oldest first. */
  get entries(): readonly SocketOptionEntry[] {
    return [...this.#values];
  }

  /** Sets an option. */
  set(name: string, value: unknown): void {
    const checked = checkOptionName("setOption", name);
    const checkedValue = checkOptionValue(checked, value);
    checkSupported(checked, this.#address, this.#supportedOptions);
    if (beforeBinding.has(checked)) throw new NetError("invalid_option", { operation: "setOption", address: name });
    this.#apply(checked, checkedValue);
  }

  /** Returns what the system reports, or else the last value that was set. */
  get<N extends SocketOptionName>(name: N): SocketOptionTypes[N] {
    const source = { operation: "getOption", address: name };
    checkOptionName("getOption", name);
    if (!fits(name, this.#address) || actions.has(name)) throw new NetError("invalid_option", source);
    let value: SocketOptionValue | undefined;
    try {
      // A runtime invents values for options that it does not support.
      if (this.#supportedOptions.has(name)) value = this.#system.getOption?.(name);
    } catch (cause) {
      throw netErrorFrom(cause, source);
    }
    value ??= this.#values.get(name);
    if (value === undefined) throw new NetError("not_supported", source);
    return value as SocketOptionTypes[N];
  }

  #apply(name: SocketOptionName, value: SocketOptionValue): void {
    try {
      this.#system.setOption?.(name, value);
    } catch (cause) {
      throw netErrorFrom(cause, { operation: "setOption", address: name });
    }
    if (actions.has(name)) return;
    this.#values.delete(name); // keeps the order of the calls
    this.#values.set(name, value);
  }
}

function checkSupported(
  name: SocketOptionName,
  address: Address | HostAddress,
  supportedOptions: ReadonlySet<SocketOptionName>,
): void {
  const code = !fits(name, address) ? "invalid_option" : !supportedOptions.has(name) ? "not_supported" : undefined;
  if (code !== undefined) throw new NetError(code, { operation: "setOption", address: name });
}

/**
 * Reports whether an option applies to `address`, by its prefix. A host may have both IP versions.
 */
function fits(name: SocketOptionName, address: Address | HostAddress): boolean {
  const [prefix] = name.split("_", 1);
  if (prefix === "SO") return true;
  if (address.transport === "unix") return false;
  if (prefix === "TCP") return address.transport !== "udp";
  return address.transport === "host" || address.ip.version === (prefix === "IP" ? 4 : 6);
}
