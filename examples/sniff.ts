// Copyright 2026 the Sluice authors. MIT license.

/**
 * One port, three protocols, told apart by their first bytes: TLS, within which all of them are
 * served again; HTTP, by `node:http`; and an echo of anything else. CHAIN and KEY are the PEM files
 * of a certificate.
 *
 *     deno run --allow-net --allow-read examples/sniff.ts CHAIN KEY [PORT]
 *     bun examples/sniff.ts CHAIN KEY [PORT]
 *     node examples/sniff.ts CHAIN KEY [PORT]
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import process from "node:process";
import {
  type Connection,
  type ConnectionHandler,
  type ConnectionScope,
  copyString,
  EndOfFlow,
  formatAddress,
  run,
  runServer,
  tcp,
} from "@sluice/io";
import { httpHandler } from "@sluice/io/flow/node";
import { finish, type PoolConnection, type PoolHandler, poolHandler, proceed, switchTo } from "@sluice/io/net/pool";
import { tlsHandler } from "@sluice/io/net/tls";

const [chain, key, port = "0"] = process.argv.slice(2); // 0 requests an ephemeral port
if (chain === undefined || key === undefined) {
  console.error("Usage: sniff.ts CHAIN KEY [PORT]");
  process.exit(2);
}

const methods = ["GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "OPTIONS "];

/** Finds out what a client speaks, and reads nothing of it. */
async function protocolOf(c: PoolConnection): Promise<"tls" | "http" | "echo"> {
  const decoder = new TextDecoder("latin1");
  try {
    for (let size = 1;; size++) {
      const bytes = await c.peek(size);
      if (bytes[0] === 0x16) return "tls"; // a record of a handshake
      const text = decoder.decode(bytes);
      if (methods.includes(text)) return "http";
      if (!methods.some((method) => method.startsWith(text))) return "echo";
    }
  } catch (error) {
    if (error instanceof EndOfFlow) return "echo";
    throw error;
  }
}

const echo: PoolHandler<undefined> = {
  async received(c, bytes) {
    await c.write(bytes);
    return proceed();
  },
};

const web = httpHandler(createServer((_request, response) => response.end("hello over HTTP\n")));

const sniff: PoolHandler<ConnectionScope> = {
  async connected(c, scope) {
    switch (await protocolOf(c)) {
      case "tls":
        await secure(c.upgrade(), c.peer, scope);
        return finish();
      case "http":
        await web(c.upgrade(), c.peer, scope);
        return finish();
      case "echo":
        return switchTo(echo, undefined);
    }
  },
  received: () => proceed(), // not called: the handler that is switched to gets the first bytes
};

const serve: ConnectionHandler<Connection> = (connection, peer, scope) =>
  poolHandler(sniff, { state: () => scope, receiveTimeout: 10_000 })(connection, peer, scope);

const secure = tlsHandler({ certificate: { chain: readFileSync(chain), key: readFileSync(key) } }, serve);

await run(async ({ net, sw, stop, stdout }) => {
  const stopped = stop();
  const listener = await net.listen(sw, tcp("127.0.0.1", Number(port)));
  await copyString(`listening on ${formatAddress(listener.address)}\n`, stdout);
  await runServer(listener, serve, {
    onError: (error, { peer }) => console.error(`${formatAddress(peer)}: ${error}`),
    stop: stopped,
    grace: 5_000,
  });
});
