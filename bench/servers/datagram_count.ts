// Copyright 2026 the Sluice authors. MIT license.

/** `datagram_count.ts PORT`: counts datagrams by sender, and tells it at every 32nd how many there were, in 8 digits. */
import { formatAddress } from "../../mod.ts";
import { serveDatagrams } from "./_serve.ts";

await serveDatagrams(async (socket) => {
  const counts = new Map<string, number>();
  for (;;) {
    for (const { from } of await socket.recvMany()) {
      const sender = formatAddress(from);
      const count = (counts.get(sender) ?? 0) + 1;
      counts.set(sender, count);
      if (count % 32 === 0) await socket.send(new TextEncoder().encode(String(count).padStart(8, "0")), from);
    }
  }
});
