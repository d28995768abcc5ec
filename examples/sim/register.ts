// Copyright 2026 the Sluice authors. MIT license.

/**
 * A register that three replicas store: it can be read and written as long as two of them can be
 * reached. `check.ts` tests it in simulations, and `register_flawed.ts` is what they found.
 *
 * The algorithm is that of Attiya, Bar-Noy and Dolev, "Sharing Memory Robustly in Message-Passing
 * Systems" (1995). Any two majorities of the replicas have one in common, so who asks a majority
 * learns of everything that a majority has stored.
 */
import {
  BufReader,
  copyString,
  EndOfFlow,
  type ListeningSocket,
  type Net,
  NetError,
  Queue,
  retry,
  runServer,
  type Sink,
  type Source,
  Switch,
  type TcpAddress,
  withTimeout,
} from "@sluice/io";

/** A value, and which one it is. */
export interface Entry {
  /** The number of the write, and a random fraction that tells writes of the same number apart. */
  readonly version: number;
  readonly value: string;
}

/** The entry before the first write. A replica that receives it stores nothing: it is a question. */
export const empty: Entry = { version: 0, value: "" };

/** What survives a crash of a replica: a real one has a file. */
export interface Disk {
  entry: Entry;
}

/** Stores the newest entry that it receives, and answers each with the one that it stores. */
export async function serveReplica(listener: ListeningSocket, disk: Disk): Promise<void> {
  await runServer(listener, async (connection) => {
    const entry = await receive(connection);
    if (entry.version > disk.entry.version) disk.entry = entry;
    await send(disk.entry, connection);
  }, { onError: () => {} }); // the client asks again
}

/** What a client needs. */
export interface Client {
  readonly net: Net;
  readonly replicas: readonly TcpAddress[];
  readonly random: () => number;
}

/** Changes the value. If it fails, the value may have changed all the same, now or later. */
export async function write(client: Client, value: string): Promise<Entry> {
  const { version } = newest(await exchange(client, empty));
  const entry = { version: Math.floor(version) + 1 + client.random(), value };
  await exchange(client, entry);
  return entry;
}

/** Returns the newest entry. */
export async function read(client: Client): Promise<Entry> {
  const entry = newest(await exchange(client, empty));
  await exchange(client, entry); // its writer may have reached one replica only
  return entry;
}

/** How long a majority may take, in milliseconds. */
const patience = 1000;

/** Sends an entry to every replica, and returns the answers of the majority that is the fastest. */
export async function exchange({ net, replicas }: Client, entry: Entry): Promise<Entry[]> {
  const answers = new Queue<Entry>(replicas.length);
  const ask = (replica: TcpAddress) =>
    Switch.run(async (sw) => {
      const connection = await net.connect(sw, replica);
      await send(entry, connection);
      await answers.push(await receive(connection));
    });
  const policy = { attempts: Infinity, delay: 50 };
  const isRetryable = (error: unknown) => error instanceof NetError || error instanceof EndOfFlow;

  return await withTimeout(net.clock, patience, () =>
    Switch.run(async (sw) => {
      for (const replica of replicas) {
        sw.forkDaemon(() => retry(net.clock, policy, () => ask(replica), { isRetryable }));
      }
      const majority: Entry[] = [];
      while (majority.length <= replicas.length / 2) majority.push(await answers.pop());
      return majority; // this cancels the slower ones
    }));
}

/** Returns the entry with the highest version. */
export function newest(entries: readonly Entry[]): Entry {
  return entries.reduce((one, other) => one.version > other.version ? one : other);
}

async function send(entry: Entry, sink: Sink): Promise<void> {
  await copyString(`${JSON.stringify(entry)}\n`, sink);
}

async function receive(source: Source): Promise<Entry> {
  const line = await new BufReader(source).line();
  if (line === null) throw new EndOfFlow();
  return JSON.parse(line);
}
