// Copyright 2026 the Sluice authors. MIT license.

import { BusyError, ClosedError } from "../../../flow/mod.ts";
import { both, Cancelled, Switch } from "../../../switch/mod.ts";
import { type DatagramSocket, formatAddress, sameAddress, tcp, udp, type UdpAddress } from "../../mod.ts";
import { bytesOf, inCancelledScope, settleSoon, turns } from "../check_flow/internal.ts";
import { expect, expectBytes, expectError, expectSame } from "../internal.ts";
import { expectCode, finishedSwitch, type NetCheck, type NetSubject } from "./_net_check.ts";

/** Checks of datagram sockets, for networks with the feature `datagrams`. */
export const datagramChecks: readonly NetCheck[] = [
  {
    name: "datagramSocket() works with the feature `datagrams`, and is not_supported without it",
    async run(subject) {
      const open = () => subject.net.datagramSocket(subject.sw, udp(subject.ip, 0));
      if (!subject.net.features.has("datagrams")) await expectCode(open, "not_supported", "datagramSocket()");
      else expect((await open()).local.port > 0, "Expected a real port");
    },
  },
  ...withDatagrams([
    {
      name: "send() and recv() keep the boundaries of datagrams, also of an empty one",
      async run(subject) {
        const [a, b] = await socketPair(subject);
        for (const text of ["foo", "bar", "foobar", "cellar door", ""]) {
          await a.send(bytesOf(text), b.local);
          await expectDatagram(b, text, a.local);
        }
      },
    },
    {
      name: "send() makes one datagram of several pieces",
      async run(subject) {
        const [a, b] = await socketPair(subject);
        await a.send([bytesOf("foo"), bytesOf(""), bytesOf("bar")], b.local);
        await expectDatagram(b, "foobar", a.local);
      },
    },
    {
      name: "recv() into too small a buffer reports the truncation, and drops the rest",
      async run(subject) {
        const [a, b] = await socketPair(subject);
        await a.send(bytesOf("foobar"), b.local);
        await a.send(bytesOf("next"), b.local);
        const buffer = new Uint8Array(3);
        const { size, truncated } = await b.recv(buffer);
        expectSame(size, 3, "how much was received");
        expectSame(truncated, true, "whether it was truncated");
        expectBytes(buffer, bytesOf("foo"), "what was received");
        await expectDatagram(b, "next", a.local);
      },
    },
    {
      name: "recvMany() takes all that have arrived, in order",
      async run(subject) {
        const [a, b] = await socketPair(subject);
        for (let i = 0; i < 5; i++) await a.send(Uint8Array.of(i), b.local);
        const got: number[] = [];
        while (got.length < 5) {
          const some = await b.recvMany();
          expect(some.length >= 1, "Expected at least one datagram");
          got.push(...some.map(({ data }) => data[0]));
        }
        expectSame(got.join(), "0,1,2,3,4", "what was received");
      },
    },
    {
      name: "recv() that is cancelled loses no datagram",
      async run(subject) {
        const [a, b] = await socketPair(subject);
        expectSame(
          await settleSoon(() => b.recv(new Uint8Array(9))),
          undefined,
          "the result of recv() while none is sent",
        );
        await a.send(bytesOf("kept"), b.local);
        await expectDatagram(b, "kept", a.local);
      },
    },
    {
      name: "recv() beside another one is a BusyError, and is woken by close()",
      async run(subject) {
        const [a] = await socketPair(subject);
        const wait = () => expectError(() => a.recv(new Uint8Array(9)), ClosedError, "recv() of a closed socket");
        await both(wait, async () => {
          await turns(5);
          await expectError(() => a.recv(new Uint8Array(9)), BusyError, "recv() beside another one");
          await expectError(() => a.recvMany(), BusyError, "recvMany() beside a recv()");
          await a.close();
        });
        await wait();
        await expectError(() => a.send(bytesOf("x"), a.local), ClosedError, "send() of a closed socket");
        await a.close();
      },
    },
    {
      name: "send() without an address, to port 0, or to an address of another kind is refused",
      async run(subject) {
        const [a] = await socketPair(subject);
        await expectError(() => a.send(bytesOf("x")), TypeError, "send() without an address");
        await expectError(() => a.send(bytesOf("x"), udp(subject.ip, 0)), RangeError, "send() to port 0");
        const stream = tcp(subject.ip, 80) as never;
        await expectError(() => a.send(bytesOf("x"), stream), TypeError, "send() to a TCP address");
      },
    },
    {
      name: "send() of more than a datagram can hold is message_too_large",
      async run(subject) {
        const [a, b] = await socketPair(subject);
        const size = subject.ip.version === 4 ? 65_507 : 65_527;
        const send = () => a.send(new Uint8Array(size + 1), b.local);
        await expectCode(send, "message_too_large", `send() of ${size + 1} bytes`);
        await a.send(bytesOf("small"), b.local);
        await expectDatagram(b, "small", a.local);
      },
    },
    {
      name: "a connected socket sends to, and receives from, its peer only",
      async run(subject) {
        const [a, b] = await socketPair(subject);
        const c = await subject.net.datagramSocket(subject.sw, udp(subject.ip, 0), { remote: a.local });
        await b.send(bytesOf("from another sender"), c.local);
        await c.send(bytesOf("hello"));
        await expectDatagram(a, "hello", c.local);
        await a.send(bytesOf("hello you"), c.local);
        await expectDatagram(c, "hello you", a.local);
        await expectError(() => c.send(bytesOf("x"), b.local), TypeError, "send() to another address");
      },
    },
    {
      name: "an unbound socket has an ephemeral port, and receives answers",
      async run(subject) {
        const [a] = await socketPair(subject);
        const kind = subject.ip.version === 4 ? "udp4" : "udp6";
        const sender: DatagramSocket = await subject.net.datagramSocket(subject.sw, kind);
        await sender.send(bytesOf("ping"), a.local);
        const { from } = await a.recv(new Uint8Array(9));
        expect(from.transport === "udp" && from.port > 0, `Expected a port: ${formatAddress(from)}`);
        await a.send(bytesOf("pong"), from);
        await expectDatagram(sender, "pong", a.local);
      },
    },
    {
      name: "datagramSocket() on a port in use is address_in_use, and names the address",
      async run(subject) {
        const [{ local }] = await socketPair(subject);
        const again = () => subject.net.datagramSocket(subject.sw, local);
        const error = await expectCode(again, "address_in_use", "datagramSocket() on a port in use");
        expect(error.context.some((step) => step.includes(formatAddress(local))), `Expected the address: ${error}`);
      },
    },
    {
      name: "datagramSocket() refuses a finished switch, and a cancelled scope",
      async run({ net, sw, ip }) {
        const ended = await finishedSwitch();
        await expectError(
          () => net.datagramSocket(ended, udp(ip, 0)),
          TypeError,
          "datagramSocket() of a finished switch",
        );
        await inCancelledScope(async () => {
          await expectError(
            () => net.datagramSocket(sw, udp(ip, 0)),
            Cancelled,
            "datagramSocket() in a cancelled scope",
          );
        });
      },
    },
    {
      name: "a switch that ends closes its datagram sockets",
      async run({ net, sw, ip }) {
        const address = await Switch.run(async (inner) => (await net.datagramSocket(inner, udp(ip, 0))).local);
        await net.datagramSocket(sw, address);
      },
    },
  ]),
];

function withDatagrams(checks: readonly NetCheck[]): NetCheck[] {
  return checks.map((check) => ({
    ...check,
    run: async (subject) => subject.net.features.has("datagrams") ? await check.run(subject) : undefined,
  }));
}

async function socketPair({ net, sw, ip }: NetSubject): Promise<DatagramSocket<UdpAddress>[]> {
  return [await net.datagramSocket(sw, udp(ip, 0)), await net.datagramSocket(sw, udp(ip, 0))];
}

async function expectDatagram(socket: DatagramSocket, text: string, sender: UdpAddress): Promise<void> {
  const buffer = new Uint8Array(64);
  const { size, from, truncated } = await socket.recv(buffer);
  expectBytes(buffer.subarray(0, size), bytesOf(text), "what was received");
  expectSame(truncated, false, "whether it was truncated");
  expect(sameAddress(from, sender), `Expected the sender to be ${formatAddress(sender)}: it is ${formatAddress(from)}`);
}
