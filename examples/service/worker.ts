// Copyright 2026 the Sluice authors. MIT license.

/** What each thread of the service runs. */
import { workerServer } from "@sluice/io/net/workers";
import { handlerOf, type WorkerData } from "./handler.ts";

export default workerServer<WorkerData>(({ net, data }) => ({
  handler: handlerOf(net, data, (error) => console.error(String(error))),
}));
