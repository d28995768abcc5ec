// Copyright 2026 the Sluice authors. MIT license.

/**
 * Peers that do everything that a peer should not, beside a client that behaves well and must always be served.
 * `SLUICE_HOSTILE_SECONDS` says for how long, and `SLUICE_HOSTILE_SEED` in which order.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import process from "node:process";
import {
  all,
  BufferLimitExceeded,
  BufReader,
  Cancelled,
  ClosedError,
  type ConnectionInfo,
  copy,
  copyString,
  EndOfFlow,
  hostAddress,
  IpAddress,
  MultipleErrors,
  type Net,
  NetError,
  readAll,
  readExact,
  run,
  runServer,
  Switch,
  tcp,
  TimeoutError,
  type TwoWay,
  udp,
  type UdpAddress,
  withTimeout,
  writeAll,
} from "../../mod.ts";
import { openCounts } from "../../net/testing/mod.ts";
import { pattern } from "../../net/testing/_random.ts";
import { tlsClient, TlsError, tlsServer } from "../../net/tls/mod.ts";
import { collectGarbage, turn, until } from "../_helpers.ts";
import { root } from "../_runtimes.ts";
import { test } from "../_test.ts";
import { anyPort } from "../net/_helpers.ts";
import { clientOptions, serverOptions } from "../net/tls/_helpers.ts";
import { descriptors, descriptorsBack } from "./_helpers.ts";
import { nodeProgram, Peer } from "./_peers.ts";

const seconds = Number(process.env.SLUICE_HOSTILE_SECONDS ?? 6);
const seed = Number(process.env.SLUICE_HOSTILE_SEED ?? 1);
const verbose = process.env.SLUICE_HOSTILE_SECONDS !== undefined;

/**
 * How long a client that behaves well waits, in milliseconds. Bursts of thousands of connections fill the backlog, and the
 * system then repeats what was dropped after 1, 3, 7, 15 and 31 s.
 */
const patience = 60_000;

/** A client with that much time for its handshake. */
const patient = { ...clientOptions, handshakeTimeout: patience };

/** The most that the heap may grow from the first third of the time to the end. */
const mostGrowth = 16 * 1024 * 1024;

/** Whether a peer can be the cause. */
function isPeers(error: unknown): boolean {
  if (error instanceof MultipleErrors) return error.errors.every(isPeers);
  if (error instanceof NetError) return error.code === "connection_reset";
  return [TlsError, ClosedError, Cancelled, EndOfFlow, TimeoutError, BufferLimitExceeded].some((type) =>
    error instanceof type
  );
}

/** Says something, and expects it back. */
async function talk(flow: TwoWay): Promise<void> {
  const said = pattern(0, 10_000);
  await writeAll(flow, said);
  await flow.shutdown("send");
  assertEquals(await readAll(flow), said);
}

async function heap(): Promise<number> {
  for (let i = 0; i < 5; i++) {
    await turn();
    collectGarbage();
  }
  return process.memoryUsage().heapUsed;
}

test("a server and clients live among hostile peers, and a client that behaves well is always served", async () => {
  const strange: unknown[] = [];
  const report = (error: unknown, info?: ConnectionInfo) => {
    const isOurs = info?.peer.transport === "tcp" && info.peer.ip.equals(IpAddress.loopback4); // the others have another
    if ((isOurs || !isPeers(error)) && strange.length < 10) strange.push(error);
  };
  const counts = { served: 0, overTls: 0, upgraded: 0, datagrams: 0, lookups: 0, suffered: 0, attacks: "0" };
  await run(({ net }) => Switch.run((sw) => net.listen(sw, anyPort))); // what a runtime opens late
  const before = descriptors();
  await run(async ({ net, clock }) => {
    await Switch.run(async (sw) => {
      const serve = async (handler: Parameters<typeof runServer>[1]) => {
        const listener = await net.listen(sw, anyPort);
        sw.forkDaemon(() => runServer(listener, handler, { onError: report, maxConnections: Infinity }));
        return listener.address;
      };
      const echo = await serve((flow) => copy(flow, flow));
      const flood = await serve((flow) => writeAll(flow, pattern(0, 300_000)));
      const tls = await serve(async (flow, _, scope) => {
        const inner = await tlsServer(scope.sw, flow, { ...serverOptions, handshakeTimeout: patience });
        await copy(inner, inner);
      });
      const startTls = await serve(async (flow, _, scope) => {
        const plain = new BufReader(flow, { maxSize: 1024 });
        while (await plain.line() !== "STARTTLS") await copyString("500 what?\r\n", flow);
        if (plain.buffered > 0) return; // a command that would be taken for an encrypted one
        await copyString("220 go ahead\r\n", flow);
        const options = { ...serverOptions, handshakeTimeout: patience };
        const inner = await tlsServer(scope.sw, plain.unread(flow), options);
        await copy(inner, inner);
      });
      const socket = await net.datagramSocket(sw, udp("127.0.0.1", 0));
      sw.forkDaemon(async () => {
        for (;;) {
          for (const { data, from } of await socket.recvMany()) {
            await socket.send(data, from).catch((error) => report(error));
            if (data.length > 20_000) report(new Error("Nothing that large was sent"));
          }
        }
      });
      const datagrams = socket.local as UdpAddress;
      const quiet = openCounts();

      {
        const ports = [echo.port, flood.port, tls.port, startTls.port, datagrams.port, seed].map(String);
        await using peer = new Peer(nodeProgram, [join(root, "tests/runtime/_hostile_peer.ts"), ...ports]);
        const hostile = String(await peer.line()).split(",").map(Number);
        const nameServer = hostile.pop() as number;
        const end = performance.now() + seconds * 1000;
        const isOver = () => performance.now() > end;

        /** Does it again and again, each time soon enough. */
        const again = async (
          kind: "served" | "overTls" | "upgraded" | "datagrams",
          fn: (own: Switch) => Promise<unknown>,
        ) => {
          while (!isOver()) {
            await withTimeout(clock, patience, () => Switch.run(fn), { name: kind });
            counts[kind]++;
            await clock.sleep(5);
          }
        };
        const plain = () => again("served", async (own) => await talk(await net.connect(own, echo)));
        const secure = () =>
          again("overTls", async (own) => await talk(await tlsClient(own, await net.connect(own, tls), patient)));
        const upgraded = () =>
          again("upgraded", async (own) => {
            const flow = await net.connect(own, startTls);
            await copyString("STARTTLS\r\n", flow);
            const plain = new BufReader(flow, { maxSize: 1024 });
            assertEquals(await plain.line(), "220 go ahead");
            await talk(await tlsClient(own, plain.unread(flow), patient));
          });
        const questions = () =>
          again("datagrams", async (own) => {
            const mine = await net.datagramSocket(own, udp("127.0.0.1", 0));
            const said = pattern(counts.datagrams, 500);
            const buffer = new Uint8Array(1000);
            for (;;) { // in a flood the system drops some
              await mine.send(said, datagrams);
              const answer = await withTimeout(clock, 50, () => mine.recv(buffer)).catch((error) => {
                if (!(error instanceof TimeoutError)) throw error;
              });
              if (answer === undefined) continue;
              assertEquals(buffer.subarray(0, answer.size), said);
              return;
            }
          });
        /** Whatever a server does, a client learns of it, or gives up when it wants to. */
        const suffers = async () => {
          for (let i = 0; !isOver(); i++) {
            const port = hostile[i % hostile.length] as number;
            try {
              await withTimeout(clock, 30, () =>
                Switch.run(async (own) => {
                  const flow = await net.connect(own, tcp("127.0.0.1", port));
                  if (i % 3 === 0) await tlsClient(own, flow, clientOptions);
                  else if (i % 3 === 1) await copyString("hello".repeat(100_000), flow);
                  await readExact(flow, new Uint8Array(200_000));
                }));
            } catch (error) {
              report(error);
            }
            counts.suffered++;
          }
        };
        const watch = async () => {
          await clock.sleep(seconds * 300);
          const early = await heap();
          while (!isOver()) await clock.sleep(100);
          let growth = await heap() - early;
          // Thousands of connections may have come just now.
          for (const late = performance.now() + patience; growth >= mostGrowth && performance.now() < late;) {
            await clock.sleep(100);
            growth = await heap() - early;
          }
          assert(growth < mostGrowth, `The heap has grown by ${growth} bytes`);
          if (verbose) console.error(`The heap has grown by ${growth} bytes`);
        };
        const listen = async () => {
          for (let line; !isOver() && (line = await peer.line()) !== undefined;) counts.attacks = line;
          assert(isOver(), `The hostile peer has ended: ${peer.errors}`);
        };
        const fns = [
          plain,
          plain,
          secure,
          upgraded,
          questions,
          suffers,
          suffers,
          watch,
          listen,
          () => asks(nameServer, isOver),
        ];
        await all(fns);
        peer.endInput();
      }
      // What its end leaves half done is closed too.
      const late = performance.now() + patience;
      await until(() => JSON.stringify(openCounts()) === JSON.stringify(quiet) || performance.now() > late);
      assertEquals(openCounts(), quiet);
      await Switch.run(async (own) => await talk(await net.connect(own, echo)));
    });
  });
  if (verbose) console.error(JSON.stringify(counts));
  assertEquals(strange, []);
  for (const count of Object.values(counts)) assert(Number(count) > 0, JSON.stringify(counts));
  await descriptorsBack(before);

  /** Asks a name server that lies, and believes only what is an answer. */
  async function asks(nameServer: number, isOver: () => boolean): Promise<void> {
    await run(async ({ net }: { net: Net }) => {
      for (let i = 0; !isOver(); i++) {
        const answers = await net.getAddrInfo(`name${i}.example`, { type: "stream" }).catch((error) => {
          if (error instanceof Cancelled) throw error;
          // The floods beside it may cost a question or an answer, and over TCP the server may answer nonsense.
          assert(["AGAIN", "FAIL"].includes(error.lookupCode), String(error));
          return undefined;
        });
        if (answers === undefined) continue;
        assertEquals(answers.map(({ ip }) => `${ip}`), ["127.0.0.1"]);
        counts.lookups++;
      }
      await Switch.run((own) => net.connect(own, hostAddress("last.example", 1))).catch((error) => {
        assert(["connection_refused", "address_lookup_failed"].includes(error.code), String(error));
      });
    }, { nameServers: [udp("127.0.9.2", nameServer)] });
  }
}, { timeout: 7_200_000 });
