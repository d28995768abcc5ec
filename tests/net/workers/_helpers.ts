// Copyright 2026 the Sluice authors. MIT license.

import {
  BufReader,
  copyString,
  type Env,
  readAll,
  run,
  type StreamSocket,
  Switch,
  tcp,
  type TcpAddress,
} from "../../../mod.ts";
import { type ServerMonitor, serverMonitor } from "../../../net/server/mod.ts";
import { runWorkers, type RunWorkersOptions } from "../../../net/workers/mod.ts";
import { until } from "../../_helpers.ts";

/** The module `name` of this folder. */
export function moduleOf(name: string): URL {
  return new URL(`./${name}`, import.meta.url);
}

/** Workers that serve commands, and a client of theirs. */
export interface Workers {
  readonly env: Env;
  readonly sw: Switch;
  readonly address: TcpAddress;
  readonly monitor: ServerMonitor;
  readonly errors: readonly Error[];
  /** The outcome of `runWorkers`. */
  readonly ended: Promise<string>;
  stop(): void;
  /** Opens a connection, and sends a command. */
  open(command: string): Promise<StreamSocket>;
  /** Opens a connection, and returns the line that the server answers first. */
  openHeld(command: string): Promise<{ readonly flow: StreamSocket; readonly thread: string }>;
  /** Returns all that the server answers. */
  ask(command: string): Promise<string>;
  /** Waits until an error has been reported whose message has a text. */
  reported(text: string): Promise<Error>;
}

/** Runs workers that serve commands, calls `fn`, and stops them. */
export function withWorkers(
  options: Partial<RunWorkersOptions<string>>,
  fn: (workers: Workers) => Promise<unknown>,
): Promise<void> {
  return run((env) =>
    Switch.run(async (sw) => {
      const monitor = serverMonitor();
      const errors: Error[] = [];
      const listening = Promise.withResolvers<TcpAddress>();
      const stop = Promise.withResolvers<string>();
      const ended = sw.forkPromise(() =>
        runWorkers<string>(env.workers, {
          module: moduleOf("_commands.ts"),
          address: tcp("127.0.0.1", 0),
          workers: 2,
          onListen: listening.resolve,
          onError: (error) => void errors.push(error),
          stop: stop.promise,
          monitor,
          ...options,
        })
      );
      ended.catch(listening.reject);
      const address = await listening.promise;
      const flows: StreamSocket[] = [];
      const open = async (command: string) => {
        const flow = await env.net.connect(sw, address);
        flows.push(flow);
        await copyString(`${command}\n`, flow);
        return flow;
      };
      await fn({
        env,
        sw,
        address,
        monitor,
        errors,
        ended,
        stop: () => stop.resolve("told"),
        open,
        openHeld: async (command) => {
          const flow = await open(command);
          return { flow, thread: await new BufReader(flow, { maxSize: 100 }).line() ?? "" };
        },
        ask: async (command) => {
          const flow = await open(command);
          const answer = new TextDecoder().decode(await readAll(flow));
          await flow.close();
          return answer;
        },
        reported: async (text) => {
          await until(() => errors.some(({ message }) => message.includes(text)));
          return errors.find(({ message }) => message.includes(text)) as Error;
        },
      });
      for (const flow of flows) flow.abort();
      stop.resolve("told");
      await ended;
    })
  );
}
