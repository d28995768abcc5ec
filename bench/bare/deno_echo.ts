// Copyright 2026 the Sluice authors. MIT license.

/** `deno_echo.ts PORT`: an echo on bare `Deno.listen`, by a loop of reads and writes. Deno only. */
import { copyLoop, serveDeno } from "./_deno_server.ts";

await serveDeno((conn) => copyLoop(conn, conn));
