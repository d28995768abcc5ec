// Copyright 2026 the Sluice authors. MIT license.

/**
 * What a confined network grants. Each list has rules, and without a list nothing of its kind is
 * granted.
 *
 * A rule is a host and a port:
 *
 * | Rule                                | Stands for                                             |
 * | ----------------------------------- | ------------------------------------------------------ |
 * | `"api.example.com:443"`             | the name, and no address                               |
 * | `"*.example.com:443"`               | every name below it, at any depth, but not itself      |
 * | `"10.1.2.3:5432"`, `"[::1]:*"`      | the address, and no name                               |
 * | `"10.0.0.0/8:*"`, `"[fd00::/8]:53"` | every address of the block                             |
 * | `"*:443"`                           | every name and every address                           |
 * | `"unix:/run/pg.sock"`, `"unix:@x"`  | the path or the abstract name, exactly as written      |
 * | `"unix:*"`                          | every path and abstract name                           |
 *
 * The port is a number, or `*` for any. Port 0, which the system replaces by a free one, is a port
 * of its own. Names are compared without case and final dot; internationalized ones are written as
 * A-labels. An IPv4-mapped address is its IPv4 address.
 *
 * @example An agent that may call one API, and a database in the private network
 * ```ts
 * import type { NetPolicy } from "@sluice/io/net/confine";
 *
 * const policy: NetPolicy = {
 *   connect: ["api.example.com:443", "10.0.0.0/8:5432"],
 *   deny: ["10.0.0.1"],
 * };
 * ```
 */
export interface NetPolicy {
  /**
   * What may be connected to. What a granted name resolves to is judged by `deny` and `addresses`
   * only.
   */
  connect?: readonly string[] | undefined;
  /** The addresses and Unix paths that may be listened on. No names. */
  listen?: readonly string[] | undefined;
  /**
   * The local addresses of datagram sockets, of `bindTo`, and the groups that may be joined. A
   * socket that is not bound to an address needs none. No names.
   */
  bind?: readonly string[] | undefined;
  /** The addresses that datagrams may be sent to. No names: look them up first. */
  send?: readonly string[] | undefined;
  /**
   * What may be looked up, also to connect to it: names, and addresses for `getNameInfo`, without
   * ports.
   *
   * @default {the hosts of `connect`}
   */
  lookup?: readonly string[] | undefined;
  /**
   * What is denied whatever grants it: by name, by address, and by the addresses that a name
   * resolves to. Without a port, a rule denies every port. It also denies an IPv6 address that
   * carries a denied IPv4 address (IPv4-mapped, NAT64, 6to4, ISATAP, Teredo). To `listen` and
   * `bind`, an unspecified address (`0.0.0.0`, `::`) stands for every address of this host, and is
   * denied with any of them: loopback, and those of the interfaces. On Deno, these are known with
   * `--allow-sys=networkInterfaces` only; without it, every denied address of the same version
   * counts.
   */
  deny?: readonly string[] | undefined;
  /**
   * With `"public"`, only public addresses are connected to, sent to or returned by lookups,
   * whatever name or rule led to them: none of the special-purpose registries of IANA, no metadata
   * service of a cloud, and none of this host. It does not apply to `listen` and `bind`.
   *
   * @default {"any"}
   */
  addresses?: "public" | "any" | undefined;
  /**
   * Called with each denial, before the error is thrown, and for each address of a granted name
   * that is not used. What it throws, or rejects with, is ignored: the operation is denied all the
   * same.
   */
  onDenied?: ((denial: NetDenial) => void) | undefined;
}

/**
 * What a confined network has denied, and why. It is for the owner of the network: the confined
 * code gets only a `permission_denied` error, with the target that it named itself.
 *
 * @example A line of a log
 * ```ts
 * import type { NetDenial } from "@sluice/io/net/confine";
 *
 * const toLine = ({ operation, target, reason }: NetDenial) => `denied ${operation} ${target}: ${reason}`;
 * ```
 */
export interface NetDenial {
  /** The operation: `"connect"`, `"listen"`, `"bind"`, `"send"`, `"lookup"` or `"setOption"`. */
  readonly operation: string;
  /** The target: an address in the format of `formatAddress`, a name, or the name of an option. */
  readonly target: string;
  /** The rule of `deny` that applies, if any. */
  readonly rule?: string;
  /** Why it was denied. */
  readonly reason: string;
}
