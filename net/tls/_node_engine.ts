// Copyright 2026 the Sluice authors. MIT license.

import type { Buffer } from "node:buffer";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { Duplex } from "node:stream";
import {
  connect,
  type ConnectionOptions,
  createSecureContext,
  createServer,
  type TlsOptions,
  type TLSSocket,
} from "node:tls";
import { attempt, guard } from "../../base/internal.ts";
import { writeLimit } from "../../flow/internal.ts";
import { bufferOf, Incoming, privateCopy } from "../../flow/node/internal.ts";
import { isFor, readCertificateNames } from "./_certificate_names.ts";
import type { HandshakeResult, TlsEnd, TlsEngine, TlsEvents, TlsSettings } from "./_engine.ts";
import { type TlsErrorCode, TlsFailure } from "./errors.ts";

/**
 * Disables the runtime's own limit: Deno would keep its timer, and everything it references, after
 * a failed handshake.
 */
const noHandshakeTimeout = -1;

/**
 * The meaning of `node:tls` codes; all others are `protocol`. Except for the first three, they are
 * OpenSSL's X509_V_ERR_*.
 */
const codes: Readonly<Record<string, TlsErrorCode>> = {
  ECONNRESET: "truncated", // the runtimes' code for an end during the handshake
  ERR_TLS_CERT_ALTNAME_INVALID: "name_mismatch",
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "certificate_untrusted",
  HOSTNAME_MISMATCH: "name_mismatch",
  CERT_HAS_EXPIRED: "certificate_expired",
  CERT_NOT_YET_VALID: "certificate_expired",
  UNABLE_TO_GET_ISSUER_CERT: "certificate_untrusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "certificate_untrusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "certificate_untrusted",
  DEPTH_ZERO_SELF_SIGNED_CERT: "certificate_untrusted",
  SELF_SIGNED_CERT_IN_CHAIN: "certificate_untrusted",
  CERT_SIGNATURE_FAILURE: "certificate_untrusted",
  CERT_CHAIN_TOO_LONG: "certificate_untrusted",
  CERT_REVOKED: "certificate_untrusted",
  INVALID_CA: "certificate_untrusted",
  INVALID_PURPOSE: "certificate_untrusted",
  PATH_LENGTH_EXCEEDED: "certificate_untrusted",
  CERT_UNTRUSTED: "certificate_untrusted",
  CERT_REJECTED: "certificate_untrusted",
};

/** The engine over `node:tls`, which all three runtimes have. */
export const nodeTls: TlsEngine = {
  checkX509(certificate) {
    new X509Certificate(certificate);
  },
  isKeyOfCertificate({ chain, key, passphrase }) {
    const readable = createPrivateKey(passphrase === undefined ? key : { key, passphrase });
    return new X509Certificate(chain[0]).checkPrivateKey(readable);
  },
  checkIdentity({ chain, key, passphrase }) {
    // Without `ca`, all the runtime's authorities would be parsed.
    createSecureContext({ cert: chain.join("\n"), key, passphrase, ca: [] });
  },
  connect(settings, events) {
    const { serverName, verify } = settings;
    const endpoint = new NodeEndpoint(events);
    const socket = connect({
      ...contextOf(settings),
      host: serverName,
      servername: isIP(serverName) ? "" : serverName,
      rejectUnauthorized: verify,
      socket: endpoint.stream,
      allowHalfOpen: true,
    } as ConnectionOptions);
    endpoint.watch(socket);
    const onSecure = () => {
      // The runtime has checked this already: defence in depth.
      const certificate = socket.getPeerX509Certificate(); // Node returns it once
      if (verify && !socket.authorized) endpoint.fail(socket.authorizationError);
      else if (verify && !isValidFor(certificate, serverName)) endpoint.fail(nameMismatch(certificate));
      else endpoint.secured(socket, certificate);
    };
    socket.once("secureConnect", guard(onSecure, endpoint.broken));
    return endpoint;
  },
  accept(settings, events) {
    const asks = settings.authorities !== undefined;
    const endpoint = new NodeEndpoint(events);
    const server = createServer({
      ...contextOf(settings),
      requestCert: asks,
      rejectUnauthorized: false, // checked below: the runtime would not report the reason
      allowHalfOpen: true,
      handshakeTimeout: noHandshakeTimeout,
    });
    const fail = (error: unknown, socket?: TLSSocket) => {
      socket?.on("error", () => {}); // destroyed with the stream under it
      endpoint.fail(error);
    };
    const onSecure = (socket: TLSSocket) => {
      if (asks && !socket.authorized) return fail(socket.authorizationError, socket);
      endpoint.watch(socket);
      endpoint.secured(socket, socket.getPeerX509Certificate());
    };
    server.on("tlsClientError", guard(fail, endpoint.broken));
    server.on("error", guard(fail, endpoint.broken));
    server.on("secureConnection", guard(onSecure, endpoint.broken));
    server.emit("connection", endpoint.stream);
    return endpoint;
  },
};

/**
 * An endpoint of `node:tls` over a stream that is not a socket. The runtimes differ in when they
 * stop reading such a stream, what they report as written, and when they destroy it, and none
 * reports the peer's close_notify. So nothing is queued in the stream, and it never ends.
 */
class NodeEndpoint implements TlsEnd {
  /** The stream that `node:tls` uses as its socket. */
  readonly stream: Duplex;
  readonly #events: TlsEvents;
  #socket: TLSSocket | undefined;
  /** The plaintext received, once the handshake is done. */
  #incoming: Incoming | undefined;
  /** The peer's certificate. */
  #certificate: X509Certificate | undefined;
  #ending = false;
  /** Whether plaintext is being passed on: the encrypted bytes that come now are those of it. */
  #isPutting = false;
  /** The close_notify that the runtime has sent on its own. */
  #farewell: Buffer | undefined;
  #isBroken = false;
  /** Fails the session with an error thrown in a callback, where no caller can catch it. */
  readonly broken = (error: unknown): void => {
    if (this.#isBroken) return;
    this.#isBroken = true;
    attempt(() => this.fail(error), () => {});
    this.destroy();
  };

  constructor(events: TlsEvents) {
    this.#events = events;
    const wantsRecord = guard(() => events.wantsRecord(), this.broken);
    const finished = guard(() => events.finished(), this.broken);
    this.stream = new Duplex({
      read: () => queueMicrotask(wantsRecord), // a push within read() would be delayed
      write: (chunk: Buffer, _, done) => {
        const send = () => {
          attempt(() => this.#send(chunk), this.broken);
          done();
        };
        // What comes unasked may be the answer to the peer's end: whether it is shows after this call.
        if (this.#incoming === undefined || this.#ending || this.#isPutting) send();
        else queueMicrotask(send);
      },
      final: (done) => {
        done();
        // Bun ends both directions when the peer ends. During a handshake, an error follows.
        if (this.#incoming !== undefined && !this.#ending) finished();
      },
    });
    this.stream.on("error", () => {});
  }

  /** Reports the errors and the closing of `socket`. */
  watch(socket: TLSSocket): void {
    this.#socket = socket;
    socket.on("error", guard((error: Error) => this.fail(error), this.broken));
    socket.on("close", guard(() => this.#events.closed(), this.broken));
  }

  fail(error: unknown): void {
    const code = codeOf(error);
    const names = code === "name_mismatch" ? namesOf(error) : undefined;
    this.#events.failed(new TlsFailure(code, error, names));
  }

  /** Completes the handshake. */
  secured(socket: TLSSocket, certificate: X509Certificate | undefined): void {
    this.#certificate = certificate;
    // It never pauses the socket: it holds more than the one record decrypted at a time.
    this.#incoming = new Incoming(socket);
    this.#incoming.start({ readable: guard(() => this.#events.readable(), this.broken) });
    this.#events.secured();
  }

  result(): HandshakeResult {
    const socket = this.#socket as TLSSocket;
    const { alpnProtocol } = socket;
    try {
      return {
        protocol: typeof alpnProtocol === "string" ? alpnProtocol : undefined,
        peerCertificate: this.#certificate && peerCertificateOf(this.#certificate),
        version: String(socket.getProtocol()),
      };
    } catch (error) {
      throw new TlsFailure("protocol", error);
    }
  }

  decrypt(bytes: Uint8Array<ArrayBuffer>): void {
    this.stream.push(bufferOf(bytes));
  }

  peek(): Uint8Array<ArrayBuffer> | null | undefined {
    return this.#incoming?.peek();
  }

  consume(size: number): boolean {
    return this.#incoming?.consume(size) ?? false;
  }

  drop(): void {
    this.#incoming?.drop();
  }

  write(bytes: Uint8Array): number {
    return this.#idle ? this.#put(privateCopy(bytes.subarray(0, writeLimit))) : 0;
  }

  give(buffers: readonly Uint8Array[]): number {
    return this.#idle ? this.#put(buffers[0].subarray(0, writeLimit)) : 0;
  }

  end(): void {
    if (this.#ending || this.#incoming === undefined) return;
    this.#ending = true;
    if (this.#farewell !== undefined) this.#events.encrypted(this.#farewell);
    this.#farewell = undefined;
    this.#socket?.end(guard(() => this.#events.writable(), this.broken));
  }

  get flushed(): boolean {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return true;
    return socket.writableLength === 0 && (!this.#ending || socket.writableFinished);
  }

  destroy(): void {
    this.#socket?.destroy();
    this.stream.destroy();
  }

  /**
   * Whether a write is accepted: nothing older is queued. A broken socket would accept any and lose
   * it, as the event with its error is still to come.
   */
  get #idle(): boolean {
    const socket = this.#socket;
    return this.#incoming !== undefined && socket !== undefined && socket.writable && socket.writableLength === 0;
  }

  #put(bytes: Uint8Array): number {
    const { length } = bytes; // now: the runtime may detach it
    this.#isPutting = true;
    try {
      this.#socket?.write(bytes, guard(() => this.#events.writable(), this.broken));
    } finally {
      this.#isPutting = false;
    }
    return length;
  }

  /**
   * Sends encrypted bytes. Bun ends both directions when the peer ends: its close_notify is held back
   * until this side ends, so that a peer whose answer is lost does not take that for its end.
   */
  #send(chunk: Buffer): void {
    if (this.#incoming !== undefined && !this.#ending && this.stream.writableEnded) this.#farewell = chunk;
    else this.#events.encrypted(chunk);
  }
}

/** Returns the options of `node:tls` that both sides share. */
function contextOf({ identity, authorities, protocols }: TlsSettings): TlsOptions {
  return {
    cert: identity?.chain.join("\n"),
    key: identity?.key,
    passphrase: identity?.passphrase,
    ca: authorities && [...authorities],
    ALPNProtocols: protocols && [...protocols],
    minVersion: "TLSv1.2",
  };
}

/** Returns the code of an error of `node:tls`, or of a bare code. */
function codeOf(error: unknown): TlsErrorCode {
  const code = String((error as { code?: unknown } | undefined)?.code ?? error);
  return Object.hasOwn(codes, code) ? codes[code] : "protocol";
}

/** Returns the names of the certificate in a name mismatch error. */
function namesOf(error: unknown): readonly string[] {
  try {
    const { raw } = (error as { cert: { raw: Uint8Array } }).cert;
    const { hosts, addresses } = readCertificateNames(raw);
    return [...hosts, ...addresses];
  } catch {
    return []; // it has no certificate
  }
}

/**
 * Reports whether the server's certificate is valid for its name. Deno's own check uses a text in
 * which a name with a comma counts as two.
 */
function isValidFor(certificate: X509Certificate | undefined, serverName: string): boolean {
  try {
    return certificate !== undefined && isFor(readCertificateNames(certificate.raw), serverName);
  } catch {
    return false; // it cannot be parsed
  }
}

/** Returns an error like that of the runtime's own check. */
function nameMismatch(certificate: X509Certificate | undefined): Error {
  const cert = { raw: certificate?.raw };
  const message = "The certificate is for another name";
  return Object.assign(new Error(message), { code: "ERR_TLS_CERT_ALTNAME_INVALID", cert });
}

function peerCertificateOf(certificate: X509Certificate): HandshakeResult["peerCertificate"] {
  const { validFrom, validTo, fingerprint256, raw } = certificate;
  const { subject, issuer } = readCertificateNames(raw);
  return Object.freeze({
    subject,
    issuer,
    validFrom: new Date(validFrom),
    validTo: new Date(validTo),
    fingerprint: fingerprint256,
    der: new Uint8Array(raw),
  });
}
