// Copyright 2026 the Sluice authors. MIT license.

/** `node_pipe.ts PORT`: an echo on bare `node:net`, by `pipe`. */
import { serveNode } from "./_node_server.ts";

serveNode((socket) => socket.pipe(socket));
