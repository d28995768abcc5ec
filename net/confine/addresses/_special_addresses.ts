// Copyright 2026 the Sluice authors. MIT license.

/**
 * The addresses and names that are not public: data. When a registry changes, change this file, its
 * date, and the copy in `tests/fixtures/`.
 *
 * Source: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, RFC 8190), as of
 * their update of 2025-10-09, compared on 2026-11-30 with copies of IANA's CSV files (the fixture
 * names them). Also what they call globally reachable is not public here, NAT64 aside: anycast
 * services of a network, and tunnels.
 */

/** A block of addresses, and what it is for. */
export type SpecialBlock = readonly [block: string, purpose: string];

/** The month of the newest allocation of the IANA registries that is included. */
export const registryDate = "2025-04";

/** Blocks of IPv4 that are not public. */
export const specialBlocks4: readonly SpecialBlock[] = [
  // IANA IPv4 Special-Purpose Address Registry.
  ["0.0.0.0/8", "this network (RFC 791)"],
  ["10.0.0.0/8", "private use (RFC 1918)"],
  ["100.64.0.0/10", "shared address space (RFC 6598)"],
  ["127.0.0.0/8", "loopback (RFC 1122)"],
  ["169.254.0.0/16", "link-local (RFC 3927)"],
  ["172.16.0.0/12", "private use (RFC 1918)"],
  ["192.0.0.0/24", "IETF protocol assignments (RFC 6890)"],
  ["192.0.2.0/24", "documentation (RFC 5737)"],
  ["192.31.196.0/24", "AS112 (RFC 7535)"],
  ["192.52.193.0/24", "AMT (RFC 7450)"],
  ["192.88.99.0/24", "6to4 relay anycast (RFC 7526)"],
  ["192.168.0.0/16", "private use (RFC 1918)"],
  ["192.175.48.0/24", "direct delegation AS112 service (RFC 7534)"],
  ["198.18.0.0/15", "benchmarking (RFC 2544)"],
  ["198.51.100.0/24", "documentation (RFC 5737)"],
  ["203.0.113.0/24", "documentation (RFC 5737)"],
  ["240.0.0.0/4", "reserved (RFC 1112)"],
  // IANA IPv4 Multicast Address Space Registry.
  ["224.0.0.0/4", "multicast (RFC 5771)"],
  // Services of clouds for their own machines, inside the public space.
  ["168.63.129.16/32", "Azure platform services"],
];

/** The only block of IPv6 from which public addresses are assigned (RFC 4291). */
export const globalUnicast6 = "2000::/3";

/** The block of NAT64 (RFC 6052): its addresses are judged by the IPv4 address that they carry. */
export const nat64 = "64:ff9b::/96";

/**
 * Blocks of IPv6 that are not public. Those outside {@linkcode globalUnicast6} are listed only to
 * name their purpose.
 */
export const specialBlocks6: readonly SpecialBlock[] = [
  // IANA IPv6 Special-Purpose Address Registry.
  ["::1/128", "loopback (RFC 4291)"],
  ["::/128", "unspecified (RFC 4291)"],
  ["64:ff9b:1::/48", "local IPv4/IPv6 translation (RFC 8215)"],
  ["100::/64", "discard only (RFC 6666)"],
  ["100:0:0:1::/64", "dummy prefix (RFC 9780)"],
  ["2001::/32", "Teredo (RFC 4380)"],
  ["2001:2::/48", "benchmarking (RFC 5180)"],
  ["2001:3::/32", "AMT (RFC 7450)"],
  ["2001:4:112::/48", "AS112 (RFC 7535)"],
  ["2001:10::/28", "ORCHID, deprecated (RFC 4843)"],
  ["2001:20::/28", "ORCHIDv2 (RFC 7343)"],
  ["2001:30::/28", "drone remote identification (RFC 9374)"],
  ["2001::/23", "IETF protocol assignments (RFC 2928)"],
  ["2001:db8::/32", "documentation (RFC 3849)"],
  ["2002::/16", "6to4 (RFC 3056)"],
  ["2620:4f:8000::/48", "direct delegation AS112 service (RFC 7534)"],
  ["3fff::/20", "documentation (RFC 9637)"],
  ["5f00::/16", "segment routing (RFC 9602)"],
  ["fc00::/7", "unique local (RFC 4193)"],
  ["fe80::/10", "link-local (RFC 4291)"],
  // Other registries and RFCs.
  ["::/96", "IPv4-compatible (RFC 4291)"],
  ["::ffff:0:0:0/96", "IPv4-translated (RFC 2765)"],
  ["fec0::/10", "site-local (RFC 3879)"],
  ["ff00::/8", "multicast (RFC 4291)"],
];

/**
 * Names that are not public: names for this host (RFC 6761), the local link (RFC 6762), private
 * networks (RFC 8375, and `internal`, which ICANN has reserved), and what clouds, Docker and
 * Kubernetes call their own services. `*.` is a domain and everything below it.
 */
export const localNames: readonly string[] = [
  "*.localhost",
  "*.localdomain",
  "*.local", // also cluster.local of Kubernetes
  "*.internal", // also metadata.google.internal and host.docker.internal
  "*.intranet",
  "*.corp",
  "*.home",
  "*.lan",
  "*.home.arpa",
  "kubernetes.default",
  "*.svc",
];
