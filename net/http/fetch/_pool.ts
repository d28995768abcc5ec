// Copyright 2026 the Sluice authors. MIT license.

/** The connections of one `fetch`, kept alive for each origin. */
import { isInstance } from "../../../base/internal.ts";
import { ignore } from "../../../flow/internal.ts";
import { refused, runUnder, sleepOn, type Switch, TimeoutError, WaitQueue } from "../../../switch/internal.ts";
import { addContext, type Connection, connectWithin, literalOf, type Net, NetError, tcp } from "../../internal.ts";
import { hostAddress } from "../../mod.ts";
import { tlsClient } from "../../tls/mod.ts";
import { ClientConnection } from "../internal.ts";
import type { FetchSettings } from "./options.ts";

/** How long before the server may close an idle connection it is given up, in milliseconds. */
const serverMargin = 1000;

interface Idle {
  readonly connection: ClientConnection;
  readonly until: number;
}

/** The right to use one connection to an origin. */
export interface Lease {
  /** A kept connection; `undefined` if a new one must be opened. */
  readonly kept: ClientConnection | undefined;
}

/** Every connection of one `fetch`. */
export class Pool {
  readonly sw: Switch;
  readonly net: Net;
  readonly settings: FetchSettings;
  readonly #origins: Map<string, OriginPool> = new Map();
  #reaping = false;

  constructor(sw: Switch, net: Net, settings: FetchSettings) {
    this.sw = sw;
    this.net = net;
    this.settings = settings;
  }

  /** Returns the pool of the origin of `url`. A trailing dot of the host makes no difference. */
  of(url: URL): OriginPool {
    const key = url.hostname.endsWith(".") ? originWithoutDot(url) : url.origin;
    const known = this.#origins.get(key);
    if (known !== undefined) return known;
    const pool = new OriginPool(this, url, () => this.#origins.delete(key));
    this.#origins.set(key, pool);
    return pool;
  }

  /** Closes every idle connection, and reports whether there was one. */
  async closeIdle(): Promise<boolean> {
    const idle = [...this.#origins.values()].flatMap((origin) => origin.takeIdle(Infinity));
    for (const connection of idle) connection.abort();
    await Promise.all(idle.map((connection) => connection.close().catch(ignore)));
    return idle.length > 0;
  }

  /** Starts to close connections that are idle for too long. */
  watchIdle(): void {
    if (this.#reaping || this.settings.idleTimeout === Infinity) return;
    this.#reaping = true;
    try {
      this.sw.forkDaemon(() => this.#reap());
    } catch {
      this.#reaping = false; // the switch is finished, and has closed the connections
    }
  }

  /** One timer for all connections. It sleeps on while connections come and go. */
  async #reap(): Promise<void> {
    const { clock } = this.net;
    try {
      for (let next = this.settings.idleTimeout; next < Infinity;) {
        await sleepOn(clock, next);
        const now = clock.now();
        next = Infinity;
        for (const origin of [...this.#origins.values()]) {
          for (const connection of origin.takeIdle(now)) connection.close().catch(ignore);
          next = Math.min(next, origin.nextExpiry - now);
        }
      }
    } finally {
      this.#reaping = false;
    }
  }
}

function originWithoutDot({ protocol, hostname, port }: URL): string {
  return `${protocol}//${hostname.slice(0, -1)}${port === "" ? "" : `:${port}`}`;
}

/** The connections to one origin. */
export class OriginPool {
  readonly #pool: Pool;
  readonly #secure: boolean;
  readonly #host: string;
  readonly #port: number;
  readonly #emptied: () => void;
  /** The idle connections, the longest idle one first. */
  #idle: Idle[] = [];
  #leases = 0;
  readonly #waiting: WaitQueue<Lease> = new WaitQueue();

  constructor(pool: Pool, { protocol, hostname, port }: URL, emptied: () => void) {
    this.#pool = pool;
    this.#secure = protocol === "https:";
    this.#host = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname.replace(/\.$/, "");
    this.#port = port === "" ? (this.#secure ? 443 : 80) : Number(port);
    this.#emptied = emptied;
  }

  /**
   * Leases a connection, or the right to open one. If there are too many already, waits in the
   * current scope, in FIFO order.
   */
  lease(): Lease | Promise<Lease> {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      idle.connection.onIdleEnd = undefined;
      if (!idle.connection.usable) continue;
      if (idle.until <= this.#pool.net.clock.now()) {
        idle.connection.close().catch(ignore);
        continue;
      }
      this.#leases++;
      return { kept: idle.connection };
    }
    if (this.#leases < this.#pool.settings.maxConnectionsPerOrigin) {
      this.#leases++;
      return { kept: undefined };
    }
    return refused() ?? this.#waiting.wait("fetch", undefined, { label: `for a connection to ${this.#host}` });
  }

  /** Ends a lease. `connection` can be kept if it is usable. */
  giveBack(connection: ClientConnection | undefined): void {
    const kept = connection?.usable ? connection : undefined;
    if (this.#waiting.wakeOne({ kept }) !== undefined) return;
    this.#leases--;
    if (kept !== undefined) this.#keep(kept);
    this.#forgetIfEmpty();
  }

  #keep(connection: ClientConnection): void {
    const idleTimeout = Math.min(this.#pool.settings.idleTimeout, (connection.idleTimeout ?? Infinity) - serverMargin);
    if (idleTimeout <= 0) return void connection.close().catch(ignore);
    const idle: Idle = { connection, until: this.#pool.net.clock.now() + idleTimeout };
    this.#idle.push(idle);
    connection.onIdleEnd = () => {
      this.#idle = this.#idle.filter((other) => other !== idle);
      this.#forgetIfEmpty();
    };
    this.#pool.watchIdle();
  }

  #forgetIfEmpty(): void {
    if (this.#leases === 0 && this.#idle.length === 0) this.#emptied();
  }

  /** Removes and returns the connections that are idle at most until `time`. */
  takeIdle(time: number): ClientConnection[] {
    const taken = this.#idle.filter(({ until }) => until <= time);
    if (taken.length === 0) return [];
    this.#idle = this.#idle.filter(({ until }) => until > time);
    this.#forgetIfEmpty();
    return taken.map(({ connection }) => {
      connection.onIdleEnd = undefined;
      return connection;
    });
  }

  /** When the first idle connection expires. */
  get nextExpiry(): number {
    return Math.min(...this.#idle.map(({ until }) => until));
  }

  /**
   * Opens a connection, which the switch of the pool owns. If a quota refuses it, closes the idle
   * connections, and tries once more.
   */
  async open(): Promise<ClientConnection> {
    try {
      return await this.#connect();
    } catch (error) {
      const refusedByQuota = isInstance(error, NetError) && error.code === "quota_exceeded";
      if (!refusedByQuota || !await this.#pool.closeIdle()) throw error;
      return await this.#connect();
    }
  }

  async #connect(): Promise<ClientConnection> {
    const { sw, net, settings } = this.#pool;
    const ip = literalOf(this.#host);
    const target = ip === undefined ? hostAddress(this.#host, this.#port) : tcp(ip, this.#port);
    const dial = async (): Promise<Connection> => {
      // Nothing is left to send or to receive when a connection closes.
      const socket = await net.connect(sw, target, { linger: 0 });
      return this.#secure ? await this.#secured(socket) : socket;
    };
    try {
      const connection = await connectWithin(net.clock, settings.connectTimeout, target, dial);
      return runUnder(sw, () => new ClientConnection(connection, settings.limits));
    } catch (error) {
      const timedOut = isInstance(error, NetError) && isInstance(error.cause, TimeoutError);
      throw timedOut ? addContext(error, `connectTimeout: ${settings.connectTimeout} ms`) : error;
    }
  }

  async #secured(socket: Connection): Promise<Connection> {
    const { sw, settings } = this.#pool;
    try {
      return await tlsClient(sw, socket, { ...settings.tls, serverName: this.#host, protocols: ["http/1.1"] });
    } catch (error) {
      socket.abort(error);
      throw error;
    }
  }
}
