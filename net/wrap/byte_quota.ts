// Copyright 2026 the Sluice authors. MIT license.

/**
 * A quota of bytes for a hook of a wrapper. Operations that run at once, also of several
 * connections, can share one, because each takes its bytes before it moves them.
 *
 * @example A hundred bytes for all connections of a listener
 * ```ts
 * import { type ListeningSocket, NetError } from "@sluice/io";
 * import { type ByteQuota, wrapListener } from "@sluice/io/net/wrap";
 *
 * function limited(listener: ListeningSocket): ListeningSocket {
 *   let left = 100;
 *   const incoming: ByteQuota = {
 *     take(size, least) {
 *       const taken = Math.min(size, left);
 *       if (taken < least) throw new NetError("quota_exceeded", { operation: "read" });
 *       left -= taken;
 *       return taken;
 *     },
 *     giveBack: (size) => void (left += size),
 *   };
 *   return wrapListener(listener, { accept: (next) => next({ incoming }) });
 * }
 * ```
 */
export interface ByteQuota {
  /**
   * Takes bytes from the quota: at most `size`, which is how many the operation could move, and at
   * least `least`. For a stream that is 1, and for a datagram its size.
   *
   * @param size The most bytes to take.
   * @param least The fewest bytes to take.
   * @returns How many were taken.
   * @throws {unknown} If fewer than `least` are left. It is what the operation throws, which has
   * moved nothing then.
   */
  take(size: number, least: number): number;
  /**
   * Gives back bytes that were taken and not moved. Must not throw.
   *
   * @param size How many: at least 1.
   */
  giveBack(size: number): void;
}
