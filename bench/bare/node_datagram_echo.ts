// Copyright 2026 the Sluice authors. MIT license.

/** `node_datagram_echo.ts PORT`: gives back each datagram, on bare `node:dgram`. */
import { serveDatagrams } from "./_node_datagrams.ts";

serveDatagrams((socket, message, { port, address }) => socket.send(message, port, address));
