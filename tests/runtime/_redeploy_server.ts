// Copyright 2026 the Sluice authors. MIT license.

/** A server that shares its port, answers with its name, and drains at SIGTERM: `_redeploy_server.ts HOST PORT NAME`. */
import process from "node:process";
import { copyString, readExact, run, runServer, Switch, tcp } from "../../mod.ts";

const [host, port, name] = process.argv.slice(2);

await run(({ net, stop, stdout, clock }) =>
  Switch.run(async (sw) => {
    const stopped = stop();
    const listener = await net.listen(sw, tcp(host, Number(port)), { reusePort: true });
    await copyString("listening\n", stdout);
    await runServer(listener, async (connection) => {
      await readExact(connection, new Uint8Array(1));
      await clock.sleep(5);
      await copyString(name, connection);
    }, { onError: (error) => copyString(`${error}\n`, stdout), stop: stopped, grace: 10_000 });
    await copyString("drained\n", stdout);
  })
);
