// Copyright 2026 the Sluice authors. MIT license.

/** The kinds of load on connections. Each begins by opening them; every byte that comes back is checked. */
import { check, checkEnd, type Load, messageAt, pattern } from "./_load.ts";

const pieceSize = 64 * 1024;

/** How many connections are opened at once: a system that has only so many places for those that wait loses the others. */
const atOnce = 200;

/**
 * Sends a message of `size` bytes on each connection, waits for it to come back, and sends the next. An operation is one round trip. Begins when
 * all are open.
 */
export async function roundTrip(load: Load, connections: number, size: number): Promise<void> {
  const begin: (() => void)[] = [];
  await gradually(connections, (i, begun) => {
    let sequence = i;
    let message = messageAt(sequence, size);
    let got = 0;
    const socket = load.dial({
      open: begun,
      data(chunk) {
        check(chunk, message, got);
        got += chunk.length;
        if (got < size) return;
        load.done++;
        if (load.stopping) return void socket.end();
        message = messageAt(++sequence, size);
        got = 0;
        socket.write(message);
      },
      end: () => checkEnd(load.stopping ? got : 0, size),
    });
    begin.push(() => socket.write(message));
  });
  for (const send of begin) send();
}

/** Opens connections, and leaves them alone. Settles when all are open. */
export function hold(load: Load, connections: number): Promise<void> {
  return gradually(connections, (_, begun) => {
    load.dial({
      open: begun,
      data: () => checkEnd(1, 0),
      end() {
        throw new Error("Server has ended an idle connection");
      },
    });
  });
}

/** What connections have sent and got together. */
interface Totals {
  sent: number;
  got: number;
  /** How many have not got the end. */
  open: number;
}

/** Sends as fast as it can on each connection, and reads what comes back. An operation is one byte that came back. */
export function bulk(load: Load, connections: number): void {
  for (let i = 0; i < connections; i++) flood(load, { sent: 0, got: 0, open: 1 });
}

/**
 * The same for a server that joins connections in pairs, so that what is sent on one comes out on another. Which they are does not matter, as all send
 * the same bytes. An operation is one byte that came out.
 */
export function relay(load: Load, connections: number): void {
  const totals = { sent: 0, got: 0, open: connections };
  for (let i = 0; i < connections; i++) flood(load, totals);
}

function flood(load: Load, totals: Totals): void {
  let sent = 0;
  let got = 0;
  const send = () => {
    for (let free = true; free;) {
      if (load.stopping) return void socket.end();
      const offset = sent % pattern.length;
      free = socket.write(pattern.subarray(offset, offset + pieceSize));
      sent += pieceSize;
      totals.sent += pieceSize;
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
      totals.got += chunk.length;
      if (totals.got > totals.sent) throw new Error(`Reply has ${totals.got - totals.sent} bytes that were not sent`);
      load.done += chunk.length;
    },
    end() {
      totals.open--;
      if (!load.stopping || totals.open === 0) checkEnd(load.stopping ? totals.got : -1, totals.sent);
    },
  });
  socket.on("drain", send);
  send();
}

/**
 * Connects, sends 64 bytes, half-closes when they are back, and waits until the server has closed: again and again, on so many connections at once. An
 * operation is one connection.
 */
export function connectClose(load: Load, connections: number): void {
  const visit = (sequence: number) => {
    const message = messageAt(sequence, 64);
    let got = 0;
    const socket = load.dial({
      data(chunk) {
        check(chunk, message, got);
        got += chunk.length;
        if (got === message.length) socket.end();
      },
      end: () => checkEnd(got, message.length),
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

/** Calls `begin` so many times, but lets only some be under way. Settles when each has said that it has begun. */
function gradually(count: number, begin: (i: number, begun: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    let next = 0;
    let done = 0;
    const more = () => begin(next++, begun);
    const begun = () => {
      if (++done === count) resolve();
      else if (next < count) more();
    };
    for (let i = 0; i < Math.min(count, atOnce); i++) more();
  });
}
