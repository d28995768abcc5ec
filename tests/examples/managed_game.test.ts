// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals } from "@std/assert";
import { type Net, run, Switch, tcp, type TcpAddress, writeAll, yieldNow } from "@sluice/io";
import { type ManagedConnection, managedConnection } from "@sluice/io/net/managed";
import { memoryNet, mockClock } from "@sluice/io/net/testing";
import { runGame, tick, type TickReport } from "../../examples/managed_game.ts";
import { test } from "../_test.ts";
import { startExample } from "./_program.ts";

/** What a player has seen. */
interface Seen {
  pings: number;
  /** The last frame. */
  frame: Uint8Array;
}

function join(sw: Switch, net: Net, address: TcpAddress): ManagedConnection<Seen> {
  const open = (own: Switch) => net.connect(own, address);
  return managedConnection(sw, open, { clock: net.clock, data: { pings: 0, frame: new Uint8Array() } });
}

/** Reads what has arrived. Returns how many pings there were. */
function look(player: ManagedConnection<Seen>): number {
  for (let pings = 0;;) {
    const type = player.poll(0, 1);
    if (type === null) return pings;
    if (type[0] === 0) {
      pings++;
      player.forget(1);
      continue;
    }
    const count = player.poll(1, 2);
    const frame = count && player.receive(3 + 4 * (count[0] * 256 + count[1]));
    if (frame === null) return pings;
    player.data.frame = frame;
  }
}

/** Returns where everybody was in the last frame: across, and down. */
function placesOf({ data: { frame } }: ManagedConnection<Seen>): string[] {
  const places: string[] = [];
  for (let at = 3; at < frame.length; at += 4) places.push(`${frame[at + 2]} ${frame[at + 3]}`);
  return places.sort();
}

function move(across: number, down: number): Uint8Array {
  return new Uint8Array(new Int8Array([across, down]).buffer);
}

test("managed_game plays on with 200 players, of which some stall", async () => {
  const clock = mockClock();
  const net = memoryNet({ clock });
  const reports: TickReport[] = [];
  const stop = new AbortController();
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 80));
    const onTick = (report: TickReport) => void reports.push(report);
    const game = sw.forkPromise(() => runGame(listener, clock, { stop: stop.signal, timeout: 20 * tick, onTick }));
    const address = listener.address;
    const pass = async () => {
      clock.setTime(clock.now() + tick);
      for (let turn = 0; turn < 4; turn++) await yieldNow();
    };
    // 160 answer pings, 20 only read, and 20 move, but never read.
    const [players, mute] = [Array.from({ length: 160 }), Array.from({ length: 20 })].map((places) =>
      places.map(() => join(sw, net, address))
    );
    const deaf = await Promise.all(Array.from({ length: 20 }, () => net.connect(sw, address)));
    for (let ticks = 1; ticks <= 115; ticks++) {
      if (ticks % 10 === 0) { for (const client of deaf) await writeAll(client, move(1, 0)); }
      await pass();
      for (const player of mute) look(player);
      for (const player of players) {
        const pings = look(player);
        player.data.pings += pings;
        if (pings > 0) player.send(move(0, 1));
      }
    }
    assertEquals([reports.length, reports[10]], [116, { players: 200, missed: 0 }]);
    assertEquals(reports[115], { players: 180, missed: 20 });
    assert(players.every((player) => player.data.pings >= 8 && placesOf(player).length === 180));
    assertEquals(mute.map(({ state }) => state.kind), Array(20).fill("disconnected"));
    stop.abort();
    for (let ticks = 0; ticks < 25; ticks++) {
      await pass();
      for (const player of players) look(player);
    }
    await game;
    assert(players.every(({ state }) => state.kind === "disconnected" && state.reason === "end"));
    for (const client of deaf) client.abort();
  });
});

test("managed_game shows moves to everybody, and lets them go on SIGTERM", async () => {
  await using program = startExample("managed_game");
  const [, port] = await program.until(/:(\d+)$/m);
  await run(({ net }) =>
    Switch.run(async (sw) => {
      const players = [1, 2].map(() => join(sw, net, tcp("127.0.0.1", Number(port))));
      const until = async (places: string) => {
        for (const player of players) {
          for (look(player); `${placesOf(player)}` !== places; look(player)) await player.changed();
        }
      };
      await until("128 128,128 128");
      players[0].send(move(5, 0));
      players[1].send(move(0, -127));
      await until("128 1,133 128");
      program.signal("SIGTERM");
      await Promise.all(players.map((player) => player.closed()));
      assert(players.every(({ state }) => state.kind === "disconnected" && state.reason === "end"));
    })
  );
  assertEquals(await program.end, { status: 0, errors: "" });
});
