// Copyright 2026 the Sluice authors. MIT license.

/**
 * The HTTP client and server of the runtime over sockets: `node:net` and toDuplex() side by side.
 * In both, the server does not listen, but is handed its connections.
 */
import { once } from "node:events";
import {
  Agent,
  type ClientRequest,
  createServer,
  type IncomingMessage,
  request,
  type RequestListener,
  type RequestOptions,
  type Server,
} from "node:http";
import type { Socket } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { allClosed, type Arena, closed, half, sideBySide, soon } from "./_side_by_side.ts";

/** Serves over the sockets of an arena. */
async function serve({ listen }: Arena, answer: RequestListener, set: (server: Server) => void = () => {}) {
  const server = createServer(answer);
  set(server);
  const sockets: Socket[] = [];
  const port = await listen((socket) => {
    sockets.push(socket);
    server.emit("connection", socket);
  }, half);
  return { port, sockets };
}

/** Sends a request over its own connection. */
function ask(arena: Arena, port: number, options: RequestOptions = {}, body = ""): ClientRequest {
  const asking = request({ createConnection: () => arena.connect(port), ...options });
  asking.on("error", (error: NodeJS.ErrnoException) => arena.see("request", `error ${error.code}`));
  asking.end(body);
  return asking;
}

async function answerTo(asking: ClientRequest): Promise<IncomingMessage> {
  const [response] = await once(asking, "response");
  return response;
}

sideBySide("toDuplex() carries a request and its answer", async (arena) => {
  const { port } = await serve(arena, (request, response) => {
    response.writeHead(201, { "x-path": request.url });
    response.end("hello");
  });
  const response = await answerTo(ask(arena, port, { path: "/a" }));
  arena.see("test", response.statusCode, response.headers["x-path"], await text(response));
});

sideBySide("toDuplex() carries large bodies both ways", async (arena) => {
  const { port } = await serve(arena, (request, response) => void request.pipe(response));
  const body = "0123456789".repeat(100_000);
  const response = await answerTo(ask(arena, port, { method: "POST" }, body));
  arena.see("test", await text(response) === body);
});

sideBySide("toDuplex() carries the requests of a keep-alive agent", async (arena) => {
  const { port, sockets } = await serve(arena, (request, response) => response.end(request.url));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = (() => arena.connect(port)) as never;
  for (const path of ["/1", "/2", "/3"]) {
    const response = await answerTo(ask(arena, port, { agent, path, createConnection: undefined }));
    arena.see("test", await text(response));
    await soon(10);
  }
  arena.see("test", sockets.length);
  agent.destroy();
  arena.see("test", await allClosed(...sockets));
});

sideBySide("toDuplex() carries requests that are sent in one go", async (arena) => {
  const { port } = await serve(arena, (request, response) => response.end(request.url));
  const client = arena.connect(port);
  client.end("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const all = await text(client);
  arena.see("test", all.match(/HTTP\/1.1 \d+/g), all.includes("/1"));
});

sideBySide("toDuplex() of a client that has ended gets its answer", async (arena) => {
  const { port } = await serve(arena, (_, response) => void setTimeout(() => response.end("late"), 30));
  const client = arena.connect(port, half);
  client.end("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  arena.see("test", (await text(client)).endsWith("late"));
});

sideBySide("toDuplex() is ended after the answer to HTTP/1.0", async (arena) => {
  const { port, sockets } = await serve(arena, (_, response) => response.end("old"));
  const client = arena.watch("client", arena.connect(port));
  client.write("GET / HTTP/1.0\r\n\r\n");
  client.resume();
  arena.see("test", await allClosed(client, ...sockets));
});

sideBySide("toDuplex() is upgraded on both sides", async (arena) => {
  const { port, sockets } = await serve(arena, () => {}, (server) =>
    server.on("upgrade", (_, socket, head) => {
      arena.see("head", head.length);
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n");
      socket.pipe(socket);
    }));
  const asking = ask(arena, port, { headers: { connection: "Upgrade", upgrade: "echo" } });
  const [response, socket] = await once(asking, "upgrade");
  arena.see("test", response.statusCode);
  socket.end("hello");
  arena.see("test", await text(socket), await allClosed(...sockets));
});

sideBySide("toDuplex() is handed over by CONNECT", async (arena) => {
  const { port } = await serve(arena, () => {}, (server) =>
    server.on("connect", (_, socket) => {
      socket.write("HTTP/1.1 200 Connected\r\n\r\n");
      socket.pipe(socket);
    }));
  const asking = ask(arena, port, { method: "CONNECT", path: "example.com:443" });
  const [response, socket] = await once(asking, "connect");
  arena.see("test", response.statusCode);
  socket.end("tunnel");
  arena.see("test", await text(socket));
});

sideBySide("toDuplex() asks before it sends (100-continue)", async (arena) => {
  const { port } = await serve(arena, (request, response) => void request.pipe(response));
  const asking = request({
    createConnection: () => arena.connect(port),
    method: "POST",
    headers: { expect: "100-continue", "content-length": 5 },
  });
  asking.flushHeaders();
  await once(asking, "continue");
  asking.end("hello");
  arena.see("test", await text(await answerTo(asking)));
});

sideBySide("toDuplex() carries trailers", async (arena) => {
  const { port } = await serve(arena, (_, response) => {
    response.writeHead(200, { trailer: "x-sum" });
    response.write("body");
    response.addTrailers({ "x-sum": "1" });
    response.end();
  });
  const response = await answerTo(ask(arena, port));
  arena.see("test", await text(response), response.trailers["x-sum"]);
});

sideBySide("toDuplex() of a client that sends rubbish is told so, and closed", async (arena) => {
  const { port } = await serve(arena, (_, response) => response.end());
  const client = arena.watch("client", arena.connect(port));
  client.write("RUBBISH\r\n\r\n");
  client.on("data", (chunk) => arena.see("test", String(chunk).split("\r\n")[0]));
  arena.see("test", await allClosed(client));
});

sideBySide("toDuplex() that is destroyed by the server fails the request", async (arena) => {
  const { port } = await serve(arena, (request) => request.socket.destroy());
  const asking = ask(arena, port);
  await new Promise((resolve) => asking.once("close", resolve));
});

sideBySide("toDuplex() that is cut off amid an answer fails that", async (arena) => {
  const { port } = await serve(arena, (request, response) => {
    response.write("part");
    setTimeout(() => request.socket.destroy(), 30);
  });
  const response = await answerTo(ask(arena, port));
  arena.see("test", await text(response).catch((error) => error.code));
});

sideBySide("toDuplex() of a client that aborts tells the server", async (arena) => {
  const gone = Promise.withResolvers<void>();
  const { port, sockets } = await serve(arena, (_request, response) => {
    response.write("part");
    response.on("close", () => {
      arena.see("server", "close", response.writableFinished);
      gone.resolve();
    });
  });
  const asking = ask(arena, port);
  const response = await answerTo(asking);
  response.on("error", () => {});
  asking.destroy();
  await gone.promise;
  arena.see("test", await allClosed(...sockets));
});

sideBySide("toDuplex() lets a request set a timeout", async (arena) => {
  const { port } = await serve(arena, () => {});
  const asking = ask(arena, port);
  asking.setTimeout(30, () => {
    arena.see("request", "timeout");
    asking.destroy();
  });
  await new Promise((resolve) => asking.once("close", resolve));
});

sideBySide("toDuplex() lets a server set a timeout", async (arena) => {
  const { port } = await serve(
    arena,
    () => {},
    (server) => server.on("connection", (socket) => socket.setTimeout(50, () => socket.destroy())),
  );
  const asking = ask(arena, port);
  await new Promise((resolve) => asking.once("close", resolve));
});

sideBySide("toDuplex() that is refused fails the request with the code", async (arena) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  await new Promise((resolve) => ask(arena, port).once("close", resolve));
});

sideBySide("toDuplex() carries a large answer to a slow reader", async (arena) => {
  const { port } = await serve(arena, (_, response) => response.end(new Uint8Array(3_000_000)));
  const response = await answerTo(ask(arena, port));
  let size = 0;
  for await (const chunk of response) {
    size += chunk.length;
    if (size % 7 === 0) await soon(1);
  }
  arena.see("test", size);
});

sideBySide("toDuplex() carries an answer that ends with the connection", async (arena) => {
  const { port } = await serve(arena, () => {}, (server) => {
    server.removeAllListeners("request");
    server.on("request", (_, response) => {
      response.shouldKeepAlive = false;
      response.useChunkedEncodingByDefault = false;
      response.write("to ");
      response.end("the end");
    });
  });
  const response = await answerTo(ask(arena, port));
  arena.see("test", await text(response), response.complete);
});

sideBySide("toDuplex() answers HEAD without a body", async (arena) => {
  const { port } = await serve(arena, (_, response) => {
    response.setHeader("content-length", 5);
    response.end("hello");
  });
  const response = await answerTo(ask(arena, port, { method: "HEAD" }));
  arena.see("test", response.headers["content-length"], (await buffer(response)).length);
});

sideBySide("toDuplex() of a keep-alive agent is let go when the server ends it", async (arena) => {
  const { port, sockets } = await serve(arena, (_, response) => {
    response.setHeader("connection", "keep-alive");
    response.end("x");
  });
  const agent = new Agent({ keepAlive: true });
  const clients: Socket[] = [];
  agent.createConnection = (() => {
    const client = arena.connect(port);
    clients.push(client);
    return client;
  }) as never;
  await text(await answerTo(ask(arena, port, { agent, createConnection: undefined })));
  await soon(20);
  sockets[0].end();
  await closed(clients[0]);
  await soon(10);
  arena.see("test", Object.keys(agent.freeSockets).length, await allClosed(...sockets));
  agent.destroy();
});
