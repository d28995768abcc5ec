// Copyright 2026 the Sluice authors. MIT license.

/** Debian's PostgreSQL, with an empty database. */
import { dirname, join } from "node:path";
import pg from "pg";
import { unix, type UnixAddress } from "../../mod.ts";
import { findTool } from "../_tools.ts";
import { type Daemon, daemonPeers, startDaemon } from "./_daemon.ts";

/** A PostgreSQL that runs. */
export interface Postgres extends Daemon {
  /** Its Unix socket. */
  readonly path: UnixAddress;
}

/** Who may do everything there, by SCRAM. */
export const login = { user: "sluice", password: "open sesame", database: "postgres" } as const;

let shared: Promise<Postgres> | undefined;

/** One for all tests of a file. */
export function postgres(): Promise<Postgres> {
  return shared ??= startPostgres();
}

/** Runs `fn` with a query that the shared server does not answer before `answer` is called. */
export async function withSlowQuery(
  fn: (query: string, answer: () => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const { address } = await postgres();
  const holder = new pg.Client({ ...login, host: String(address.ip), port: address.port });
  await holder.connect();
  try {
    await holder.query("select pg_advisory_lock(1)");
    await fn("select pg_advisory_xact_lock(1)", () => holder.query("select pg_advisory_unlock(1)"));
  } finally {
    await holder.end();
  }
}

/** Starts one of its own, in about a second. */
export async function startPostgres(): Promise<Postgres> {
  const programs = dirname(findTool("postgres") ?? "");
  const daemon = await startDaemon({
    script: `
      PATH="${programs}:$PATH"
      echo "${login.password}" > "$folder/password"
      initdb -D "$folder/data" -U ${login.user} --pwfile="$folder/password" -A scram-sha-256 \\
        --no-sync --no-locale -E UTF8 >/dev/null || exit
      exec postgres -D "$folder/data" -h 127.0.0.1 -p $port -k "$folder" -F -c client_connection_check_interval=50
    `,
    ready: /database system is ready to accept connections/,
    signal: "QUIT",
    user: "postgres",
  });
  return { ...daemon, path: unix(join(daemon.folder, `.s.PGSQL.${daemon.address.port}`)) };
}

/** What tests with PostgreSQL need. */
export const postgresPeers: readonly string[] = daemonPeers("postgres");
