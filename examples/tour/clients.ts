// Copyright 2026 the Sluice authors. MIT license.

/** The clients of the tour that use Sluice: a well-behaved one, and four that misbehave. */
import { both, copyString, interruptible, NetError, readAll, readExact, Switch, TimeoutError } from "@sluice/io";
import { type Net, type StreamAddress, type StreamSocket, withTimeout, writeAll } from "@sluice/io";
import { type Payload, sha256 } from "./payloads.ts";
import { throwRequest } from "./server.ts";

/**
 * Sends payloads over one connection and checks the replies. Calls `checked` with the size of each.
 */
export async function sendAndCheck(
  net: Net,
  address: StreamAddress,
  payloads: readonly Payload[],
  checked: (bytes: number) => void,
): Promise<void> {
  await Switch.run(async (sw) => {
    const flow = await net.connect(sw, address);
    await both(async () => {
      for (const { bytes } of payloads) await writeAll(flow, bytes);
      await flow.shutdown("send");
    }, async () => {
      for (const { name, bytes, digest } of payloads) {
        const reply = new Uint8Array(bytes.length);
        await readExact(flow, reply);
        if (sha256(reply) !== digest) throw new Error(`Wrong SHA-256 of the reply to ${name}`);
        checked(reply.length);
      }
      await expectEnd(flow);
    });
  });
}

/** Makes the handler throw, so that the server closes the connection. */
export async function askToThrow(net: Net, address: StreamAddress): Promise<void> {
  await Switch.run(async (sw) => {
    const flow = await net.connect(sw, address);
    await copyString(throwRequest, flow);
    await expectEnd(flow);
  });
}

/** Resets the connection in the middle of a conversation. */
export async function reset(net: Net, address: StreamAddress): Promise<void> {
  await Switch.run(async (sw) => {
    const flow = await net.connect(sw, address);
    await copyString("hello", flow);
    await readExact(flow, new Uint8Array(5));
    flow.abort();
  });
}

/** Half-closes the connection before it reads. The reply must still be complete. */
export async function halfClose(net: Net, address: StreamAddress, payload: Payload): Promise<void> {
  await Switch.run(async (sw) => {
    const flow = await net.connect(sw, address);
    await writeAll(flow, payload.bytes);
    await flow.shutdown("send");
    if (sha256(await readAll(flow)) !== payload.digest) {
      throw new Error("Wrong SHA-256 of the reply to the half-closer");
    }
  });
}

/**
 * Sends and never reads. Calls `stuck` once the server's buffers are full. Only the end of the
 * grace period ends its handler, which the client observes as a reset.
 */
export async function readNothing(
  net: Net,
  address: StreamAddress,
  served: Promise<void>,
  stuck: () => void,
): Promise<void> {
  await Switch.run(async (sw) => {
    const flow = await net.connect(sw, address);
    await interruptible(served);
    const bytes = new Uint8Array(64 * 1024);
    for (;;) {
      try {
        // A write that is cancelled by the timeout has sent nothing, so it can be retried.
        await withTimeout(net.clock, 500, () => flow.write(bytes));
      } catch (error) {
        if (error instanceof NetError && error.code === "connection_reset") break;
        if (!(error instanceof TimeoutError)) throw error;
        stuck();
      }
    }
  });
}

async function expectEnd(flow: StreamSocket): Promise<void> {
  if (await flow.read(new Uint8Array(1)) !== null) throw new Error("More came back than was sent");
}
