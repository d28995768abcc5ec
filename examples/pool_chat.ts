// Copyright 2026 the Sluice authors. MIT license.

/**
 * A chat of lines, as a pool of callbacks: the first line of a client is its name, and each one
 * after that goes to all others. Ctrl-C says goodbye to everyone and stops. Try it with `nc`.
 *
 *     deno run --allow-net examples/pool_chat.ts [PORT]
 *     bun examples/pool_chat.ts [PORT]
 *     node examples/pool_chat.ts [PORT]
 */
import process from "node:process";
import { copyString, formatAddress, run, tcp } from "@sluice/io";
import {
  finish,
  type Next,
  type PoolConnection,
  type PoolHandler,
  proceed,
  runPool,
  switchTo,
} from "@sluice/io/net/pool";

const longestLine = 1000;

/** The incomplete line of a client, whose bytes may arrive in any pieces. */
interface Input {
  readonly decoder: TextDecoder;
  rest: string;
}

/** Returns the lines that `bytes` completes. */
function linesOf(input: Input, bytes: Uint8Array): string[] {
  const lines = (input.rest + input.decoder.decode(bytes, { stream: true })).split("\n");
  input.rest = lines.pop() ?? "";
  if (input.rest.length > longestLine) throw new RangeError("Cannot read on: the line is too long");
  return lines.map((line) => line.trim());
}

/** All clients with a name. Other connections send them messages, and each writes for itself. */
const members = new Map<string, PoolConnection>();

function tellOthers(c: PoolConnection, text: string): void {
  for (const member of members.values()) if (member !== c) member.post(text);
}

interface Member {
  readonly name: string;
  readonly input: Input;
}

function say(c: PoolConnection, { name, input }: Member, bytes: Uint8Array): Next {
  for (const line of linesOf(input, bytes)) tellOthers(c, `${name}: ${line}`);
  return proceed();
}

const chat: PoolHandler<Member> = {
  async connected(c, member) {
    tellOthers(c, `* ${member.name} is here`);
    await c.write(`* hello ${member.name}, you are ${members.size}\n`);
    return say(c, member, new Uint8Array()); // what has come with the name
  },
  received: (c, bytes, member) => say(c, member, bytes),
  async posted(c, message) {
    await c.write(`${message}\n`);
    return proceed();
  },
  async stopping(c) {
    await c.write("* goodbye\n");
    return finish();
  },
  closed(c, { name }) {
    members.delete(name);
    tellOthers(c, `* ${name} has left`);
  },
};

const login: PoolHandler<Input> = {
  async connected(c) {
    await c.write("* your name?\n");
    return proceed({ timeout: 10_000 });
  },
  async received(c, bytes, input) {
    const [name, ...rest] = linesOf(input, bytes);
    if (name === undefined) return proceed();
    if (name === "" || members.has(name)) {
      await c.write("* that name is taken\n");
      return finish();
    }
    input.rest = [...rest, input.rest].join("\n");
    members.set(name, c);
    return switchTo(chat, { name, input });
  },
};

const [port = "0"] = process.argv.slice(2); // 0 requests an ephemeral port

await run(async ({ net, sw, stop, stdout }) => {
  const stopped = stop();
  const listener = await net.listen(sw, tcp("127.0.0.1", Number(port)));
  await copyString(`listening on ${formatAddress(listener.address)}\n`, stdout);
  await runPool(listener, login, {
    state: () => ({ decoder: new TextDecoder(), rest: "" }),
    receiveTimeout: 600_000,
    sendTimeout: 5_000, // a member that does not read delays only itself, and not for long
    onError: (error, { peer }) => console.error(`${formatAddress(peer)}: ${error}`),
    stop: stopped,
    grace: 5_000,
  });
});
