// Copyright 2026 the Sluice authors. MIT license.

/** A server whose handlers forget an `await`, each in its own way: `_forgetful_program.ts NAME`. */
import process from "node:process";
import {
  BufReader,
  connectAny,
  type ConnectionHandler,
  copy,
  copyString,
  NetError,
  nullFlow,
  pipe,
  proxy,
  readAll,
  run,
  runServer,
  type StreamSocket,
  Switch,
  tcp,
  type TcpAddress,
  withBufWriter,
  withTcpConnect,
  withTimeout,
  writeAll,
} from "../../mod.ts";

const big = "h".repeat(5_000_000);

async function talk(flow: StreamSocket): Promise<void> {
  const reader = new BufReader(flow);
  for (let line; (line = await reader.line()) !== null;) await copyString(`${line}\n`, flow);
}

/** Nothing that a handler here starts is awaited. */
const handlers: Record<string, (flow: StreamSocket, scope: Parameters<ConnectionHandler>[2]) => unknown> = {
  copyString: (flow) => copyString(big, flow),
  writeAll: (flow) => writeAll(flow, new TextEncoder().encode(big)),
  write: (flow) => flow.write(new Uint8Array(1)),
  read: (flow) => flow.read(new Uint8Array(1)),
  copy: (flow) => copy(flow, flow),
  readAll: (flow) => readAll(flow),
  line: (flow) => new BufReader(flow).line(),
  proxy: (flow) => proxy(flow, pipe()[0]),
  withBufWriter: (flow) => withBufWriter(flow, (writer) => writer.string(big)),
  shutdown: (flow) => flow.shutdown("send"),
  switchRun: (flow) => Switch.run(() => flow.read(new Uint8Array(1))),
  withTimeout: (flow) => withTimeout(clock, 60_000, () => flow.read(new Uint8Array(1))),
  sleep: () => clock.sleep(60_000),
  connect: (_, { sw }) => net.connect(sw, silent),
  connectInFunction: async (_, { sw }) => {
    await net.connect(sw, silent);
  },
  connectAny: (_, { sw }) => connectAny(net, sw, [silent]),
  withTcpConnect: () => withTcpConnect(net, { host: "127.0.0.1", service: silent.port }, (flow) => readAll(flow)),
  getAddrInfo: () => net.getAddrInfo("localhost"),
  accept: async (_, { sw }) => {
    await (await net.listen(sw, tcp("127.0.0.1", 0))).accept(sw);
  },
  runServer: async (_, { sw }) => {
    await runServer(await net.listen(sw, tcp("127.0.0.1", 0)), () => {}, { onError: () => {} });
  },
  receive: async (_, { sw }) => {
    await (await net.datagramSocket(sw, "udp4")).recv(new Uint8Array(1));
  },
  failedScope: () => Switch.run(() => JSON.parse("{")),
  failedFunction: async () => {
    await null;
    throw new Error("Cannot serve");
  },
  misuse: (flow) => flow.write("x" as never),
  refused: (_, { sw }) => net.connect(sw, dead),
  ownFunction: (flow) => talk(flow),
  ownLoop: async (flow) => {
    for (;;) await copy(flow, nullFlow);
  },
};

const name = process.argv[2];
const handler = handlers[name];
let clock!: Parameters<typeof withTimeout>[0];
let net!: Parameters<Parameters<typeof run>[0]>[0]["net"];
/** Where nothing listens. */
let dead!: TcpAddress;
/** A listener whose connections are never answered. */
let silent!: TcpAddress;

await run(async (env) => {
  ({ clock, net } = env);
  const listener = await net.listen(env.sw, tcp("127.0.0.1", 0));
  silent = (await net.listen(env.sw, tcp("127.0.0.1", 0))).address;
  const closed = await net.listen(env.sw, tcp("127.0.0.1", 0));
  dead = closed.address;
  await closed.close();
  const stop = new AbortController();
  const reported: unknown[] = [];
  const served = env.sw.forkPromise(() =>
    runServer(listener, (flow, _peer, scope) => {
      handler(flow, scope); // not awaited
    }, { onError: (error) => reported.push(error), stop: stop.signal })
  );
  for (let i = 0; i < 2; i++) {
    try {
      const flow = await net.connect(env.sw, listener.address);
      await readAll(flow);
      await flow.close();
    } catch (error) {
      if (!(error instanceof NetError)) throw error; // a connection that was cut is reset
    }
  }
  for (let i = 0; i < 20; i++) await clock.sleep(1); // a rejection is told a few turns later
  stop.abort();
  await served;
  console.log(`served, reported: ${reported.length}`);
});
console.log("ended");
