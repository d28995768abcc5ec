// Copyright 2026 the Sluice authors. MIT license.

/** The kinds of load. Each begins by opening its connections; every byte that comes back is checked. */
import { check, checkEnd, type Load, pattern } from "./_load.ts";

const messageSize = 64;
const messageCount = pattern.length / messageSize;
const pieceSize = 64 * 1024;

/** Sends a message of 64 bytes on each connection, waits for it to come back, and sends the next. An operation is one round trip. */
export function roundTrip(load: Load, connections: number): void {
  const converse = (i: number) => {
    let sequence = i;
    let message = messageAt(sequence);
    let got = 0;
    const socket = load.dial({
      data(chunk) {
        check(chunk, message, got);
        got += chunk.length;
        if (got < messageSize) return;
        load.done++;
        if (load.stopping) return void socket.end();
        message = messageAt(++sequence);
        got = 0;
        socket.write(message);
      },
      end: () => checkEnd(load.stopping ? got : 0, messageSize),
    });
    socket.write(message);
  };
  for (let i = 0; i < connections; i++) converse(i);
}

/** Sends as fast as it can on each connection, and reads what comes back. An operation is one byte that came back. */
export function bulk(load: Load, connections: number): void {
  const flood = () => {
    let sent = 0;
    let got = 0;
    const send = () => {
      for (let free = true; free;) {
        if (load.stopping) return void socket.end();
        const offset = sent % pattern.length;
        free = socket.write(pattern.subarray(offset, offset + pieceSize));
        sent += pieceSize;
      }
    };
    const socket = load.dial({
      data(chunk) {
        for (let from = 0, part; from < chunk.length; from += part.length) {
          const offset = got % pattern.length;
          part = chunk.subarray(from, from + pattern.length - offset);
          check(part, pattern, offset);
          got += part.length;
        }
        if (got > sent) throw new Error(`Reply has ${got - sent} bytes that were not sent`);
        load.done += chunk.length;
      },
      end: () => checkEnd(load.stopping ? got : -1, sent),
    });
    socket.on("drain", send);
    send();
  };
  for (let i = 0; i < connections; i++) flood();
}

/**
 * Connects, sends 64 bytes, half-closes when they are back, and waits until the server has closed: again and again, on so many connections at once. An
 * operation is one connection.
 */
export function connectClose(load: Load, connections: number): void {
  const visit = (sequence: number) => {
    const message = messageAt(sequence);
    let got = 0;
    const socket = load.dial({
      data(chunk) {
        check(chunk, message, got);
        got += chunk.length;
        if (got === messageSize) socket.end();
      },
      end: () => checkEnd(got, messageSize),
      closed() {
        load.done++;
        if (!load.stopping) visit(sequence + connections);
      },
    });
    socket.write(message);
  };
  for (let i = 0; i < connections; i++) visit(i);
}

/**
 * Asks of a server, before it is timed, that it serves every connection at once, gives back exactly what it got in pieces of many sizes, goes on sending
 * after it got the end, and then ends. An operation is one connection.
 */
export function validate(load: Load, connections: number): void {
  const examine = (i: number) => {
    const message = pattern.subarray(i * 1000, i * 1000 + 100_000 + i * 3001);
    let got = 0;
    const socket = load.dial({
      data(chunk) {
        check(chunk, message, got);
        got += chunk.length;
      },
      end: () => checkEnd(got, message.length),
      closed: () => load.done++,
    });
    for (let from = 0, size = i + 1; from < message.length; from += size, size = size * 2 % 65_521) {
      socket.write(message.subarray(from, from + size));
    }
    socket.end();
  };
  for (let i = 0; i < connections; i++) examine(i);
}

/** Another message each time, and another one on each connection. */
function messageAt(sequence: number): Uint8Array {
  const offset = (sequence * 7919 % messageCount) * messageSize;
  return pattern.subarray(offset, offset + messageSize);
}
