// Copyright 2026 the Sluice authors. MIT license.

/** Programs with async calls that nothing awaits, by name. They do not listen. */
import process from "node:process";
import { awaitCancel, ClosedError, pipe, run, Switch, tcp, withTimeout } from "../../../mod.ts";

/** Returns an address at which nothing listens. */
const refusing = () => tcp("127.0.0.1", Number(process.argv[3]));

const listeners = () => process.listenerCount("unhandledRejection");

async function turns(count = 5): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Fails with the program's own error, in an async function. */
async function fail(): Promise<never> {
  await Promise.resolve();
  throw new Error("Cannot serve");
}

/** Runs `stray` in a program, and prints that the program continued. */
async function during(stray: () => unknown): Promise<void> {
  await run(async () => {
    stray();
    await turns();
    console.log("main goes on");
  });
  console.log("after");
}

const programs: Record<string, () => unknown> = {
  cancelled: () =>
    run(async (env) => {
      const handle = async () => {
        await env.clock.sleep(60_000);
        console.log("never");
      };
      await Switch.run((sw) => {
        handle();
        sw.fork(() => void handle());
      });
      handle();
      await turns();
      console.log("main ends");
    }),
  closed: () =>
    during(() => {
      const [a] = pipe();
      const handle = async () => {
        const reading = a.read(new Uint8Array(1));
        await a.close();
        await reading;
      };
      handle();
    }),
  thrown: () => during(async () => await Promise.reject(new ClosedError("read", "the test says so"))),
  network: () =>
    run(async (env) => {
      const handle = async () => await env.net.connect(env.sw, refusing());
      handle();
      await turns(50);
      console.log("main goes on");
    }),
  timeout: () =>
    run(async (env) => {
      const handle = async () => await withTimeout(env.clock, 1, () => env.clock.sleep(60_000));
      handle();
      await turns(20);
      console.log("main goes on");
    }),
  failed: () => during(fail),
  failedBare: async () => {
    fail();
    await turns();
    console.log("main goes on");
    console.log("after");
  },
  text: () => during(() => void Promise.reject("a text")),
  textBare: async () => {
    Promise.reject("a text");
    await turns();
    console.log("main goes on");
    console.log("after");
  },
  beside: () =>
    run(async (env) => {
      const handle = async () => await env.clock.sleep(60_000);
      await Switch.run(() => {
        handle();
        fail();
        handle();
      });
      await turns();
      console.log("main goes on");
    }),
  own: async () => {
    process.on("unhandledRejection", (error) => console.log("told", String(error)));
    await during(fail);
  },
  uncaught: async () => {
    process.on("uncaughtException", (error, origin) => console.log("told", String(error), origin));
    await run(async () => {
      for (let i = 0; i < 2; i++) {
        fail();
        await turns();
        console.log("guarded", listeners());
      }
    });
  },
  floating: async () => {
    run((env) => env.net.connect(env.sw, refusing()));
    await turns(50);
    console.log("still there");
  },
  floatingAsync: async () => {
    const start = async () => await run((env) => env.net.connect(env.sw, refusing()));
    start();
    await turns(50);
    console.log("still there");
  },
  floatingClosed: async () => {
    run(() => Promise.reject(new ClosedError("read", "the test says so")));
    await turns(50);
    console.log("still there");
  },
  floatingCancelled: async () => {
    run(() => Switch.run(awaitCancel, { signal: AbortSignal.timeout(1) }));
    await turns(50);
    console.log("still there");
  },
  top: () => run((env) => env.net.connect(env.sw, refusing())),
  forgottenRun: async () => {
    const error = await Switch.run(async () => {
      run((env) => env.clock.sleep(60_000));
      await turns();
    }).catch(String);
    await turns();
    console.log(error);
  },
  removed: async () => {
    const counts = [listeners()];
    await run(async () => {
      counts.push(listeners());
      await Promise.all([run(() => turns()), run(() => {})]);
      await turns();
      counts.push(listeners());
    });
    await turns();
    counts.push(listeners());
    console.log(...counts);
  },
};

await programs[process.argv[2]]();
