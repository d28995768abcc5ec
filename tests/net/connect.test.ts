// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertFalse, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { Cancelled, first, hostAddress, IpAddress, NetError, Switch, tcp, unix } from "../../mod.ts";
import { test } from "../_test.ts";
import { fakeNet, FakeStream, serverAddress } from "./_fake_provider.ts";
import {
  anyPort,
  assertNetError,
  called,
  finishedSwitch,
  microtasks,
  ownHost,
  ownPort,
  refused,
  reset,
  signal,
  withNet,
  withSockets,
} from "./_helpers.ts";

test("connect() returns a socket that knows both addresses", async () => {
  await withSockets(({ client, server, listener }) => {
    assertEquals(client.peer, listener.address);
    assertEquals(server.local, listener.address);
    assertEquals(server.peer, client.local);
    return Promise.resolve();
  });
});

test("connect() to a host by name reaches a listener on loopback", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", ownPort())); // the port is free at the other address
    const flow = await net.connect(sw, hostAddress("localhost", listener.address.port));
    assertEquals(flow.peer, listener.address);
  });
});

test("connect() to a missing Unix path is not_found and says what it was doing", async () => {
  await withNet(async (sw, net) => {
    const error = await assertNetError(() => net.connect(sw, unix("/nonexistent/socket")), "not_found");
    assertEquals(error.context, ["connecting to unix:/nonexistent/socket"]);
  });
});

test("connect() to a closed TCP port is connection_refused and says what it was doing", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, tcp(ownHost, ownPort()));
    await listener.close();
    const error = await assertNetError(() => net.connect(sw, listener.address), "connection_refused");
    assertEquals(error.context, [`connecting to tcp:${ownHost}:${listener.address.port}`]);
    assert(error.cause !== undefined);
  });
});

test("connect() from an address that is not on this host is a NetError", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const bindTo = tcp("192.0.2.1", 0);
    await assertNetError(() => net.connect(sw, listener.address, { bindTo }), "address_not_available");
  });
});

test("connect() uses the local address that bindTo names", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const flow = await net.connect(sw, listener.address, { bindTo: tcp("127.0.0.2", 0) });
    assertEquals(String(flow.local.transport === "tcp" && flow.local.ip), "127.0.0.2");
    assertEquals((await listener.accept(sw)).peer, flow.local);
  });
});

test("connect() asks for the local address, then sets the options in order, and closes with its switch", async () => {
  const { net, provider } = fakeNet();
  const stream = new FakeStream();
  await Switch.run(async (sw) => {
    const socketOptions = { TCP_NODELAY: true, SO_KEEPALIVE: true, IP_TOS: 16 };
    const connecting = net.connect(sw, serverAddress, { bindTo: tcp("10.0.0.1", 4000), socketOptions });
    await called(() => provider.connects.length === 1);
    provider.connects[0].succeed(stream);
    await connecting;
    assertEquals(provider.calls, ["connect from tcp:10.0.0.1:4000"]);
    assertEquals(stream.settings.calls, ["TCP_NODELAY true", "SO_KEEPALIVE true", "IP_TOS 16"]);
    assertEquals(stream.state, "open");
  });
  assertEquals(stream.state, "closed");
});

test("connect() abandons the attempt as soon as it is cancelled", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    await first(() => net.connect(sw, serverAddress), () => called(() => provider.connects.length === 1));
    assertEquals(provider.connects[0].cancels, 1);
  });
});

test("connect() can be cancelled right after the call", async () => {
  for (const target of [serverAddress, hostAddress("example.com", 80)]) {
    for (let delay = 0; delay < 6; delay++) {
      const { net, provider } = fakeNet();
      await Switch.run((sw) => first(() => net.connect(sw, target), () => microtasks(delay)));
      for (const attempt of [...provider.connects, ...provider.lookups]) assertEquals(attempt.cancels, 1);
    }
  }
});

test("connect() aborts a connection that completes after it was cancelled", async () => {
  const { net, provider } = fakeNet();
  const late = new FakeStream();
  await Switch.run(async (sw) => {
    await first(() => net.connect(sw, serverAddress), () => called(() => provider.connects.length === 1));
    provider.connects[0].succeed(late);
    await microtasks();
  });
  assertEquals(late.state, "aborted");
});

test("connect() ignores a failure after it was cancelled", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    await first(() => net.connect(sw, serverAddress), () => called(() => provider.connects.length === 1));
  });
  provider.connects[0].fail(refused);
  await microtasks();
});

test("connect() asks the system for nothing in a cancelled scope", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (owner) => {
    await assertRejects(() =>
      Switch.run(async (sw) => {
        sw.fail(new Cancelled(undefined));
        await net.connect(owner, serverAddress);
      }), Cancelled);
  });
  assertEquals(provider.calls, []);
});

test("connect() under a finished switch is a TypeError before any system call", async () => {
  const { net, provider } = fakeNet();
  const sw = await finishedSwitch();
  await assertRejects(() => net.connect(sw, serverAddress), TypeError, "finished");
  assertEquals(provider.calls, []);
});

test("connect() under a releasing switch is a TypeError before any system call", async () => {
  const { net, provider } = fakeNet();
  await Switch.run((sw) => {
    sw.onRelease(() => assertRejects(() => net.connect(sw, serverAddress), TypeError));
  });
  assertEquals(provider.calls, []);
});

test("connect() under a failed switch is Cancelled before any system call", async () => {
  const { net, provider } = fakeNet();
  const failed = Switch.run(async (sw) => {
    sw.fail(new Error("Cannot go on"));
    await assertRejects(() => net.connect(sw, serverAddress), Cancelled);
  });
  await assertRejects(() => failed, Error, "Cannot go on");
  assertEquals(provider.calls, []);
});

test("connect() without a switch is a TypeError before any system call", async () => {
  const { net, provider } = fakeNet();
  await assertRejects(() => net.connect({} as Switch, serverAddress), TypeError, "must be a Switch");
  assertEquals(provider.calls, []);
});

test("connect() is abandoned when its switch ends", async () => {
  const { net, provider } = fakeNet();
  const late = new FakeStream();
  let connecting: Promise<unknown> | undefined;
  await Switch.run(async (sw) => {
    connecting = net.connect(sw, serverAddress);
    connecting.catch(() => {});
    await called(() => provider.connects.length === 1);
  });
  await assertRejects(() => connecting!, TypeError, "finished");
  assertEquals(provider.connects[0].cancels, 1);
  provider.connects[0].succeed(late);
  await microtasks();
  assertEquals(late.state, "aborted");
});

test("connect() is Cancelled when its switch fails meanwhile", async () => {
  const { net, provider } = fakeNet();
  const connecting = signal<Promise<unknown>>();
  const failing = Switch.run(async (sw) => {
    const flow = net.connect(sw, serverAddress);
    flow.catch(() => {});
    connecting.resolve(Promise.resolve(flow).then(() => {}, (error) => error));
    await called(() => provider.connects.length === 1);
    sw.fail(new Error("Cannot go on"));
  });
  await assertRejects(() => failing, Error, "Cannot go on");
  assertInstanceOf(await connecting.promise, Cancelled);
  assertEquals(provider.connects[0].cancels, 1);
});

test("connect() closes its socket when the switch ends", async () => {
  const { net, provider } = fakeNet();
  const stream = new FakeStream();
  await Switch.run(async (sw) => {
    const connecting = net.connect(sw, serverAddress);
    await called(() => provider.connects.length === 1);
    provider.connects[0].succeed(stream);
    await connecting;
  });
  assertEquals(stream.state, "closed");
});

test("connect() fails with connection_timeout when its time is over, and abandons the attempt", async () => {
  const { net, provider, clock } = fakeNet();
  await Switch.run(async (sw) => {
    const connecting = assertNetError(() => net.connect(sw, serverAddress, { timeout: 100 }), "connection_timeout");
    await called(() => provider.connects.length === 1);
    clock.advance();
    const error = await connecting;
    assertEquals(error.context, ["connecting to tcp:10.0.0.2:80"]);
    assertEquals(clock.now(), 100);
  });
  assertEquals(provider.connects[0].cancels, 1);
});

test("connect() counts the lookup within its timeout", async () => {
  const { net, provider, clock } = fakeNet();
  await Switch.run(async (sw) => {
    const target = hostAddress("example.com", 80);
    const connecting = assertNetError(() => net.connect(sw, target, { timeout: 100 }), "connection_timeout");
    await called(() => provider.lookups.length === 1);
    clock.advance();
    await connecting;
  });
  assertEquals(provider.lookups[0].cancels, 1);
});

test("connect() has no timer left when it succeeds in time", async () => {
  const { net, provider, clock } = fakeNet();
  await Switch.run(async (sw) => {
    const connecting = net.connect(sw, serverAddress, { timeout: 100 });
    await called(() => provider.connects.length === 1);
    provider.connects[0].succeed(new FakeStream());
    await connecting;
    assertFalse(clock.tryAdvance());
  });
});

test("connect() to a host looks it up once and tries the answers in order", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const connecting = net.connect(sw, hostAddress("example.com", 80));
    await called(() => provider.lookups.length === 1);
    provider.lookups[0].succeed([IpAddress.parse("10.0.0.1"), IpAddress.parse("10.0.0.2")]);
    await called(() => provider.connects.length === 1);
    provider.connects[0].fail(refused);
    await called(() => provider.connects.length === 2);
    provider.connects[1].succeed(new FakeStream());
    await connecting;
  });
  assertEquals(provider.calls, ["lookup example.com", "connect", "connect"]);
});

test("connect() to a host reports every failure, with the last one's code", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const connecting = assertNetError(() => net.connect(sw, hostAddress("example.com", 80)), "connection_reset");
    await called(() => provider.lookups.length === 1);
    provider.lookups[0].succeed([IpAddress.parse("10.0.0.1"), IpAddress.parse("10.0.0.2")]);
    await called(() => provider.connects.length === 1);
    provider.connects[0].fail(refused);
    await called(() => provider.connects.length === 2);
    provider.connects[1].fail(reset);
    const { cause, context } = await connecting;
    assertInstanceOf(cause, AggregateError);
    assertEquals(cause.errors.map((error) => error.code), ["connection_refused", "connection_reset"]);
    assertEquals(context, ["connecting to host:example.com:80"]);
  });
});

test("connect() to a host whose lookup fails is address_lookup_failed", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const connecting = assertNetError(() => net.connect(sw, hostAddress("example.com", 80)), "address_lookup_failed");
    await called(() => provider.lookups.length === 1);
    provider.lookups[0].fail(Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" }));
    assertEquals((await connecting).lookupCode, "NONAME");
  });
});

test("connect() to a host tries no further address once it is cancelled", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const attempts = async () => {
      await called(() => provider.lookups.length === 1);
      provider.lookups[0].succeed([IpAddress.parse("10.0.0.1"), IpAddress.parse("10.0.0.2")]);
      await called(() => provider.connects.length === 1);
    };
    await first(() => net.connect(sw, hostAddress("example.com", 80)), attempts);
    provider.connects[0].fail(refused);
    await microtasks();
    assertEquals(provider.connects.length, 1);
  });
});

test("connect() refuses a socket that the system connected to itself", async () => {
  const { net, provider } = fakeNet();
  const self = new FakeStream(tcp("127.0.0.1", 5000), tcp("127.0.0.1", 5000));
  await Switch.run(async (sw) => {
    const connecting = assertNetError(() => net.connect(sw, tcp("127.0.0.1", 5000)), "connection_refused");
    await called(() => provider.connects.length === 1);
    provider.connects[0].succeed(self);
    await connecting;
    assertEquals(self.state, "aborted");
  });
});

test("connect() keeps the runtime's own error as the cause, and quotes unknown errors", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const connecting = assertRejects(() => net.connect(sw, serverAddress), NetError);
    await called(() => provider.connects.length === 1);
    const strange = new Error("The cable is on fire");
    provider.connects[0].fail(strange);
    const error = await connecting;
    assertEquals([error.code, error.cause], ["unknown", strange]);
    assertStringIncludes(error.message, "The cable is on fire");
  });
});
