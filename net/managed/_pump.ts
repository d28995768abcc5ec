// Copyright 2026 the Sluice authors. MIT license.

/** The fiber of a managed connection, which moves bytes between its buffers and its flow. */
import { checkShape, isInstance, isPromise } from "../../base/internal.ts";
import {
  cancellableSource,
  checkSink,
  checkSource,
  giveOwned,
  ignore,
  lends,
  lendSome,
  type Sink,
  type Source,
  type TwoWay,
} from "../../flow/internal.ts";
import {
  adopt,
  any,
  awaitCancel,
  Cancelled,
  currentScope,
  type Hook,
  interruptible,
  isSwitchCancelled,
  noLongerNeeded,
  registerOwner,
  runIn,
  runUnder,
  Scope,
  Switch,
} from "../../switch/internal.ts";
import { checkStreamAddress, type Connection, type StreamAddress } from "../internal.ts";

/** The flow of a connection: one object, or one for each direction. */
export interface Ends {
  readonly source: Source | undefined;
  readonly sink: Sink | undefined;
  readonly peer: StreamAddress | undefined;
}

/** The connection, as its fiber sees it. */
export interface Pumped {
  /** The flow is there. The connection may have ended meanwhile. */
  opened(ends: Ends): void;
  /** Waits until the receive buffer has space. */
  space(): Promise<void>;
  /** Takes what has arrived, as far as there is space, and returns how many bytes. */
  arrived(bytes: Uint8Array): number;
  /** The peer has ended. */
  peerEnded(): void;
  /** Returns the next bytes to send; `undefined` if everything was sent and no more will come. */
  next(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** The sink has taken some of these bytes. */
  sent(size: number): void;
  /** Everything was sent. */
  finished(): void;
  /** Opening, reading or writing has failed. No effect after the end. */
  failed(error: unknown): void;
  /** Ends the connection, because its switch has ended. */
  close(): void;
}

/** The fiber of a connection, and its end. */
export class Pump {
  #scope: Scope | undefined;
  #end: () => void = ignore;
  readonly #ended: Promise<void> = new Promise((resolve) => this.#end = resolve);
  #released: Promise<void> = Promise.resolve();

  /** Settles once the flow is closed. */
  get released(): Promise<void> {
    return this.#released;
  }

  /** Ends the fiber. It closes the flow, or if it must not wait for the peer, resets it. */
  end(graceful: boolean): void {
    if (!graceful) this.#scope?.cancel(noLongerNeeded());
    this.#end();
  }

  /**
   * Starts the fiber, up to its first wait. It is cancelled if `sw` fails; if `sw` ends otherwise,
   * the flow is closed together with the other resources of `sw`.
   *
   * @param open Returns the flow, under a switch that ends with the connection.
   * @throws {TypeError} If `sw` has ended.
   */
  start(sw: Switch, open: (sw: Switch) => Ends | Promise<Ends>, pumped: Pumped): void {
    const release = () => {
      pumped.close();
      adopt(sw, this.#released);
    };
    let hook: Hook;
    try {
      hook = registerOwner(sw, "manage a connection", { release, label: "a managed connection" });
    } catch (error) {
      if (!isInstance(error, Cancelled)) throw error;
      return pumped.close();
    }
    const scope = this.#scope = runUnder(sw, () => new Scope(currentScope(), "managed connection"));
    const running = runIn(scope, () => Switch.run((own) => this.#serve(own, open, pumped)));
    // The state says why the connection has ended; errors of closing it are ignored.
    this.#released = running.catch(ignore).then(() => {
      hook.remove();
      scope.finish();
    });
  }

  async #serve(own: Switch, open: (sw: Switch) => Ends | Promise<Ends>, pumped: Pumped): Promise<void> {
    let ends: Ends | undefined;
    try {
      const opening = open(own);
      ends = isPromise(opening) ? await whileWanted(opening) : opening;
      pumped.opened(ends);
      const { source, sink } = ends;
      await any<unknown>([
        () => source === undefined ? awaitCancel() : receive(source, pumped),
        () => sink === undefined ? awaitCancel() : send(sink, pumped),
        () => interruptible(this.#ended),
      ]);
    } catch (error) {
      pumped.failed(error);
    } finally {
      if (ends !== undefined) await release(ends, !isSwitchCancelled(own));
      // Fibers that `open` has forked would keep the switch open.
      if (currentScope()?.children().some(({ kind }) => kind === "fiber")) this.#scope?.cancel(noLongerNeeded());
    }
  }
}

/** Waits for the flow, unless it is cancelled. A late one is closed. */
async function whileWanted(opening: Promise<Ends>): Promise<Ends> {
  try {
    return await interruptible(opening);
  } catch (error) {
    opening.then((late) => release(late, false)).catch(ignore);
    throw error;
  }
}

async function receive(source: Source, pumped: Pumped): Promise<never> {
  try {
    const lending = lends(source) ? source : cancellableSource(source);
    for (;;) {
      await pumped.space();
      if (await interruptible(lendSome(lending, (bytes) => pumped.arrived(bytes))) === null) break;
    }
    pumped.peerEnded();
  } catch (error) {
    pumped.failed(error);
  }
  return await awaitCancel();
}

async function send(sink: Sink, pumped: Pumped): Promise<never> {
  try {
    for (let bytes = await pumped.next(); bytes !== undefined; bytes = await pumped.next()) {
      for (let at = 0; at < bytes.length;) {
        const taken = giveOwned(sink, at === 0 ? bytes : bytes.subarray(at));
        const size = typeof taken === "number" ? taken : await interruptible(taken);
        at += size;
        pumped.sent(size);
      }
    }
    const { shutdown } = sink as Partial<TwoWay>;
    if (typeof shutdown === "function") await interruptible(Promise.resolve(shutdown.call(sink, "send")));
    pumped.finished();
  } catch (error) {
    pumped.failed(error);
  }
  return await awaitCancel();
}

/** A flow of the user, whose methods for closing are optional. */
type AnyFlow = Partial<Pick<Connection, "abort" | "close" | "shutdown">>;

/** Closes a flow, or resets it. Errors are ignored: the connection has ended. */
export async function release({ source, sink }: Ends, graceful: boolean): Promise<void> {
  await Promise.all([...new Set([sink, source])].map(async (end) => {
    const flow = end as AnyFlow | undefined;
    try {
      if (!graceful && typeof flow?.abort === "function") flow.abort();
      else if (typeof flow?.close === "function") await flow.close();
      else await flow?.shutdown?.("all");
    } catch {
      // As described above.
    }
  }));
}

/** Returns the ends of a flow with two directions. */
export function endsOf(flow: TwoWay): Ends {
  checkShape("manage a connection", "what open returns", "a TwoWay", flow, "read", "write", "shutdown");
  const { peer } = flow as Partial<Connection>;
  return { source: flow, sink: flow, peer: peer === undefined ? undefined : checkStreamAddress(peer) };
}

/** Checks ends that a user has passed, and reads each once. */
export function checkEnds(action: string, ends: Partial<Ends>): Ends {
  checkShape(action, "ends", "an object with a source or a sink", ends);
  const { source, sink, peer } = ends;
  if (source === undefined && sink === undefined) {
    throw new TypeError(`Cannot ${action} without a source and a sink: at least one must be given`);
  }
  if (source !== undefined) checkSource(action, source);
  if (sink !== undefined) checkSink(action, sink);
  return { source, sink, peer: peer === undefined ? undefined : checkStreamAddress(peer) };
}
