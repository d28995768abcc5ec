// Copyright 2026 the Sluice authors. MIT license.

/** Debian's PostgreSQL, with an empty database. */
import { dirname, join } from "node:path";
import { unix, type UnixAddress } from "../../mod.ts";
import { findTool } from "../_tools.ts";
import { type Daemon, startDaemon } from "./_daemon.ts";

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
