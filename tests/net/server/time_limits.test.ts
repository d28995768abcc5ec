// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import {
  awaitCancel,
  Cancelled,
  ClosedError,
  type Connection,
  type ConnectionHandler,
  copy,
  copyString,
  MultipleErrors,
  NetError,
  readAll,
  readExact,
  type StreamSocket,
  Switch,
  tcp,
  writeAll,
} from "../../../mod.ts";
import { serverMonitor, type TimeLimits, timeLimits } from "../../../net/server/mod.ts";
import { mockClock, socketPair } from "../../../net/testing/mod.ts";
import { wrapConnection } from "../../../net/wrap/mod.ts";
import { outcomeOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { signal } from "../_helpers.ts";
import { pass, type Served, serving, settled } from "./_limits.ts";

/** Serves with limits while `fn` runs, and returns the reported errors. */
function limited(
  limits: TimeLimits,
  handler: ConnectionHandler<StreamSocket>,
  fn: (served: Served) => Promise<unknown>,
): Promise<unknown[]> {
  return serving((clock) => timeLimits(clock, limits, handler), fn);
}

/** Asserts that the errors are one timeout that names `limit`. */
function assertTimeout(errors: readonly unknown[], limit: string): void {
  assertEquals(errors.length, 1, String(errors));
  const [error] = errors;
  assert(error instanceof NetError, String(error));
  assertEquals(error.code, "connection_timeout");
  assertMatch(error.message, new RegExp(`, the limit ${limit} \\(handling connection from tcp:127.0.0.2:`));
}

const echo = (connection: Connection) => copy(connection, connection);
const byte = new Uint8Array(1);
const big = new Uint8Array(1_000_000);

test("timeLimits() resets a client that sends no first byte in time, and says so once", async () => {
  const errors = await limited({ firstByte: 1000 }, echo, async ({ connect, pass, errors }) => {
    const client = await connect();
    await pass(999);
    assertEquals(errors, []);
    await pass(1);
    assertEquals(errors.length, 1);
    await assertRejects(() => client.read(byte), NetError, "connection reset");
  });
  assertTimeout(errors, "firstByte");
});

test("timeLimits(): a greeting of the server is no first byte", async () => {
  const errors = await limited({ firstByte: 1000 }, async (connection) => {
    await copyString("220 hello\r\n", connection);
    await echo(connection);
  }, async ({ connect, pass }) => {
    const client = await connect();
    await readExact(client, new Uint8Array(11));
    await pass(1000);
  });
  assertTimeout(errors, "firstByte");
});

test("timeLimits(): firstByte ends with the first byte, and with the end of a client that sends none", async () => {
  const errors = await limited({ firstByte: 1000 }, async (connection) => {
    await connection.read(new Uint8Array(1));
    await awaitCancel();
  }, async ({ connect, pass }) => {
    const one = await connect();
    await writeAll(one, byte);
    const other = await connect();
    await other.shutdown("send");
    await pass(10_000);
  });
  assertEquals(errors, []);
});

test("timeLimits(): idle counts from the last byte read or written", async () => {
  const errors = await limited({ idle: 1000 }, async (connection) => {
    await connection.read(new Uint8Array(10));
    await awaitCancel();
  }, async ({ connect, pass, errors }) => {
    const client = await connect();
    await pass(900);
    await writeAll(client, byte);
    await pass(900);
    await pass(99);
    assertEquals(errors, []);
    await pass(1);
  });
  assertTimeout(errors, "idle");
});

test("timeLimits(): a client that sends a byte a second is not idle, and lifetime ends it", async () => {
  const errors = await limited({ idle: 1500, lifetime: 60_000 }, echo, async ({ connect, pass, errors }) => {
    const client = await connect();
    for (let second = 0; second < 59; second++) {
      await writeAll(client, byte);
      await pass(1000);
      await readExact(client, new Uint8Array(1));
    }
    await writeAll(client, byte);
    assertEquals(errors, []);
    await pass(1000);
  });
  assertTimeout(errors, "lifetime");
});

test("timeLimits(): idle does not expire while unread input waits, and counts from when it is read", async () => {
  let read = (): void => {};
  const ready = new Promise<void>((resolve) => read = resolve);
  const errors = await limited({ idle: 1000 }, async (connection) => {
    await ready;
    await connection.read(new Uint8Array(1));
    await awaitCancel();
  }, async ({ connect, pass, errors }) => {
    const client = await connect();
    await writeAll(client, byte);
    for (let i = 0; i < 10; i++) await pass(1000);
    read();
    await pass(999);
    assertEquals(errors, []);
    await pass(1);
  });
  assertTimeout(errors, "idle");
});

test("timeLimits(): write expires when a write makes no progress, but not while it makes some", async () => {
  const errors = await limited({ write: 1000 }, (connection) => writeAll(connection, big), async (served) => {
    const client = await served.connect();
    for (let i = 0; i < 20; i++) {
      await served.pass(900);
      await readExact(client, new Uint8Array(10)); // fewer than a write waits for
    }
    assertEquals(served.errors, []);
    await served.pass(1000);
    await served.pass(1000);
  });
  assertTimeout(errors, "write");
});

test("timeLimits(): write does not expire while the handler waits for something else", async () => {
  const errors = await limited({ write: 1000 }, async (connection) => {
    await writeAll(connection, byte);
    await connection.read(new Uint8Array(1));
  }, async ({ connect, pass }) => {
    const client = await connect();
    for (let i = 0; i < 5; i++) await pass(1000);
    await writeAll(client, byte);
    await settled();
  });
  assertEquals(errors, []);
});

test("timeLimits(): a cancelled write no longer counts", async () => {
  const errors = await limited({ write: 1000 }, async (connection) => {
    await outcomeOf(() =>
      Switch.run((sw) => {
        sw.fork(() => writeAll(connection, big));
        sw.fork(() => Promise.reject(new Error("Cannot go on")));
      })
    );
    await connection.read(new Uint8Array(1));
  }, async ({ connect, pass }) => {
    const client = await connect();
    for (let i = 0; i < 5; i++) await pass(1000);
    await writeAll(client, byte);
    await settled();
  });
  assertEquals(errors, []);
});

test("timeLimits(): halfClosed counts from the end of this side, and input does not extend it", async () => {
  const errors = await limited({ halfClosed: 1000 }, async (connection) => {
    await connection.shutdown("send");
    await readAll(connection);
  }, async ({ connect, pass, errors }) => {
    const client = await connect();
    for (let i = 0; i < 9; i++) {
      await pass(100);
      await writeAll(client, byte);
    }
    assertEquals(errors, []);
    await pass(100);
  });
  assertTimeout(errors, "halfClosed");
});

test("timeLimits(): halfClosed does not apply to a peer that has ended, whether or not that was read", async () => {
  for (const reads of [true, false]) {
    const errors = await limited({ halfClosed: 1000 }, async (connection) => {
      await connection.shutdown("send");
      if (reads) await readAll(connection);
      await awaitCancel();
    }, async ({ connect, pass }) => {
      const client = await connect();
      await client.shutdown("send");
      for (let i = 0; i < 5; i++) await pass(1000);
    });
    assertEquals(errors, []);
  }
});

test("timeLimits(): what the handler waits in is Cancelled, and then the connection is reset", async () => {
  const told: unknown[] = [];
  const errors = await limited({ lifetime: 1000 }, async (connection) => {
    told.push(await outcomeOf(() => connection.read(new Uint8Array(1))));
    throw told[0];
  }, async ({ connect, pass }) => {
    const client = await connect();
    await pass(1000);
    await assertRejects(() => client.read(byte), NetError, "connection reset");
  });
  assert(told[0] instanceof Cancelled);
  assertTimeout(errors, "lifetime");
});

test("timeLimits() reports a handler that swallows its cancellation", async () => {
  const errors = await limited({ lifetime: 1000 }, async (connection) => {
    await outcomeOf(() => connection.read(new Uint8Array(1)));
  }, async ({ connect, pass }) => {
    await connect();
    await pass(1000);
  });
  assertTimeout(errors, "lifetime");
});

test("timeLimits() reports a handler that does not end a second later, and only once", async () => {
  const finish = signal();
  const monitor = serverMonitor();
  const errors = await serving(
    (clock) => timeLimits(clock, { lifetime: 1000 }, () => finish.promise),
    async ({ connect, pass, errors }) => {
      await connect();
      await pass(1000);
      await pass(999);
      assertEquals(errors, []);
      await pass(1);
      assertTimeout(errors, "lifetime");
      assertEquals([monitor.failed, monitor.active], [1, 1]);
      finish.resolve();
      await settled();
    },
    { monitor },
  );
  assertTimeout(errors, "lifetime");
  assertEquals([monitor.failed, monitor.active], [1, 0]);
});

test("timeLimits(): write expires when a shutdown makes no progress", async () => {
  const clock = mockClock();
  const [client, server] = socketPair();
  const stuck = wrapConnection(server, {});
  const connection: Connection = Object.assign(Object.create(null), {
    local: stuck.local,
    peer: stuck.peer,
    read: (buffer: Uint8Array) => stuck.read(buffer),
    write: (bytes: Uint8Array) => stuck.write(bytes),
    shutdown: () => awaitCancel(),
    close: () => stuck.close(),
    abort: (reason: unknown) => stuck.abort(reason),
  });
  await Switch.run(async (sw) => {
    const handler = timeLimits(clock, { write: 100 }, (connection) => connection.shutdown("send"));
    const scope = { sw, stopping: sw.signal };
    const failed = assertRejects(async () => await handler(connection, client.local, scope), NetError, "limit write");
    await pass(clock, 100);
    await failed;
  });
  await client.close();
});

test("timeLimits() adds what the handler throws on its way out", async () => {
  const problem = new Error("Cannot clean up");
  const errors = await limited({ lifetime: 1000 }, async () => {
    await outcomeOf(awaitCancel);
    throw problem;
  }, async ({ connect, pass }) => {
    await connect();
    await pass(1000);
  });
  assertEquals(errors.length, 1);
  assert(errors[0] instanceof MultipleErrors);
  const [timeout, added] = errors[0].errors;
  assert(timeout instanceof NetError && timeout.code === "connection_timeout");
  assertEquals(added, problem);
});

test("timeLimits() does not add the error of using the connection that it has reset", async () => {
  const problems: unknown[] = [];
  const errors = await limited({ lifetime: 1000 }, async (connection) => {
    await outcomeOf(awaitCancel);
    await Switch.runProtected(() => writeAll(connection, byte)).catch((error) => {
      problems.push(error);
      throw error;
    });
  }, async ({ connect, pass }) => {
    await connect();
    await pass(1000);
  });
  assert(problems[0] instanceof ClosedError);
  assertTimeout(errors, "lifetime");
});

test("timeLimits() cancels the fibers of the connection's switch, also after the handler has returned", async () => {
  let outcome: unknown;
  const errors = await limited({ idle: 1000 }, (connection, _, { sw }) => {
    sw.fork(async () => {
      outcome = await outcomeOf(() => connection.read(new Uint8Array(1)));
      throw outcome;
    });
  }, async ({ connect, pass }) => {
    await connect();
    await pass(1000);
  });
  assert(outcome instanceof Cancelled);
  assertTimeout(errors, "idle");
});

test("timeLimits() fires once after the event loop was blocked, however many limits have passed", async () => {
  const errors = await limited(
    { firstByte: 100, idle: 200, lifetime: 300 },
    echo,
    async ({ connect, pass }) => {
      await connect();
      await pass(60_000);
      await pass(60_000);
    },
  );
  assertTimeout(errors, "firstByte");
});

test("timeLimits() reads what arrived while the event loop was blocked before it judges", async () => {
  const errors = await limited({ idle: 1000 }, echo, async ({ connect, clock, pass }) => {
    const client = await connect();
    await settled();
    clock.setTime(5000); // the timer rings, and the bytes arrive in the same turn
    await writeAll(client, byte);
    await readExact(client, new Uint8Array(1));
    await pass(999);
  });
  assertEquals(errors, []);
});

test("timeLimits(): the server's own stop reaches the handler", async () => {
  const stop = new AbortController();
  let stopped = false;
  await serving(
    (clock) =>
      timeLimits(clock, { idle: 1000 }, async (_, _peer, { stopping }) => {
        await new Promise<void>((resolve) => stopping.addEventListener("abort", () => resolve()));
        stopped = true;
      }),
    async ({ connect }) => {
      await connect();
      await settled();
      stop.abort();
      await settled();
    },
    { stop: stop.signal as never },
  );
  assert(stopped);
});

test("timeLimits() stops when the handler closes its connection", async () => {
  const errors = await limited({ lifetime: 1000 }, async (connection) => {
    await connection.close();
    await awaitCancel();
  }, async ({ connect, pass }) => {
    const client = await connect();
    await readAll(client);
    await client.close();
    await pass(5000);
  });
  assertEquals(errors, []);
});

test("timeLimits() cuts off a handler over a connection of the user, which tells nothing", async () => {
  const clock = mockClock();
  let aborted: unknown;
  const connection = {
    local: tcp("10.0.0.1", 1),
    peer: tcp("10.0.0.2", 2),
    read: () => awaitCancel(),
    write: (bytes: Uint8Array) => Promise.resolve(bytes.length),
    shutdown: () => Promise.resolve(),
    close: () => Promise.resolve(),
    abort: (reason: unknown) => void (aborted = reason),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  } as Connection;
  await Switch.run(async (sw) => {
    const handler = timeLimits(clock, { idle: 100 }, echo);
    const scope = { sw, stopping: new AbortController().signal };
    const failed = assertRejects(async () => await handler(connection, connection.peer, scope), NetError, "limit idle");
    await pass(clock, 100);
    assertEquals(await failed, aborted);
  });
});

test("timeLimits() keeps one timer for a connection, whatever it does", async () => {
  const clock = mockClock();
  let sleeps = 0;
  const counting = {
    now: () => clock.now(),
    sleep: (ms: number) => {
      sleeps++;
      return clock.sleep(ms);
    },
    sleepUntil: (time: number) => clock.sleepUntil(time),
  };
  const [client, server] = socketPair();
  await Switch.run(async (sw) => {
    const limits = { firstByte: 1000, idle: 1000, write: 1000, halfClosed: 1000, lifetime: 100_000 };
    const oneByOne = async (connection: Connection) => {
      const buffer = new Uint8Array(10);
      for (let size; (size = await connection.read(buffer)) !== null;) await connection.write(buffer.subarray(0, size));
    };
    sw.fork(() => timeLimits(counting, limits, oneByOne)(server, server.peer, { sw, stopping: sw.signal }));
    for (let i = 0; i < 1000; i++) {
      await writeAll(client, byte);
      await readExact(client, new Uint8Array(1));
      if (i % 100 === 0) await pass(clock, 100);
    }
    await client.close();
  });
  await server.close();
  assert(sleeps < 10, String(sleeps));
});

test("timeLimits() fails the connection if its clock fails", async () => {
  const problem = new Error("Cannot tell the time");
  const clock = { now: () => 0, sleep: () => Promise.reject(problem), sleepUntil: () => Promise.reject(problem) };
  const errors = await serving(() => timeLimits(clock, { idle: 1000 }, echo), async ({ connect }) => {
    await connect();
    await settled();
  });
  assertEquals(errors, [problem]);
});

test("timeLimits() refuses limits that make no sense", () => {
  const clock = mockClock();
  for (const ms of [-1, NaN, 0, -Infinity]) {
    for (const name of ["firstByte", "idle", "write", "halfClosed", "lifetime"]) {
      assertThrows(() => timeLimits(clock, { [name]: ms }, echo), RangeError, name);
    }
  }
  assertThrows(() => timeLimits(clock, { idle: "5" as never }, echo), TypeError, "idle");
  assertThrows(() => timeLimits(clock, { idel: 5 } as never, echo), TypeError, '"idel"');
  assertThrows(() => timeLimits(clock, undefined as never, echo), TypeError, "limits");
  assertThrows(() => timeLimits({} as never, {}, echo), TypeError, "clock");
  assertThrows(() => timeLimits(clock, {}, undefined as never), TypeError, "function");
  timeLimits(clock, { idle: Infinity, write: undefined }, echo);
});
