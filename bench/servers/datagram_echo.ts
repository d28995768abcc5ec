// Copyright 2026 the Sluice authors. MIT license.

/** `datagram_echo.ts PORT`: gives back each datagram. */
import { serveDatagrams } from "./_serve.ts";

await serveDatagrams(async (socket) => {
  for (;;) for (const { data, from } of await socket.recvMany()) await socket.send(data, from);
});
