// Copyright 2026 the Sluice authors. MIT license.

/**
 * A PostgreSQL client, `pg`, over sockets of the library. Its pool opens them on demand, and
 * `env.sw` owns them. A query that times out does not block its caller.
 *
 *     deno run -A examples/postgres.ts HOST PORT USER PASSWORD
 *     bun examples/postgres.ts HOST PORT USER PASSWORD
 *     node examples/postgres.ts HOST PORT USER PASSWORD
 */
import process from "node:process";
import pg from "pg";
import { hostAddress, interruptible, run, TimeoutError, withTimeout } from "@sluice/io";
import { toDuplex } from "@sluice/io/flow/node";

const [host = "127.0.0.1", port = "5432", user = "postgres", password = ""] = process.argv.slice(2);

await run(async ({ sw, net, clock }) => {
  const stream = () => toDuplex(() => net.connect(sw, hostAddress(host, Number(port))), { sw, allowHalfOpen: false });
  const pool = new pg.Pool({ user, password, database: "postgres", max: 1, stream });
  pool.on("error", (error) => console.error(error.message));
  const slow = () => interruptible(pool.query("select pg_sleep(2)"));
  const late = withTimeout(clock, 100, slow).catch((error: unknown) => error);
  const count = "select numbackends as sessions from pg_stat_database where datname = current_database()";
  const { rows } = await pool.query(count); // runs after the slow query, on the same connection
  console.log(`timed out: ${await late instanceof TimeoutError}; sessions: ${rows[0].sessions}`);
}); // closes the connection, although the pool was not ended
