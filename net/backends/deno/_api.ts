// Copyright 2026 the Sluice authors. MIT license.

import type { DenoPermissions } from "./_permission.ts";

/** The part of the `Deno` global used here, for compilers without Deno's types. */
export interface DenoApi {
  readonly permissions: DenoPermissions;
  connect(options: DenoTcpTarget | DenoUnixPlace): Promise<DenoConn>;
  listen(options: DenoTcpPlace | DenoUnixPlace): DenoServer;
}

/** Where to connect to. */
export interface DenoTcpTarget {
  readonly hostname: string;
  readonly port: number;
  readonly signal: AbortSignal;
  readonly autoSelectFamily: boolean;
}

/** Where to listen. */
export interface DenoTcpPlace {
  readonly hostname: string;
  readonly port: number;
  readonly tcpBacklog: number;
}

/** The path of a Unix socket. */
export interface DenoUnixPlace {
  readonly transport: "unix";
  readonly path: string;
}

/** An end of a TCP connection as Deno reports it. */
interface DenoAddress {
  readonly hostname: string;
  readonly port: number;
}

/** A listener of `Deno.listen`. */
export interface DenoServer {
  readonly addr: DenoAddress;
  /** Takes a connection from the system. One call at a time. */
  accept(): Promise<DenoConn>;
  /** Stops listening, and removes the file of a Unix socket. A pending `accept` is rejected. */
  close(): void;
}

/** A connection of Deno. */
export interface DenoConn {
  readonly localAddr: DenoAddress;
  readonly remoteAddr: DenoAddress;
  /** Reads what the system has, at least one byte; null at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes what the system takes, at least one byte. The bytes must not change meanwhile. */
  write(bytes: Uint8Array): Promise<number>;
  /** Shuts down the sending direction. */
  closeWrite(): Promise<void>;
  /** Closes at once: rejects what is pending, and drops what the system has not taken. */
  close(): void;
  setNoDelay(noDelay: boolean): void;
  setKeepAlive(keepAlive: boolean): void;
}
