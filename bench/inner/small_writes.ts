// Copyright 2026 the Sluice authors. MIT license.

/** What it costs to write fifty short texts to a socket, until the system has them all. Prints its rows as one line of JSON. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type BufWriter, run, Switch, tcp, withBufWriter } from "../../mod.ts";
import { root, thisRuntime } from "../../tests/_runtimes.ts";
import { compare } from "../_compare.ts";
import { type Block, contestant, oneByOne, readSettings } from "./_turns.ts";

const texts = Array.from({ length: 50 }, (_, i) => `header-name: value ${i}\r\n`);
const writeTexts = (writer: BufWriter): void => {
  for (const text of texts) writer.string(text);
};

const { runtime, rounds, ms } = readSettings();
const [program, ...args] = thisRuntime().runCommand(join(root, "bench/inner/_discard.ts"));
const discard = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
const [line] = await once(createInterface({ input: discard.stdout }), "line");
const port = Number(line);
const socket = connect({ host: "127.0.0.1", port, noDelay: true });
await once(socket, "connect");
const rows = await run((env) =>
  Switch.run(async (sw) => {
    const flow = await env.net.connect(sw, tcp("127.0.0.1", port));
    return await compare(
      { name: "fifty small writes", runtime, unit: "µs" },
      await contestants({
        "withBufWriter": oneByOne(() => withBufWriter(flow, writeTexts)),
        "one writer, flush": (times) =>
          withBufWriter(flow, async (writer) => {
            for (let i = 0; i < times; i++) {
              writeTexts(writer);
              await writer.flush();
            }
          }),
      }),
      await contestants({
        "net.Socket, corked": sending((done) => {
          socket.cork();
          writeAll(done);
          socket.uncork();
        }),
        "net.Socket, each": sending(writeAll),
        "net.Socket, joined": sending((done) => socket.write(texts.join(""), () => done())),
      }),
      rounds,
    );
  })
);
socket.destroy();
discard.kill();
console.log(JSON.stringify(rows));

function contestants(blocks: Readonly<Record<string, Block>>) {
  return Promise.all(Object.entries(blocks).map(([api, block]) => contestant(api, block, ms, 1000)));
}

/** A block of sending all texts, one time after the other. */
function sending(send: (done: () => void) => void): Block {
  return oneByOne(() => new Promise<void>(send));
}

function writeAll(done: () => void): void {
  for (const [i, text] of texts.entries()) socket.write(text, i === texts.length - 1 ? () => done() : undefined);
}
