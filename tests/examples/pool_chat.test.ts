// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { connect, type Socket } from "node:net";
import { test } from "../_test.ts";
import { startExample } from "./_program.ts";

/** A client that writes down what it gets. */
interface Client {
  readonly socket: Socket;
  /** Waits for the next line. `undefined` at the end. */
  line(): Promise<string | undefined>;
}

function join(port: string): Client {
  const socket = connect(Number(port), "127.0.0.1").setEncoding("utf8");
  const chunks = socket[Symbol.asyncIterator]();
  let text = "";
  return {
    socket,
    async line() {
      for (;;) {
        const end = text.indexOf("\n");
        if (end >= 0) {
          const line = text.slice(0, end);
          text = text.slice(end + 1);
          return line;
        }
        const { done, value } = await chunks.next();
        if (done) return undefined;
        text += value;
      }
    },
  };
}

test("pool_chat passes lines on between clients, and says goodbye on SIGTERM", async () => {
  await using program = startExample("pool_chat");
  const [, port] = await program.until(/:(\d+)$/m);
  const ada = join(port);
  assertEquals(await ada.line(), "* your name?");
  ada.socket.write("Ada\n");
  assertEquals(await ada.line(), "* hello Ada, you are 1");
  const bob = join(port);
  bob.socket.write("Bob\nhi all\nhow ");
  assertEquals([await bob.line(), await bob.line()], ["* your name?", "* hello Bob, you are 2"]);
  assertEquals([await ada.line(), await ada.line()], ["* Bob is here", "Bob: hi all"]);
  bob.socket.write("are you?\n");
  assertEquals(await ada.line(), "Bob: how are you?");
  ada.socket.write("fine\n");
  assertEquals(await bob.line(), "Ada: fine");

  const other = join(port);
  other.socket.write("Ada\n");
  assertEquals([await other.line(), await other.line()], ["* your name?", "* that name is taken"]);
  assertEquals(await other.line(), undefined);
  other.socket.end();

  bob.socket.end();
  assertEquals(await ada.line(), "* Bob has left");
  program.signal("SIGTERM");
  assertEquals([await ada.line(), await ada.line()], ["* goodbye", undefined]);
  ada.socket.end();
  assertEquals(await program.end, { status: 0, errors: "" });
});
