// Copyright 2026 the Sluice authors. MIT license.

/**
 * Asks a PostgreSQL over our own sockets. The pool opens them when it needs them, in `sw`, and a caller who gives up keeps none
 * of the others waiting.
 *
 *     deno run -A examples/postgres.ts HOST PORT USER PASSWORD
 *     bun examples/postgres.ts HOST PORT USER PASSWORD
 *     node examples/postgres.ts HOST PORT USER PASSWORD
 */
import process from "node:process";
import pg from "pg";
import { hostAddress, interruptible, run, Switch, TimeoutError, withTimeout } from "@sluice/io";
import { toDuplex } from "@sluice/io/flow/node";

const [host = "127.0.0.1", port = "5432", user = "postgres", password = ""] = process.argv.slice(2);

await run(({ net, clock }) =>
  Switch.run(async (sw) => {
    const stream = () => toDuplex(() => net.connect(sw, hostAddress(host, Number(port))), { sw, allowHalfOpen: false });
    const pool = new pg.Pool({ user, password, database: "postgres", max: 1, stream });
    pool.on("error", (error) => console.error(error.message));
    const slow = () => interruptible(pool.query("select pg_sleep(2)"));
    const late = withTimeout(clock, 100, slow).catch((error: unknown) => error);
    const count = "select numbackends as sessions from pg_stat_database where datname = current_database()";
    const { rows } = await pool.query(count); // waits for the slow one, on the same connection
    console.log(`timed out: ${await late instanceof TimeoutError}; sessions: ${rows[0].sessions}`);
  }) // the connection is closed here, though nobody ended the pool
);
