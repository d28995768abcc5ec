// Copyright 2026 the Sluice authors. MIT license.

/** The pool of `pg` over our sockets, against a PostgreSQL: what one caller does is nothing to the others. */
import { assertEquals, assertRejects } from "@std/assert";
import pg from "pg";
import {
  Cancelled,
  type Clock,
  interruptible,
  run,
  type StreamSocket,
  Switch,
  TimeoutError,
  withTimeout,
} from "../../mod.ts";
import { ClosedError } from "../../flow/mod.ts";
import { toDuplex } from "../../flow/node/mod.ts";
import { openCounts } from "../../net/testing/mod.ts";
import { until } from "../_helpers.ts";
import { test } from "../_test.ts";
import { login, postgres, postgresPeers, withSlowQuery } from "./_postgres.ts";

/** A pool, and what it has done. */
interface Used {
  readonly pool: pg.Pool;
  readonly sw: Switch;
  readonly clock: Clock;
  /** The connections that it asked for. */
  readonly opened: Promise<StreamSocket>[];
  /** Its 'error' events. */
  readonly errors: Error[];
}

/** Runs `fn` with a pool in a switch, which only the switch ends. */
function withPool(fn: (used: Used) => Promise<void>, options: pg.PoolConfig = {}): Promise<void> {
  return run((env) =>
    Switch.run(async (sw) => {
      const { address } = await postgres();
      const opened: Promise<StreamSocket>[] = [];
      const errors: Error[] = [];
      const connect = () => {
        const flow = env.net.connect(sw, address);
        opened.push(flow);
        return flow;
      };
      const stream = () => toDuplex(connect, { sw, allowHalfOpen: false });
      const pool = new pg.Pool({ ...login, stream, ...options });
      pool.on("error", (error) => errors.push(error));
      await fn({ pool, sw, clock: env.clock, opened, errors });
    })
  );
}

/** Which session of the server answers. */
async function session(pool: pg.Pool): Promise<number> {
  return (await pool.query("select pg_backend_pid() as pid")).rows[0].pid;
}

test(
  "toDuplex() carries the connections of a pool of pg, no more than it needs",
  () =>
    withPool(async ({ pool, opened, errors }) => {
      const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => pool.query("select $1::int as i", [i])));
      assertEquals(answers.map(({ rows }) => rows[0].i), answers.map((_, i) => i));
      assertEquals(opened.length, 4);
      await pool.end(); // which does not wait for them
      await until(() => openCounts().sockets === 0);
      assertEquals(errors, []);
    }, { max: 4 }),
  { peers: postgresPeers },
);

test(
  "toDuplex() keeps the connection of a pool when a caller's timeout fires in a slow query",
  () =>
    withPool(async ({ pool, opened, clock, errors }) => {
      const before = await session(pool);
      await withSlowQuery(async (query, answer) => {
        const late = assertRejects(() => withTimeout(clock, 30, () => interruptible(pool.query(query))), TimeoutError);
        const others = Promise.all([session(pool), session(pool)]);
        await late;
        await answer();
        assertEquals([...await others, await session(pool)], [before, before, before]);
      });
      assertEquals([opened.length, errors], [1, []]);
    }, { max: 1 }),
  { peers: postgresPeers },
);

test(
  "toDuplex() keeps the connection of a pool when the caller that opened it is gone",
  () =>
    withPool(async ({ pool, opened }) => {
      const pid = await Switch.run(() => session(pool));
      assertEquals([await session(pool), opened.length], [pid, 1]);
    }, { max: 1 }),
  { peers: postgresPeers },
);

test(
  "toDuplex() goes on connecting for a pool when the caller that started it is cancelled",
  () =>
    withPool(async ({ pool, opened }) => {
      const starting = Switch.run((inner) => {
        inner.fork(() => interruptible(pool.query("select pg_sleep(0)")));
        inner.fail(new Error("enough"));
      });
      const waiting = session(pool);
      await assertRejects(() => starting, Error, "enough");
      assertEquals(opened.length, 1);
      assertEquals(await waiting, await session(pool));
      assertEquals(opened.length, 1);
    }, { max: 1 }),
  { peers: postgresPeers },
);

test(
  "toDuplex() does not let a cancelled caller of a pool open a broken connection for the next",
  () =>
    withPool(async ({ pool, opened, errors }) => {
      let waiting: Promise<number> | undefined;
      // The caller ends its client, in a scope that is cancelled by then, and so makes the pool connect anew for another.
      await Switch.run(async (inner) => {
        const client = await pool.connect();
        waiting = session(pool);
        inner.fail(new Error("enough"));
        client.release(true);
      }).catch(() => {});
      assertEquals(typeof await waiting, "number");
      assertEquals([opened.length, errors], [2, []]);
    }, { max: 1 }),
  { peers: postgresPeers },
);

test(
  "toDuplex() lets a cancelled caller give back its client of a pool in one piece",
  () =>
    withPool(({ pool, opened, clock }) =>
      withSlowQuery(async (query, answer) => {
        const transaction = async () => {
          const client = await pool.connect();
          try {
            await client.query("begin");
            await interruptible(client.query(query));
          } finally {
            const end = client.query("rollback"); // waits for the other one
            await answer();
            await end;
            client.release();
          }
        };
        await assertRejects(() => withTimeout(clock, 30, transaction), TimeoutError);
        await session(pool);
        assertEquals(opened.length, 1);
      }), { max: 1 }),
  { peers: postgresPeers },
);

test(
  "toDuplex() closes the idle and busy connections of a pool when its switch ends, even if the pool is not ended",
  async () => {
    let used: Used | undefined;
    const queries: Promise<unknown>[] = [];
    await withPool(async (pool) => {
      used = pool;
      await Promise.all([session(pool.pool), session(pool.pool)]);
      queries.push(assertRejects(() => pool.pool.query("select pg_sleep(60)"), ClosedError));
      await until(() => pool.pool.idleCount === 1);
      assertEquals(openCounts().sockets, 2);
    }, { max: 2 });
    assertEquals(openCounts().sockets, 0);
    await Promise.all(queries);
    const { pool, errors } = used as Used;
    await until(() => pool.totalCount === 0);
    assertEquals(errors.map((error) => error instanceof ClosedError), errors.map(() => true));
    await assertRejects(async () => await pool.query("select 1"), TypeError, "the switch is finished");
    await pool.end();
  },
  { peers: postgresPeers },
);

test("toDuplex() stops the pool's connecting when its switch fails", async () => {
  let waiting: Promise<unknown> | undefined;
  const failed = withPool(async ({ pool, sw }) => {
    waiting = assertRejects(() => pool.query("select 1"), Cancelled);
    await Promise.resolve();
    sw.fail(new Error("enough"));
  });
  await assertRejects(() => failed, Error, "enough");
  await waiting;
}, { peers: postgresPeers });

test(
  "toDuplex() lets a pool go on with new connections when the server ends one",
  () =>
    withPool(async ({ pool, opened, errors }) => {
      const before = await session(pool);
      const other = new pg.Pool(pool.options);
      await other.query("select pg_terminate_backend($1)", [before]);
      await until(() => pool.totalCount === 0);
      assertEquals(await session(pool) === before, false);
      assertEquals([opened.length, errors.length], [3, 1]);
      await other.end();
    }, { max: 1 }),
  { peers: postgresPeers },
);
