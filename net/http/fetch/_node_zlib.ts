// Copyright 2026 the Sluice authors. MIT license.

/**
 * Decompression by `node:zlib`, which all runtimes have. Their `DecompressionStream`s differ:
 * Deno's accepts a truncated deflate stream and expands a chunk without a limit, and those of Deno
 * and Node refuse a second gzip member (RFC 1952, section 2.2). Here each piece of the content is
 * small, however much the input expands.
 */
import {
  type BrotliDecompress,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  type Gunzip,
  type Inflate,
  type InflateRaw,
} from "node:zlib";

/** A decompressor. Each method allows one call at a time. */
export interface Decompressor {
  /** Resolves when the chunk has been decompressed, or the decompressor has failed. */
  write(chunk: Uint8Array): Promise<void>;
  /** Declares that no chunk follows. */
  end(): void;
  /**
   * Waits for the next piece, in its own memory; null at the end. Rejects with the runtime's error.
   */
  read(): Promise<Uint8Array<ArrayBuffer> | null>;
  /** Whether it has failed because the end is missing. */
  readonly truncated: boolean;
  /** Frees it. */
  destroy(): void;
}

/** The formats of `node:zlib`. */
export type ZlibFormat = "gzip" | "deflate" | "deflate-raw" | "br";

/** Makes a decompressor. */
export function openZlib(format: ZlibFormat): Decompressor {
  if (format === "br") return new ZlibDecompressor(createBrotliDecompress(), true);
  if (format === "gzip") return new ZlibDecompressor(createGunzip());
  return new ZlibDecompressor(format === "deflate" ? createInflate() : createInflateRaw());
}

class ZlibDecompressor implements Decompressor {
  readonly #stream: BrotliDecompress | Gunzip | Inflate | InflateRaw;
  /** The progress of the probe for a missing end, which Deno does not report in a Brotli stream. */
  #probe: "none" | "later" | "next" | "done";
  #written = 0;
  #failure: { readonly error: unknown } | undefined;
  #ended = false;
  #wake: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  /** With `probes`, one more byte follows the last: a stream whose end is missing takes it. */
  constructor(stream: BrotliDecompress | Gunzip | Inflate | InflateRaw, probes = false) {
    this.#stream = stream;
    this.#probe = probes ? "later" : "none";
    stream.on("readable", () => this.#notify());
    stream.on("end", () => {
      this.#ended = true;
      this.#notify();
    });
    stream.on("error", (error: unknown) => {
      this.#failure ??= { error };
      this.#notify();
    });
  }

  get truncated(): boolean {
    return this.#probe === "done" ||
      (this.#failure?.error as { readonly code?: unknown } | undefined)?.code === "Z_BUF_ERROR";
  }

  write(chunk: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) return Promise.resolve();
    this.#written += chunk.length;
    return new Promise((resolve) => {
      this.#wakeWriter = resolve;
      this.#stream.write(chunk, () => resolve());
    });
  }

  end(): void {
    if (this.#probe === "later") {
      this.#probe = "next"; // once everything has been read, because the probe could add to it
      this.#notify();
    } else if (this.#failure === undefined) this.#stream.end();
  }

  async read(): Promise<Uint8Array<ArrayBuffer> | null> {
    for (;;) {
      const chunk = this.#failure === undefined ? this.#stream.read() as Uint8Array<ArrayBuffer> | null : null;
      if (this.#probe === "done" && this.#stream.bytesWritten > this.#written) {
        this.#stream.destroy();
        throw new Error("Cannot decompress: the end is missing");
      }
      if (chunk !== null) return new Uint8Array(chunk); // not a Buffer, which may share its memory
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#ended) {
        this.#stream.destroy();
        return null;
      }
      if (this.#probe === "next") {
        this.#probe = "done";
        // Not by `end`, after which Deno may report nothing.
        this.#stream.write(Uint8Array.of(0), () => {
          this.#ended = true;
          this.#notify();
        });
        continue;
      }
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  destroy(): void {
    this.#failure ??= { error: new Error("Cannot decompress: destroyed") };
    this.#stream.destroy();
    this.#notify();
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
    if (this.#failure !== undefined) this.#wakeWriter?.();
  }
}
