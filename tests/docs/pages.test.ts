// Copyright 2026 the Sluice authors. MIT license.

/** What holds for every page, and the samples that need no peer: each is run as its reader runs it. */
import { assertEquals } from "@std/assert";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../_runtimes.ts";
import { test } from "../_test.ts";
import { samplesOf, startSample } from "./_samples.ts";

const pages: readonly string[] = [
  "README.md",
  ...readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`),
];

/** A cast, `any` as a type, or a non-null assertion. */
const unsafe = /\bas (?:never|any|unknown|[A-Z]\w*)|[:<] ?any\b|[\w\])]!(?![=\w])/;

const maxColumns = 100;

/**
 * The samples of each page: what only that one contains, and what it prints. `peer` is one that a test in another file
 * runs; `compiled` one that would leave this machine, or that needs a file beside it.
 */
const samples: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "README.md": {
    "copy(connection, connection)": "peer",
    "no line yet": "peer",
    "memoryNet": "prints:",
    "publicOnly":
      "prints:Cannot fetch from http://localhost:8080: cannot connect to host:localhost:8080: permission denied\n" +
      "Cannot fetch from http://169.254.169.254: cannot connect to tcp:169.254.169.254:80: permission denied\n",
  },
  "docs/confinement.md": {
    "plugin(net: Net)": "prints:connected\nowner: tcp:10.0.0.7:5432: no rule of connect grants it\n" +
      "plug-in: Cannot connect to tcp:10.0.0.7:5432: permission denied\n",
    "agentNet": "prints:Cannot read from tcp:127.0.0.1:80: quota exceeded: maxBytesIn is 5\n5 bytes in\n" +
      "Cannot connect to tcp:127.0.0.1:80: permission denied (The agent was stopped)\n0 sockets are open\n",
    "lockdown": "prints:hello\nundefined undefined undefined\n" +
      "Cannot fetch from http://169.254.169.254: cannot connect to tcp:169.254.169.254:80: permission denied\n",
    "toConnect": "prints:hello\npermission_denied\n",
  },
  "docs/fetch.md": {
    "<title>":
      "prints:permission_denied: Cannot fetch from http://127.0.0.1:8080: cannot connect to tcp:127.0.0.1:8080: permission denied\n",
    "OpenAI": "prints:Hello\n",
  },
  "docs/scopes.md": {
    "onRelease": "prints:1: a fiber\n2: the second hook\n3: the first hook\n4: nothing is left\n",
    "mapFibers": "prints:60 20 40\n",
    "the fast one": "prints:the slow one is cancelled\nthe fast one\n",
    "retry": "prints:attempt 2 succeeded\n",
    "currentSignal": "prints:timed out\ntimed out\n",
    "Queue": "prints:30\n",
  },
  "docs/servers.md": {
    "proxy(connection": "peer",
    "chunks(connection)": "compiled",
    "Semaphore": "peer",
    "perPeer": "peer",
    "proxyHeaderOf": "peer",
    "export default workerServer": "compiled",
    "runWorkers(env.workers": "compiled",
    "PoolHandler": "prints:5 bytes\n",
    "httpHandler": "peer",
  },
  "docs/clients.md": {
    "httpGet": "peer",
    "getServices": "peer",
    "retry": "peer",
    "pg.Pool": "peer",
    "ioredis": "peer",
    "undici": "peer",
  },
  "docs/operating.md": {
    "toDiagnosticsChannel":
      `prints:{"type":"connect","server.port":1}\n{"type":"error","server.port":1,"error.type":"connection_refused"}\n`,
    "toTrace": "prints:",
  },
  "docs/tls.md": { "hostAddress": "peer", "runServer": "peer", "STARTTLS": "peer" },
  "docs/datagrams.md": {
    "truncated": "prints:hello\n",
    "are you there?": "prints:no answer in 50 ms\n",
    "IP_ADD_MEMBERSHIP": "compiled",
  },
  "docs/testing.md": {
    "socketPair": "prints:",
    "db.example": "prints:",
    "mockNet": "prints:",
    "mockListener": "prints:",
    "memoryNet, mockClock": "prints:",
    "DeadlockError": "prints:",
    "checkSeeds": "prints:",
    "openCounts": "prints:",
    "checkFlow": "prints:true\n",
  },
  "docs/from-conduit.md": {
    "serveEndpoint": "prints:hello, client\n",
    ".xen": "prints:tls:web.xen/unix:/run/vm/web.xen.sock\ntcp:127.0.0.1:8080\n" +
      "unknown:name resolution failed\nunknown:no scheme\n",
  },
  "docs/from-eio.md": { "httpGet": "peer", "maxConnections": "peer" },
  "docs/from-go.md": { "SIGTERM": "peer", "mapFibers": "prints:[ 5, 5, 5 ]\n" },
  "docs/from-node.md": { "toUpperCase": "peer", "function ask": "prints:hello\n" },
  "docs/from-procord.md": { "managedConnection": "prints:hello\ndisconnected false\n" },
};

for (const page of pages) {
  const text = readFileSync(join(root, page), "utf8");

  test(`${page} has samples without casts`, () => {
    for (const sample of samplesOf(page)) assertEquals(unsafe.exec(sample)?.[0], undefined, sample);
  });

  test(`${page} has prose of at most ${maxColumns} columns`, () => {
    const prose = text.replace(/^```[^]*?^```$/gm, "").split("\n").filter((line) => !line.startsWith("|"));
    const long = prose.filter((line) => line.length > maxColumns && !/^\s*(?:[-*] )?\S+$/.test(line));
    assertEquals(long, []);
  });
}

for (const [page, marks] of Object.entries(samples)) {
  test(`${page} has a test for each sample`, () => {
    for (const sample of samplesOf(page)) {
      assertEquals(Object.keys(marks).filter((mark) => sample.includes(mark)).length, 1, sample);
    }
    assertEquals(samplesOf(page).length, Object.keys(marks).length);
  });

  for (const [mark, expected] of Object.entries(marks)) {
    if (!expected.startsWith("prints:")) continue;
    test(`${page}: the sample with "${mark}" runs to its end`, async () => {
      await using program = startSample(page, mark);
      assertEquals(await program.end, { status: 0, errors: "" });
      assertEquals(program.output, expected.slice("prints:".length));
    });
  }
}

test("pages.test.ts knows the samples of every page", () => {
  const elsewhere = ["docs/first-hour.md"]; // has a test file of its own
  const withSamples = pages.filter((page) => samplesOf(page).length > 0 && !elsewhere.includes(page));
  assertEquals(Object.keys(samples).sort(), withSamples.sort());
});
