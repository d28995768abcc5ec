// Copyright 2026 the Sluice authors. MIT license.

/** Foreign servers on loopback, each with a port and a folder of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { tcp, type TcpAddress } from "../../mod.ts";
import { ownPort } from "../net/_helpers.ts";

/** A server that runs. It ends with this process, whatever ends that, or sooner with an `await using`. */
export interface Daemon extends AsyncDisposable {
  /** Where it listens. */
  readonly address: TcpAddress;
  /** Its folder, which is removed when it ends. */
  readonly folder: string;
  /** Ends it at once, without a word to its clients, and waits for that. */
  stop(): Promise<void>;
}

/** How a server is started. */
export interface DaemonOptions {
  /** Lines of a shell that start it, by `exec` at last. `$folder` is its folder, `$port` the port that it is to listen on. */
  readonly script: string;
  /** What it prints once it serves. */
  readonly ready: RegExp;
  /** The signal that ends it at once. */
  readonly signal: "QUIT" | "TERM";
  /** The user that it runs as where we are root. */
  readonly user: string;
}

/** What tests of such a server need: the program, and where we are root what makes it somebody else's. */
export function daemonPeers(program: string): readonly string[] {
  return process.getuid?.() === 0 ? [program, "setpriv"] : [program];
}

/** How many ports may be somebody else's. */
const attempts = 5;

/** Starts a server on a port that is nobody else's, even when it has ended, and waits until it serves. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  for (let attempt = 1;; attempt++) {
    try {
      return await start(options, ownPort());
    } catch (error) {
      if (attempt === attempts || !/address already in use/i.test(String(error))) throw error;
    }
  }
}

async function start({ script, ready, signal, user }: DaemonOptions, port: number): Promise<Daemon> {
  const asUser = process.getuid?.() === 0 ? ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--init-groups"] : [];
  const [program, ...args] = [...asUser, "sh", "-c", keeper(script), "sh", String(port), signal];
  const child = spawn(program, args, {
    cwd: "/",
    detached: true, // a group of its own
    env: { ...process.env, LC_ALL: "C" },
    stdio: ["pipe", "pipe", "ignore"],
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const output = await outputUntil(child, ready);
  // This process need not stay for it.
  for (const each of [child, child.stdin, child.stdout]) (each as Partial<ChildProcess>).unref?.();
  child.stdout.resume();
  const stop = () => {
    child.ref();
    child.stdin.end();
    return ended;
  };
  return {
    address: tcp("127.0.0.1", port),
    folder: output.slice(0, output.indexOf("\n")),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/**
 * A shell that makes the folder, runs the server, and removes the folder when the server has ended. It ends the server when its
 * own input ends, which nobody writes to: when this process does, at the latest. It tells the whole group again and again, for what is just
 * starting does not listen yet.
 */
const keeper = (script: string) => `
  exec 2>&1
  port=$1
  signal=$2
  folder=$(mktemp -d "\${TMPDIR:-/tmp}/sluice-XXXXXX") || exit
  echo "$folder"
  exec 3<&0
  trap : $signal
  (
    ${script}
  ) </dev/null 3<&- &
  server=$!
  (
    trap "" $signal
    read -r _ <&3
    while kill -s $signal 0; do sleep 0.1; done
  ) &
  while kill -s 0 $server 2>/dev/null; do wait $server; done
  kill -s KILL $!
  rm -rf "$folder"
`;

/** What it prints, up to what it prints when it is ready. */
function outputUntil(child: ReturnType<typeof spawn>, ready: RegExp): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    if (ready.test(output)) resolve(output);
  });
  child.once("error", reject);
  child.once("close", () => reject(new Error(`Cannot start the server: ${output}`)));
  return promise;
}
