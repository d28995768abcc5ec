// Copyright 2026 the Sluice authors. MIT license.

/**
 * Has something open that waits for nothing: a listener, or a connection. Says "goes on" if that keeps the process alive,
 * for which nothing else is a reason.
 */
import process from "node:process";
import { setTimeout } from "node:timers";
import { run, Switch, tcp } from "../../mod.ts";

run(({ net }) =>
  Switch.run(async (sw) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 0));
    if (process.argv[2] === "connection") {
      const [client, server] = await Promise.all([net.connect(sw, listener.address), listener.accept(sw)]);
      for (const flow of [client, server]) await flow.write(new Uint8Array(9)); // unread, so that no read is pending
      await listener.close();
    }
    setTimeout(() => {
      console.log("goes on");
      process.exit();
    }, 50).unref();
    await new Promise(() => {});
  })
).catch((error) => console.error(error));
