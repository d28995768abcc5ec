// Copyright 2026 the Sluice authors. MIT license.

/** A server for workers that does as its clients say, one command a connection. */
import process from "node:process";
import { threadId } from "node:worker_threads";
import { awaitCancel, BufReader, copy, copyString, NetError, tcp } from "../../../mod.ts";
import { workerServer } from "../../../net/workers/mod.ts";

export default workerServer<unknown>(({ data, sw }) => ({
  handler: async (connection, _, { stopping }) => {
    const command = await new BufReader(connection, { maxSize: 100 }).line();
    switch (command) {
      case "thread":
        return await copyString(`${threadId}`, connection);
      case "data":
        return await copyString(JSON.stringify(data), connection);
      case "hold":
        await copyString(`${threadId}\n`, connection);
        return await copy(connection, connection);
      case "stopping":
        await copyString(`${threadId}\n`, connection);
        return await new Promise<void>((resolve) => stopping.addEventListener("abort", () => resolve()));
      case "forever":
        await copyString(`${threadId}\n`, connection);
        return await awaitCancel();
      case "spin":
        await copyString(`${threadId}\n`, connection);
        for (;;);
      case "net error":
        throw new NetError("connection_refused", { operation: "connect", address: tcp("10.0.0.1", 80) });
      case "string":
        return await Promise.reject("a string");
      case "eat":
        for (let all = {};;) all = { all };
      case "exit":
        process.exit(7);
        break;
      case "throw":
        setTimeout(() => {
          throw Object.assign(new TypeError("uncaught"), { code: "EUNCAUGHT" });
        });
        return await awaitCancel();
      case "reject":
        sw.fork(() => Promise.reject(new RangeError("of a fiber")));
        return await awaitCancel();
      default:
        throw new Error(`unknown command`);
    }
  },
}));
