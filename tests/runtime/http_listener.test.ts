// Copyright 2026 the Sluice authors. MIT license.

/** What an asynchronous request listener of `node:http` awaits goes on when its client has gone, as it does under `node:http` itself. */
import { assertEquals } from "@std/assert";
import { createServer } from "node:http";
import { type Clock, copyString, runServer, type StreamSocket, Switch, tcp, withTimeout } from "../../mod.ts";
import { httpHandler } from "../../flow/node/mod.ts";
import { mockClock } from "../../net/testing/mod.ts";
import { until } from "../_helpers.ts";
import { signal, withNet } from "../net/_helpers.ts";
import { test } from "../_test.ts";

/** How the client goes. */
const departures: Record<string, (client: StreamSocket) => Promise<unknown> | void> = {
  closes: (client) => client.close(),
  resets: (client) => client.abort(),
};
/** What the listener waits in. */
const waits: Record<string, (clock: Clock) => Promise<unknown>> = {
  "an operation": (clock) => clock.sleep(1000),
  "withTimeout()": (clock) => withTimeout(clock, 5000, () => clock.sleep(1000)),
  "Switch.run()": (clock) => Switch.run(() => clock.sleep(1000)),
};
for (const [how, leave] of Object.entries(departures)) {
  for (const [what, wait] of Object.entries(waits)) {
    test(`httpHandler() lets a listener that waits in ${what} go on when its client ${how}`, () =>
      withNet(async (sw, net) => {
        const clock = mockClock();
        const asked = signal();
        const outcome = signal<string>();
        const server = createServer(async (_, response) => {
          asked.resolve();
          outcome.resolve(await wait(clock).then(() => "went on", String));
          response.end();
        });
        const listener = await net.listen(sw, tcp("127.0.0.1", 0), { linger: 50 });
        const stop = new AbortController();
        const errors: unknown[] = [];
        let handled = 0;
        const handle = httpHandler(server);
        const served = sw.forkPromise(() =>
          runServer(listener, async (flow, peer, scope) => {
            await handle(flow, peer, scope);
            handled++;
          }, { onError: (error) => errors.push(error), stop: stop.signal })
        );
        const client = await net.connect(sw, listener.address, { linger: 50 });
        await copyString("GET / HTTP/1.1\r\nHost: x\r\n\r\n", client);
        await asked.promise;
        await leave(client);
        await until(() => handled === 1);
        clock.advance();
        assertEquals([await outcome.promise, errors], ["went on", []]);
        stop.abort();
        await served;
      }));
  }
}
