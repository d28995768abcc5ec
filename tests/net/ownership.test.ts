// Copyright 2026 the Sluice authors. MIT license.

/** The owner of a resource that is being opened, and the error if opening must stop. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  acceptFork,
  Cancelled,
  hostAddress,
  type ListeningSocket,
  MultipleErrors,
  type Net,
  type StreamSocket,
  Switch,
} from "../../mod.ts";
import { turn } from "../_helpers.ts";
import { test } from "../_test.ts";
import { fakeListener, fakeNet } from "./_fake_provider.ts";
import { anyPort, finishedSwitch, microtasks } from "./_helpers.ts";

const swallowed: [string, (net: Net, sw: Switch) => Promise<unknown>][] = [
  ["connect()", (net, sw) => net.connect(sw, { ...anyPort, port: 1 })],
  ["listen()", (net, sw) => net.listen(sw, anyPort)],
  ["datagramSocket()", (net, sw) => net.datagramSocket(sw, "udp4")],
];

for (const [name, open] of swallowed) {
  test(`${name} in a loop for a failed switch does not starve other fibers`, async () => {
    const { net } = fakeNet();
    await Switch.run(async (sw) => {
      sw.fail(new Cancelled());
      let turned = false;
      const other = turn().then(() => turned = true);
      while (!turned) await assertRejects(() => open(net, sw), Cancelled);
      await other;
    }).catch((error) => assert(error instanceof Cancelled));
  });
}

test("accept() in a loop for a failed switch does not starve other fibers", async () => {
  await Switch.run(async (sw) => {
    const { listener } = await fakeListener(sw);
    await Switch.run(async (inner) => {
      inner.fail(new Cancelled());
      let turned = false;
      const other = turn().then(() => turned = true);
      while (!turned) await assertRejects(() => listener.accept(inner), Cancelled);
      await other;
    }).catch((error) => assert(error instanceof Cancelled));
  });
});

test("datagramSocket() for a finished switch is a TypeError", async () => {
  const sw = await finishedSwitch();
  await assertRejects(() => fakeNet().net.datagramSocket(sw, "udp4"), TypeError, "finished");
});

test("connect() by name is given up when its switch ends during the lookup", async () => {
  const { net } = fakeNet();
  const { promise: owner, resolve: own } = Promise.withResolvers<Switch>();
  const connecting = owner.then((sw) =>
    assertRejects(() => net.connect(sw, hostAddress("slow.example", 80)), TypeError, "finished")
  );
  await Switch.run(async (sw) => {
    own(sw);
    await microtasks();
  });
  await connecting;
});

test("acceptFork() reports both the error of a handler and that of closing its connection", async () => {
  const reported: unknown[] = [];
  const flow = { peer: anyPort, close: () => Promise.reject(new Error("Cannot close")) } as unknown as StreamSocket;
  const listener = { accept: () => Promise.resolve(flow) } as unknown as ListeningSocket;
  const handler = () => Promise.reject(new Error("Cannot serve"));
  await Switch.run((sw) => acceptFork(sw, listener, handler, { onError: (error) => reported.push(error) }));
  const [error] = reported;
  assert(error instanceof MultipleErrors);
  assertEquals(error.errors.map(({ message }) => message), ["Cannot serve", "Cannot close"]);
});
