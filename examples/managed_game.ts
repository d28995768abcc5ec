// Copyright 2026 the Sluice authors. MIT license.

/**
 * A game server that is a loop of 20 ticks a second, and never waits for a player: what has arrived
 * is played, and every player is told where all players are. A player who does not answer a ping is
 * dropped. One who does not read misses frames, and delays no other player.
 *
 * A move is two signed bytes, across and down. A frame is the byte 1, the number of players in two
 * bytes, and four bytes for each: its number in two, and where it is. A ping is the byte 0; any
 * move answers it.
 *
 *     deno run --allow-net examples/managed_game.ts [PORT]
 *     bun examples/managed_game.ts [PORT]
 *     node examples/managed_game.ts [PORT]
 */
import process from "node:process";
import { all, type Clock, formatAddress, type ListeningSocket, run, Switch, tcp } from "@sluice/io";
import { type ManagedConnection, type ManagedSet, managedSet } from "@sluice/io/net/managed";

/** The length of a tick, in milliseconds. */
export const tick = 50;

/** The field has places from 0 to 255 each way. */
const farthest = 255;
const maxPlayers = 1000;

interface Player {
  readonly id: number;
  x: number;
  y: number;
}

/** Plays all moves that have arrived whole. */
function play(player: ManagedConnection<Player>): void {
  const { data } = player;
  for (let move; (move = player.receive(2)) !== null;) {
    const [across, down] = new Int8Array(move.buffer);
    data.x = Math.min(farthest, Math.max(0, data.x + across));
    data.y = Math.min(farthest, Math.max(0, data.y + down));
  }
}

/** Returns where everybody is. */
function frameOf(players: ManagedSet<Player>): Uint8Array {
  const frame = new DataView(new ArrayBuffer(3 + 4 * players.size));
  frame.setUint8(0, 1);
  frame.setUint16(1, players.size);
  let at = 3;
  for (const { data: { id, x, y } } of players) {
    frame.setUint16(at, id);
    frame.setUint8(at + 2, x);
    frame.setUint8(at + 3, y);
    at += 4;
  }
  return new Uint8Array(frame.buffer);
}

/** What a game reports of each tick. */
export interface TickReport {
  readonly players: number;
  /** How many players were too slow for this frame. */
  readonly missed: number;
}

/** Runs the game until `stop` is aborted, and then lets everybody go who reads on. */
export function runGame(
  listener: ListeningSocket,
  clock: Clock,
  options: { stop: AbortSignal; timeout: number; onTick?: (report: TickReport) => void },
): Promise<void> {
  const { stop, timeout, onTick } = options;
  return Switch.run(async (sw) => {
    const players: ManagedSet<Player> = managedSet(sw);
    let ids = 0;
    sw.forkDaemon(() =>
      players.acceptFrom(listener, {
        clock,
        timeout,
        ping: new Uint8Array([0]),
        maxSendBuffer: 16 * 1024, // a player who lags misses frames, rather than see old ones
        accept: () => players.size < maxPlayers ? { id: ids = (ids + 1) % 65_536, x: 128, y: 128 } : null,
      })
    );
    for (let next = clock.now(); !stop.aborted;) {
      for (const player of players) play(player);
      const missed = players.size - players.broadcast(frameOf(players));
      onTick?.({ players: players.size, missed });
      await clock.sleepUntil(next += tick);
    }
    await all(Array.from(players, (player) => () => player.closeNicely({ timeout: 1000 })));
  });
}

if (import.meta.main) {
  await run(async ({ net, clock, sw, stop }) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", Number(process.argv[2] ?? 0)));
    console.log(`The game is on ${formatAddress(listener.address)}`);
    const stopping = new AbortController();
    sw.forkDaemon(async () => {
      await stop();
      stopping.abort();
    });
    await runGame(listener, clock, { stop: stopping.signal, timeout: 5000 });
  });
}
