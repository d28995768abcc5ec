// Copyright 2026 the Sluice authors. MIT license.

/** Fifty short texts to a socket, until the system has them all. */
import { once } from "node:events";
import { connect } from "node:net";
import { type BufWriter, run, Switch, tcp, withBufWriter } from "../../mod.ts";
import { type Block, type Cases, oneByOne } from "./_case.ts";
import { withPeer } from "./_peer.ts";

const texts = Array.from({ length: 50 }, (_, i) => `header-name: value ${i}\r\n`);

export const cases: Cases = (measure) =>
  withPeer(async (port) => {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    await once(socket, "connect");
    await run((env) =>
      Switch.run(async (sw) => {
        const flow = await env.net.connect(sw, tcp("127.0.0.1", port));
        await measure({
          name: "fifty small writes",
          unit: "µs",
          ours: {
            "withBufWriter": oneByOne(() => withBufWriter(flow, writeTexts)),
            "one writer, flush": (times) =>
              withBufWriter(flow, async (writer) => {
                for (let i = 0; i < times; i++) {
                  writeTexts(writer);
                  await writer.flush();
                }
              }),
          },
          beside: {
            "net.Socket, corked": sending((done) => {
              socket.cork();
              writeEach(done);
              socket.uncork();
            }),
            "net.Socket, each": sending(writeEach),
            "net.Socket, joined": sending((done) => socket.write(texts.join(""), () => done())),
          },
        });
      })
    );
    socket.destroy();

    function writeEach(done: () => void): void {
      for (const [i, text] of texts.entries()) socket.write(text, i === texts.length - 1 ? () => done() : undefined);
    }
  });

function writeTexts(writer: BufWriter): void {
  for (const text of texts) writer.string(text);
}

/** A block of sending all texts, one time after the other. */
function sending(send: (done: () => void) => void): Block {
  return oneByOne(() => new Promise<void>(send));
}
