// Copyright 2026 the Sluice authors. MIT license.

/** A module for workers whose server fails as `data` says: it throws, has no handler, or ends. */
import process from "node:process";
import { workerServer, type WorkerService } from "../../../net/workers/mod.ts";

export default workerServer<string>(({ data }) => {
  if (data === "exit") process.exit(3);
  if (data === "throw") throw new TypeError("thrown in prepare");
  return {} as WorkerService;
});
