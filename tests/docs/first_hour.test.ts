// Copyright 2026 the Sluice authors. MIT license.

/** Each sample of `docs/first-hour.md`, run as its reader runs it. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { root } from "../_runtimes.ts";
import { test } from "../_test.ts";
import type { Program } from "../examples/_program.ts";
import { samplesOf, startSample } from "./_samples.ts";

const page = "docs/first-hour.md";
const anyPort = { "port = 8080": "port = 0" };

/** A server that does not drain takes much longer to end than a test waits. */
const grace = { "grace: 5000": "grace: 100_000" };
const longest = 30_000; // milliseconds

const fixtures = `${root}/tests/fixtures/tls`;

/** What only one sample contains. */
const marks = {
  drain: "{ stopping }",
  idle: "const idle",
  broadcast: "broadcast",
  https: "httpHandler",
  memory: "memoryNet",
  function: "async function ask",
  socket: "fromDuplex",
  library: "createConnection",
};

test("first-hour.md has a test for each sample", () => {
  for (const sample of samplesOf(page)) {
    assertEquals(Object.values(marks).filter((mark) => sample.includes(mark)).length, 1, sample);
  }
  assertEquals(samplesOf(page).length, Object.keys(marks).length);
});

test("first-hour.md: a server that is told to stop ends idle clients, and finishes what it works on", async () => {
  const work = "await env.clock.sleep(100);";
  const longWork = 'await copyString("working\\n", env.stdout); await env.clock.sleep(300);';
  await using program = startSample(page, marks.drain, { ...anyPort, ...grace, [work]: longWork });
  const port = await listeningPort(program);
  const idle = connect(port, "127.0.0.1");
  const idleText = text(idle);
  await once(idle, "connect");
  const busy = connect(port, "127.0.0.1");
  const answers = lines(busy);
  busy.write("first\n");
  assertEquals(await answers.next(), "FIRST");
  busy.write("second\n");
  await program.until(/working\nworking\n/);
  await endsSoon(program);
  assertEquals(await idleText, "");
  assertEquals(await answers.next(), "SECOND");
  assertEquals(await answers.next(), undefined);
  assertStringIncludes(program.output, "stopped by SIGTERM\n");
});

test("first-hour.md: a server closes the connection of an idle client, and says why", async () => {
  await using program = startSample(page, marks.idle, { ...anyPort, "idle = 30_000": "idle = 1000" });
  const client = connect(await listeningPort(program), "127.0.0.1");
  client.write("hello\n");
  assertEquals(await text(client), "hello\nclosing: idle\n");
  program.signal("SIGTERM");
  assertEquals(await program.end, { status: 0, errors: "" });
});

test("first-hour.md: a client that reads slowly is disconnected, and holds up no other", async () => {
  await using program = startSample(page, marks.broadcast, anyPort);
  const port = await listeningPort(program);
  const clients: Socket[] = [];
  for (let i = 0; i < 3; i++) { // the server accepts them in this order
    const client = connect(port, "127.0.0.1");
    await once(client, "connect");
    clients.push(client);
  }
  const [slow, reader, sender] = clients;
  slow.on("error", () => {}).pause();
  const received = lines(reader);
  const line = "x".repeat(4000);
  const started = performance.now();
  while (!program.errors.includes("The client reads too slowly")) { // reported when it has been closed
    assertEquals(performance.now() - started < longest, true, "the slow client is still connected");
    sender.write(`${line}\n`);
    assertEquals(await received.next(), line);
  }
  clients.forEach((client) => client.destroy());
  program.signal("SIGTERM");
  const { status, errors } = await program.end;
  assertEquals(status, 0, errors);
});

test("first-hour.md: an HTTPS server answers over TLS, and drains", async () => {
  await using program = startSample(page, marks.https, {
    ...grace,
    "port = 8443": "port = 0",
    "fullchain.pem": `${fixtures}/localhost.crt`,
    "privkey.pem": `${fixtures}/localhost.key`,
  });
  const port = await listeningPort(program);
  const ca = readFileSync(`${fixtures}/authority.crt`);
  const agent = new Agent({ keepAlive: true });
  const sent = request({ host: "127.0.0.1", port, path: "/page", ca, servername: "localhost", agent }).end();
  const [response] = await once(sent, "response");
  assertEquals(await text(response), "hello /page\n");
  await endsSoon(program); // though the connection is kept alive
  agent.destroy();
});

test("first-hour.md: a test without a network passes", () => runsToTheEnd(marks.memory, "ok\n"));

test("first-hour.md: one function moves", () => runsToTheEnd(marks.function, "hello\n"));

test("first-hour.md: a socket that the program has becomes a flow", () => runsToTheEnd(marks.socket, "HELLO\n"));

test("first-hour.md: a library runs over a flow", () => runsToTheEnd(marks.library, "hello\n"));

async function runsToTheEnd(mark: string, output: string): Promise<void> {
  await using program = startSample(page, mark);
  assertEquals(await program.end, { status: 0, errors: "" });
  assertEquals(program.output, output);
}

/** Tells a server to stop, and sees that it ends well before its grace period does. */
async function endsSoon(program: Program): Promise<void> {
  const started = performance.now();
  program.signal("SIGTERM");
  assertEquals(await program.end, { status: 0, errors: "" });
  assertEquals(performance.now() - started < longest, true);
}

async function listeningPort(program: Program): Promise<number> {
  const [, port] = await program.until(/^listening on tcp:127\.0\.0\.1:(\d+)$/m);
  return Number(port);
}

/** The lines that a socket receives, one by one; `undefined` at the end. */
function lines(socket: Socket): { next(): Promise<string | undefined> } {
  const chunks = socket.setEncoding("utf8")[Symbol.asyncIterator]();
  let rest = "";
  return {
    async next() {
      while (!rest.includes("\n")) {
        const { value, done } = await chunks.next();
        if (done) return undefined;
        rest += value;
      }
      const end = rest.indexOf("\n");
      const line = rest.slice(0, end);
      rest = rest.slice(end + 1);
      return line;
    },
  };
}
