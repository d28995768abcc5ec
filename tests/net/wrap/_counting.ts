// Copyright 2026 the Sluice authors. MIT license.

/** A user's wrapper over `net/wrap`: a network that counts. */
import type { Net } from "../../../mod.ts";
import { type ConnectionHooks, wrapNet } from "../../../net/wrap/mod.ts";

/** Usage of a network. */
export interface Usage {
  bytesIn: number;
  bytesOut: number;
  datagramsIn: number;
  datagramsOut: number;
  /** The number of open connections, listeners and datagram sockets. */
  open: number;
}

/** Wraps `net`, and counts its usage. */
export function counting(net: Net): { net: Net; usage: Usage } {
  const usage: Usage = { bytesIn: 0, bytesOut: 0, datagramsIn: 0, datagramsOut: 0, open: 0 };
  const received = (size: number) => void (usage.bytesIn += size);
  const sent = (size: number) => void (usage.bytesOut += size);
  const closed = () => usage.open--;
  const opened = async <T>(opening: Promise<T>): Promise<T> => {
    const it = await opening;
    usage.open++;
    return it;
  };
  const connection: ConnectionHooks = { received, sent, closed };
  const counted = wrapNet(net, {
    connect: (next) => opened(next(connection)),
    listen: (next) => opened(next({ accept: (next) => opened(next(connection)), closed })),
    datagramSocket: (next) =>
      opened(next({
        received: (size) => void (usage.datagramsIn++, received(size)),
        sent: (size) => void (usage.datagramsOut++, sent(size)),
        closed,
      })),
  });
  return { net: counted, usage };
}
