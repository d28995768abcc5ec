// Copyright 2026 the Sluice authors. MIT license.

/** The kinds of load by UDP. What is lost is missed at the end: on loopback nothing is, as long as little is under way. */
import { check, type Load, messageAt } from "./_load.ts";

/** How many datagrams one acknowledgement is for. The servers know it too. */
const perAck = 32;

/** How many may be under way: fewer than a receiver's buffer of 208 KiB holds, of which each takes 768 bytes. */
const window = 4 * perAck;

/** Sends a datagram on each socket, waits for it to come back, and sends the next. An operation is one round trip. */
export async function datagramRoundTrip(load: Load, sockets: number, size: number): Promise<void> {
  for (let i = 0; i < sockets; i++) {
    let sequence = i;
    const socket = await load.datagrams((reply) => {
      check(reply, messageAt(sequence, size), 0);
      if (reply.length !== size) throw new Error(`Reply has ${reply.length} of ${size} bytes`);
      load.done++;
      if (load.stopping) socket.close();
      else socket.send(messageAt(++sequence, size));
    });
    socket.send(messageAt(sequence, size));
  }
}

/**
 * Sends datagrams to a server that only counts them, and says so once for every 32: as the 8 digits of how many it has from this socket. An operation is one
 * datagram that was counted.
 */
export async function datagramFlood(load: Load, sockets: number, size: number): Promise<void> {
  for (let i = 0; i < sockets; i++) {
    let sent = 0;
    let counted = 0;
    const fill = () => {
      while (sent - counted < window / sockets || sent % perAck !== 0) socket.send(messageAt(sent++, size));
    };
    const socket = await load.datagrams((reply) => {
      const total = Number(new TextDecoder().decode(reply));
      if (total !== counted + perAck) throw new Error(`Server counted ${total} datagrams after ${counted}`);
      counted = total;
      load.done += perAck;
      if (!load.stopping) fill();
      else if (counted === sent) socket.close();
    });
    fill();
  }
}
