// Copyright 2026 the Sluice authors. MIT license.

/** `bun_echo.ts PORT`: an echo on bare `Bun.listen`, by callbacks. Bun only. */
import { joined, serveBun } from "./_bun_server.ts";

serveBun(joined((socket) => socket));
