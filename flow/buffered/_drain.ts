// Copyright 2026 the Sluice authors. MIT license.

import { giveAll, gives, type GivingSink, joined, type Sink, writeLimit, writeSome } from "../internal.ts";
import { bytesOfPiece, type Piece, type WriteBuffer } from "./_write_buffer.ts";

/**
 * Scheduled memory, which `BufWriter.schedule` adds by reference, is copied to merge small writes.
 * If it is at least this large, in bytes, it is written in place.
 */
const largeSize: number = writeLimit / 2;

/** Moves everything from `buffer` to `sink`, until the buffer is closed and empty. */
export async function drain(buffer: WriteBuffer, sink: Sink): Promise<void> {
  while (await buffer.ready(true)) {
    const pieces = buffer.pieces(writeLimit);
    if (pieces.length === 0) continue; // aborted meanwhile
    if (gives(sink)) await givePieces(buffer, sink, pieces);
    else buffer.shift(await writeSome(sink, oneOf(pieces.map(bytesOfPiece))));
  }
}

/**
 * Passes the pieces to the sink in one `give`, which takes over the writer's own memory. The caller
 * may change scheduled memory after a flush, so it is copied, or if it is large, written alone.
 */
async function givePieces(buffer: WriteBuffer, sink: GivingSink, pieces: readonly Piece[]): Promise<void> {
  const large = pieces.findIndex((piece) => !piece.ours && piece.end - piece.start >= largeSize);
  if (large === 0) {
    buffer.shift(await writeSome(sink, bytesOfPiece(pieces[0] as Piece)));
    return;
  }
  const vector = (large < 0 ? pieces : pieces.slice(0, large)).map((piece) =>
    piece.ours ? bytesOfPiece(piece) : new Uint8Array(bytesOfPiece(piece))
  );
  buffer.shift(await giveAll(sink, vector), true);
}

function oneOf(buffers: readonly Uint8Array[]): Uint8Array {
  return buffers.length === 1 ? buffers[0] as Uint8Array : joined(buffers);
}
