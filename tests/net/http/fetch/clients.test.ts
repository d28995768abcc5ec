// Copyright 2026 the Sluice authors. MIT license.

/** Published clients that take a `fetch`, over real sockets, against servers of `node:http`. */
import { Octokit } from "@octokit/core";
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import OpenAI, { toFile } from "openai";
import { formatAddress, type Net, NetError, type Switch, tcp } from "../../../../mod.ts";
import { createFetch, type FetchFunction } from "../../../../net/http/mod.ts";
import { test } from "../../../_test.ts";
import { signal, withNet } from "../../_helpers.ts";

/** Grants one address, as `restrict` does. */
function only(net: Net, port: number): Net {
  const connect: Net["connect"] = (sw, target, options) => {
    if (formatAddress(target) === formatAddress(tcp("127.0.0.1", port))) return net.connect(sw, target, options);
    return Promise.reject(new NetError("permission_denied", { operation: "connect", address: target }));
  };
  return { ...net, connect, clock: net.clock, features: net.features } as Net;
}

/** Runs `fn` with a server of `node:http` and a fetch that reaches it alone. */
async function withServer(
  handle: (request: IncomingMessage, response: ServerResponse, body: string) => unknown,
  fn: (fetch: FetchFunction, base: string, sw: Switch) => Promise<void>,
): Promise<void> {
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (piece) => body += piece);
    request.on("end", () => handle(request, response, body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    await withNet((sw, net) => fn(createFetch(sw, only(net, port)), `http://127.0.0.1:${port}`, sw));
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  const bytes = gzipSync(JSON.stringify(value));
  response.writeHead(status, { "content-type": "application/json", "content-encoding": "gzip" }).end(bytes);
}

const ask = { model: "m", messages: [{ role: "user" as const, content: "Hi" }] };

test("the client openai gets an answer", () =>
  withServer((request, response, body) => {
    assertEquals([request.method, request.url, request.headers.authorization], [
      "POST",
      "/v1/chat/completions",
      "Bearer key",
    ]);
    assertEquals(JSON.parse(body), ask);
    sendJson(response, { choices: [{ message: { content: "Hello" } }] });
  }, async (fetch, base) => {
    const client = new OpenAI({ apiKey: "key", baseURL: `${base}/v1`, fetch });
    const answer = await client.chat.completions.create(ask);
    assertEquals(answer.choices[0].message.content, "Hello");
  }));

test("the client openai streams an answer piece by piece", () => {
  const seen = signal();
  return withServer(async (_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write('data: {"choices": [{"delta": {"content": "Hel"}}]}\n\n');
    await seen.promise; // the second piece is sent only after the first was read
    response.end('data: {"choices": [{"delta": {"content": "lo"}}]}\n\ndata: [DONE]\n\n');
  }, async (fetch, base) => {
    const client = new OpenAI({ apiKey: "key", baseURL: `${base}/v1`, fetch });
    const stream = await client.chat.completions.create({ ...ask, stream: true });
    const pieces: unknown[] = [];
    for await (const piece of stream) {
      pieces.push(piece.choices[0].delta.content);
      seen.resolve();
    }
    assertEquals(pieces, ["Hel", "lo"]);
  });
});

test("the client openai stops a stream", () => {
  const closed = signal();
  return withServer((_, response) => {
    response.on("close", () => closed.resolve());
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write('data: {"choices": [{"delta": {"content": "Hel"}}]}\n\n');
  }, async (fetch, base) => {
    const client = new OpenAI({ apiKey: "key", baseURL: `${base}/v1`, fetch });
    for await (const _ of await client.chat.completions.create({ ...ask, stream: true })) break;
    await closed.promise;
  });
});

test("the client openai uploads a file", () =>
  withServer((request, response, body) => {
    assert(request.headers["content-type"]?.startsWith("multipart/form-data; boundary="));
    assert(body.includes('filename="a.txt"') && body.includes("content of the file"));
    sendJson(response, { id: "file-1" });
  }, async (fetch, base) => {
    const client = new OpenAI({ apiKey: "key", baseURL: `${base}/v1`, fetch });
    const file = await toFile(new TextEncoder().encode("content of the file"), "a.txt");
    assertEquals((await client.files.create({ file, purpose: "batch" })).id, "file-1");
  }));

test("the client openai reports an error of the server, and one of the network", () =>
  withServer((_, response) => sendJson(response, { error: { message: "No" } }, 401), async (fetch, base) => {
    const client = new OpenAI({ apiKey: "key", baseURL: `${base}/v1`, fetch, maxRetries: 0 });
    await assertRejects(() => client.models.list(), OpenAI.AuthenticationError, "No");
    const other = new OpenAI({ apiKey: "key", baseURL: "http://127.0.0.1:1/v1", fetch, maxRetries: 0 });
    const error = await assertRejects(() => other.models.list(), OpenAI.APIConnectionError);
    assertInstanceOf(error.cause, TypeError);
    assertEquals((error.cause.cause as NetError).code, "permission_denied");
  }));

test("the client @octokit/core sends and receives", () =>
  withServer((request, response, body) => {
    assertEquals([request.method, request.url, request.headers.authorization], [
      "POST",
      "/repos/a/b/issues",
      "token key",
    ]);
    sendJson(response, { number: 1, title: JSON.parse(body).title }, 201);
  }, async (fetch, base) => {
    const octokit = new Octokit({ auth: "key", baseUrl: base, request: { fetch } });
    const { status, data, url } = await octokit.request("POST /repos/{owner}/{repo}/issues", {
      owner: "a",
      repo: "b",
      title: "Broken",
    });
    assertEquals([status, data.title, url], [201, "Broken", `${base}/repos/a/b/issues`]);
  }));

test("the client @octokit/core follows a redirect", () =>
  withServer((request, response) => {
    if (request.url === "/repos/a/new") return sendJson(response, { name: "new" });
    response.writeHead(301, { location: "/repos/a/new" }).end();
  }, async (fetch, base) => {
    const octokit = new Octokit({ baseUrl: base, request: { fetch } });
    const { data, url } = await octokit.request("GET /repos/{owner}/{repo}", { owner: "a", repo: "old" });
    assertEquals([data.name, url], ["new", `${base}/repos/a/new`]);
  }));
