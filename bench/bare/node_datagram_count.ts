// Copyright 2026 the Sluice authors. MIT license.

/** `node_datagram_count.ts PORT`: what `servers/datagram_count.ts` does, on bare `node:dgram`. */
import { serveDatagrams } from "./_node_datagrams.ts";

const counts = new Map<string, number>();

serveDatagrams((socket, _, { port, address }) => {
  const sender = `${address}:${port}`;
  const count = (counts.get(sender) ?? 0) + 1;
  counts.set(sender, count);
  if (count % 32 === 0) socket.send(String(count).padStart(8, "0"), port, address);
});
