// Copyright 2026 the Sluice authors. MIT license.

/**
 * An agent that gets a `fetch`: it reaches one API, may receive 64 KiB in all, is counted, and can
 * lose the network at any time. It prints what the agent tried, what it saw, and what its owner
 * heard.
 *
 *     deno run --allow-net examples/agent_fetch.ts
 *     bun examples/agent_fetch.ts
 *     node examples/agent_fetch.ts
 *
 * The API is a server on loopback that is granted by its name, `localhost`, and nothing leaves this
 * machine.
 */
import {
  BufReader,
  copyString,
  type Env,
  type Net,
  NetError,
  run,
  runServer,
  Switch,
  tcp,
  type TwoWay,
} from "@sluice/io";
import { limit, meter, type NetDenial, restrict, revocable } from "@sluice/io/net/confine";
import { createFetch, type FetchFunction } from "@sluice/io/net/http";

/** The API: each path answers a text, and `/away` redirects to another host. */
async function answer(flow: TwoWay): Promise<void> {
  const reader = new BufReader(flow, { maxSize: 16_384 });
  const [, path] = (await reader.line())?.split(" ") ?? [];
  while (await reader.line()) { /* the headers */ }
  const [status, text] = path === "/away"
    ? ["302 Found\r\nlocation: http://169.254.169.254/", ""]
    : ["200 OK", path === "/big" ? "x".repeat(1_000_000) : "hello"];
  await copyString(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: ${text.length}\r\n\r\n${text}`, flow);
}

/** The agent. All that it has of the network is the `fetch` that it is given. */
async function agent(fetch: FetchFunction, url: string): Promise<string> {
  try {
    const response = await fetch(url);
    const text = await response.text();
    return `${response.status}, ${text.length} bytes`;
  } catch (error) {
    const cause = error instanceof TypeError ? error.cause : undefined;
    return cause instanceof NetError ? cause.code : String(error);
  }
}

/** How many bytes the agent may receive in all. */
const maxBytesIn = 64 * 1024;

/** Makes the network of an agent: what it may reach, how much it may use, and how it is taken away. */
function agentNet(net: Net, host: string, onDenied: (denial: NetDenial) => void) {
  const { net: metered, usage } = meter(net);
  const restricted = restrict(metered, { connect: [host], onDenied });
  return { usage, ...revocable(limit(restricted, { maxSockets: 4, maxConnects: 20, maxBytesIn })) };
}

async function main({ net, stdout }: Env): Promise<void> {
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 0));
    // A client that has used up its quota resets its connection: the server need not report that.
    sw.forkDaemon(() => runServer(listener, answer, { onError: () => {} }));
    const { port } = listener.address;

    const denials: NetDenial[] = [];
    const confined = agentNet(net, `localhost:${port}`, (denial) => denials.push(denial));
    const fetch = createFetch(sw, confined.net);
    const attempt = async (url: string) => {
      const result = await agent(fetch, url);
      const { bytesIn } = confined.usage();
      await copyString(`${url.padEnd(36)} ${result.padEnd(20)} ${bytesIn} of ${maxBytesIn} bytes used\n`, stdout);
      for (const { operation, target, reason } of denials.splice(0)) {
        await copyString(`    owner: denied ${operation} ${target}: ${reason}\n`, stdout);
      }
    };

    await attempt(`http://localhost:${port}/`);
    await attempt(`http://localhost:${port}/away`);
    await attempt("http://localhost/");
    await attempt(`http://127.0.0.1:${port}/`);
    await attempt("http://c2VjcmV0.attacker.example/");
    await attempt(`http://localhost:${port}/big`);
    await attempt(`http://localhost:${port}/`);
    confined.revoke(new Error("The agent was stopped"));
    await attempt(`http://localhost:${port}/`);

    const { connects, lookups, sockets } = confined.usage();
    await copyString(`${connects} connects, ${lookups} lookups, ${sockets} sockets left open\n`, stdout);
  });
}

await run(main);
