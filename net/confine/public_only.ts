// Copyright 2026 the Sluice authors. MIT license.

import { checkShape } from "../../base/internal.ts";
import type { Net } from "../internal.ts";
import { checkPolicy } from "./_checked_policy.ts";
import { confine } from "./restrict.ts";

/**
 * Returns a network that reaches any public host, and nothing else: for code that connects to what
 * a stranger names, such as a webhook or a link preview (server-side request forgery, SSRF).
 *
 * It grants connections and datagrams to public addresses, and lookups of public names. It denies
 * every address of the special-purpose registries of IANA (loopback, private, link-local,
 * documentation, multicast and the like), the metadata services of clouds, and the addresses of
 * this host; of a name that has both, only the public ones are used. Local names are denied without
 * a lookup: names of a single label, `localhost`, `local`, `internal`, `home.arpa` and everything
 * below them. Nothing can be listened on, bound or joined, and no Unix socket is reached. IPv6 is
 * limited to 2000::/3, and to NAT64 of a public IPv4 address.
 *
 * On Deno, the addresses of this host are known only with `--allow-sys=networkInterfaces`. Without
 * it, a connection to a public address of this host is closed as soon as it is established, and
 * datagrams to it are not recognized.
 *
 * Otherwise it behaves as {@linkcode restrict} does: it also reaches whatever a proxy with a public
 * address reaches.
 *
 * @param net The network.
 * @returns The confined network.
 * @throws {TypeError} If `net` is not a network.
 *
 * @example A link preview
 * ```ts
 * import { hostAddress, NetError, Switch, tcp } from "@sluice/io";
 * import { publicOnly } from "@sluice/io/net/confine";
 * import { memoryNet } from "@sluice/io/net/testing";
 * import { assertRejects } from "@std/assert";
 *
 * await Switch.run(async (sw) => {
 *   const net = publicOnly(memoryNet({ hosts: { "rebind.example": ["169.254.169.254"] } }));
 *   const denied = [hostAddress("rebind.example", 80), hostAddress("localhost", 80), tcp("::ffff:10.0.0.1", 80)];
 *   for (const target of denied) {
 *     await assertRejects(() => net.connect(sw, target), NetError, "permission denied");
 *   }
 * });
 * ```
 */
export function publicOnly(net: Net): Net {
  checkShape("confine a network", "net", "a Net", net, "connect");
  const policy = checkPolicy({ connect: ["*:*"], send: ["*:*"], lookup: ["*"], addresses: "public" });
  return confine(net, { ...policy, deniesLocalNames: true });
}
