// Copyright 2026 the Sluice authors. MIT license.

/**
 * The packed library, installed as a user has it: plain JavaScript, on Node 20, the oldest that it supports, on Node 24
 * and on Bun. Prints a line for each check; `run.ts` counts them.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { gzipSync } from "node:zlib";
import { Cancelled, copy, first, readAll, run, runServer, Switch, tcp, writeAll, yieldNow } from "@sluice/io";
import { toDuplex } from "@sluice/io/flow/node";
import { restrict } from "@sluice/io/net/confine";
import { createFetch } from "@sluice/io/net/http";
import { runWorkers } from "@sluice/io/net/workers";
import { tlsClient, TlsError, tlsServer } from "@sluice/io/net/tls";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const checks = {
  async "every entry point loads, and what several export is one and the same"() {
    const all = new Map();
    for (const [entry, exported] of await importEntries()) {
      assert.ok(Object.keys(exported).length > 0, `${entry} exports nothing`);
      for (const [name, value] of Object.entries(exported)) {
        if (all.has(name)) assert.equal(value, all.get(name), `${name} of ${entry}`);
        all.set(name, value);
      }
    }
  },

  async "classes and functions have the names by which they are exported"() {
    for (const [, exported] of await importEntries()) {
      for (const [name, value] of Object.entries(exported)) {
        if (typeof value === "function") assert.equal(value.name, name);
      }
    }
  },

  async "an error is an instance of the class of every entry point"(net) {
    const { NetError } = await import("@sluice/io/net");
    const { checkNet } = await import("@sluice/io/net/testing");
    const { Switch: SameSwitch } = await import("@sluice/io/switch");
    assert.equal(typeof checkNet, "function");
    await SameSwitch.run(async (sw) => {
      assert.ok(sw instanceof Switch);
      const { address } = await net.listen(sw, tcp("127.0.0.1", 0));
      await assert.rejects(() => net.listen(sw, address), NetError);
    });
  },

  async "an echo server answers over loopback"(net) {
    await Switch.run(async (sw) => {
      const listener = await net.listen(sw, tcp("127.0.0.1", 0));
      sw.forkDaemon(() => runServer(listener, (flow) => copy(flow, flow), { onError: fail(sw) }));
      assert.equal(await exchange(net, listener.address, "hello"), "hello");
    });
  },

  async "a cancelled read leaves the bytes to the next one"(net) {
    await Switch.run(async (sw) => {
      const listener = await net.listen(sw, tcp("127.0.0.1", 0));
      const client = await net.connect(sw, listener.address);
      const server = await listener.accept(sw);
      let reason;
      const read = () =>
        client.read(new Uint8Array(16)).catch((error) => {
          reason = error;
          throw error;
        });
      assert.equal(
        await first(read, async () => {
          await yieldNow();
          return "cancelled";
        }),
        "cancelled",
      );
      assert.ok(reason instanceof Cancelled);
      await writeAll(server, encoder.encode("after"));
      await server.close();
      assert.equal(decoder.decode(await readAll(client)), "after");
    });
  },

  async "a server stops when told, and gives what it was told"(net) {
    await Switch.run(async (sw) => {
      const listener = await net.listen(sw, tcp("127.0.0.1", 0));
      let tell;
      const stop = new Promise((resolve) => tell = resolve);
      const server = sw.forkPromise(() => runServer(listener, (flow) => copy(flow, flow), { onError: fail(sw), stop }));
      assert.equal(await exchange(net, listener.address, "before"), "before");
      tell("told");
      assert.equal(await server, "told");
    });
  },

  async "TLS runs over sockets, ends both directions on their own, and refuses a wrong name"(net) {
    const pem = (name) => readFileSync(join(process.argv[2], "tests/fixtures/tls", name));
    const certificate = { chain: pem("localhost.crt"), key: pem("localhost.key") };
    const authorities = pem("authority.crt");
    const serve = (flow) =>
      Switch.run(async (sw) => {
        const tls = await tlsServer(sw, flow, { certificate: () => certificate, protocols: ["echo"] });
        await copy(tls, tls);
      });
    await Switch.run(async (sw) => {
      const listener = await net.listen(sw, tcp("127.0.0.1", 0));
      sw.forkDaemon(() => runServer(listener, serve, { onError: () => {} }));
      const start = async (serverName) => {
        const flow = await net.connect(sw, listener.address);
        return await tlsClient(sw, flow, { serverName, authorities, protocols: ["echo"] });
      };
      for (const serverName of ["localhost", "127.0.0.1"]) {
        const tls = await start(serverName);
        assert.equal(tls.protocol, "echo");
        await writeAll(tls, encoder.encode("hello"));
        await tls.shutdown("send");
        assert.equal(decoder.decode(await readAll(tls)), "hello");
      }
      await assert.rejects(
        () => start("example.com"),
        (error) => error instanceof TlsError && error.code === "name_mismatch",
      );
    });
  },

  async "createFetch gets, posts, decodes and follows through a confined network, and reaches nothing else"(net) {
    const ports = [];
    const server = createServer(async (request, response) => {
      ports.push(request.socket.remotePort);
      if (request.url === "/moved") return response.writeHead(302, { location: "/echo" }).end("moved");
      if (request.url === "/out") return response.writeHead(302, { location: "http://127.0.0.2/" }).end();
      response.writeHead(200, { "content-encoding": "gzip", "set-cookie": ["a=1", "b=2"] });
      const body = (await request.toArray()).join("");
      response.end(gzipSync(`${request.method} ${request.headers.host === undefined} ${body}`));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address();
    const url = `http://127.0.0.1:${port}`;
    const denied = [];
    await Switch.run(async (sw) => {
      const onDenied = ({ target }) => denied.push(target);
      const fetch = createFetch(sw, restrict(net, { connect: [`127.0.0.1:${port}`], onDenied }));
      const response = await fetch(`${url}/moved`);
      assert.ok(response instanceof Response);
      assert.deepEqual([response.status, response.url, response.redirected], [200, `${url}/echo`, true]);
      assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
      assert.equal(await response.text(), "GET false ");
      assert.equal(new Set(ports).size, 1); // one connection
      const body = new Blob(["hel", "lo"]).stream();
      const posted = await fetch(new Request(url, { method: "POST", body, duplex: "half" }));
      assert.equal(await posted.text(), "POST false hello");
      for (const target of [`${url}/out`, "http://127.0.0.2/", "http://localhost/"]) {
        const { name, cause } = await fetch(target).catch((error) => error);
        assert.deepEqual([name, cause.code], ["TypeError", "permission_denied"]);
      }
      await assert.rejects(() => fetch(url, { signal: AbortSignal.abort() }), { name: "AbortError" });
    });
    assert.deepEqual(denied, ["tcp:127.0.0.2:80", "tcp:127.0.0.2:80", "host:localhost:80"]);
    server.close();
    await once(server, "close");
  },

  async "workers serve in threads, where a port can be shared"(net, { workers, sw }) {
    writeFileSync(
      "serve.mjs",
      `import { copy } from "@sluice/io";
      import { workerServer } from "@sluice/io/net/workers";
      export default workerServer(() => ({ handler: (flow) => copy(flow, flow) }));`,
    );
    const stop = new AbortController();
    const errors = [];
    const options = {
      module: new URL("./serve.mjs", import.meta.url),
      address: tcp("127.0.0.1", 0),
      workers: 2,
      onError: (error) => errors.push(error),
      onListen: (address) =>
        sw.fork(async () => {
          for (let i = 0; i < 8; i++) assert.equal(await exchange(net, address, "hello"), "hello");
          stop.abort();
        }),
      stop: stop.signal,
    };
    if (net.features.has("reusePort")) await runWorkers(workers, options);
    else await assert.rejects(() => runWorkers(workers, options), { code: "not_supported" });
    assert.deepEqual(errors, []);
  },

  async "undici and ws talk to node:http and ws over our sockets"(net) {
    const require = createRequire(join(process.argv[2], "package.json"));
    const { Client } = require("undici/index.js"); // by the name `undici` Bun returns a module of its own
    const { WebSocket, WebSocketServer } = require("ws");
    await Switch.run(async (sw) => {
      const listener = await net.listen(sw, tcp("127.0.0.1", 0));
      const server = createServer((request, response) => request.pipe(response));
      const sockets = new WebSocketServer({ noServer: true });
      server.on(
        "upgrade",
        (...upgrade) =>
          sockets.handleUpgrade(...upgrade, (socket) => socket.on("message", (data) => socket.send(data))),
      );
      const serve = async (flow) => {
        const stream = toDuplex(flow);
        server.emit("connection", stream);
        await new Promise((resolve) => stream.once("close", resolve));
      };
      sw.forkDaemon(() => runServer(listener, serve, { onError: fail(sw) }));

      const open = () => toDuplex(() => net.connect(sw, listener.address), { sw, allowHalfOpen: false });
      const connect = (_, done) => {
        const stream = open();
        once(stream, "connect").then(() => done(null, stream), done);
      };
      const client = new Client("http://127.0.0.1", { connect });
      const { body } = await client.request({ path: "/", method: "POST", body: "hello" });
      assert.equal(await body.text(), "hello");
      await client.close();

      const socket = new WebSocket("ws://127.0.0.1", { createConnection: open });
      await once(socket, "open");
      socket.send("hello");
      assert.equal(String((await once(socket, "message"))[0]), "hello");
      socket.close();
      await once(socket, "close");
    });
  },
};

/** The entry points, and what each exports. */
async function importEntries() {
  const { name, exports } = JSON.parse(readFileSync("node_modules/@sluice/io/package.json", "utf8"));
  return await Promise.all(
    Object.keys(exports).map(async (entry) => [entry, await import(entry.replace(".", name))]),
  );
}

/** Sends `text`, ends the sending half, and gives what comes back. */
function exchange(net, address, text) {
  return Switch.run(async (sw) => {
    const flow = await net.connect(sw, address);
    await writeAll(flow, encoder.encode(text));
    await flow.shutdown("send");
    return decoder.decode(await readAll(flow));
  });
}

function fail(sw) {
  return (error) => sw.fail(error);
}

for (const [name, check] of Object.entries(checks)) {
  try {
    await run((env) => check(env.net, env));
    console.log(`ok ${name}`);
  } catch (error) {
    console.log(`not ok ${name}`);
    console.error(error);
    process.exitCode = 1;
  }
}
