// Copyright 2026 the Sluice authors. MIT license.

/**
 * A program for Node: peers that do everything that a peer should not. Its arguments are the ports of the servers that it
 * attacks and a seed. It says the ports of its own hostile servers, then a line for each hundred attacks, and ends when
 * its input does.
 */
import { createSocket } from "node:dgram";
import { connect, createServer, type Server, type Socket } from "node:net";
import process from "node:process";
import { connect as connectTls } from "node:tls";

const [echo, flood, tls, startTls, datagrams, seed] = process.argv.slice(2).map(Number) as [
  number,
  number,
  number,
  number,
  number,
  number,
];

let state = seed;
function below(n: number): number {
  state = Math.imul(state ^ state >>> 15, 1 | state) + 0x6d2b79f5 | 0;
  return (state >>> 0) % n;
}
const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const allNoise = Buffer.from(Array.from({ length: 1 << 17 }, () => below(256)));
const noise = (size: number) => {
  const from = below(1 << 16);
  return allNoise.subarray(from, from + size);
};

/** A connection whose errors are nothing to it. It is on another address of loopback each time. */
function dial(port: number): Socket {
  const socket = connect({ port, host: "127.0.0.1", localAddress: `127.0.0.${2 + below(250)}`, allowHalfOpen: true });
  return socket.on("error", () => {}).setNoDelay(true);
}

const connected = (socket: Socket) =>
  new Promise<void>((resolve) => socket.once("connect", resolve).once("close", () => resolve()));

/** Garbage of every kind for a server of TLS. */
const garbage: (() => Buffer)[] = [
  () => Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
  () => noise(1 + below(2000)),
  () => Buffer.from([0x16, 3, 1, 0xff, 0xff, ...noise(100)]), // a record that is too large
  () => Buffer.from([0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3, ...noise(20)]), // the beginning of a ClientHello
  () => Buffer.from([0x16, 3, 1, 0, 0]), // an empty record
  () => Buffer.concat(Array.from({ length: 500 }, () => Buffer.from([0x15, 3, 3, 0, 2, 1, 0]))), // alerts
  () => Buffer.from([0x80, 0x2e, 1, 0, 2, ...noise(40)]), // SSL 2
  () => Buffer.from([0x17, 3, 3, 0, 50, ...noise(50)]), // data before the handshake
  () => Buffer.from([0x14, 3, 3, 0, 1, 1]), // a change of cipher at once
];

/** A TLS client whose bytes go through a relay that misbehaves after some of them. */
async function interferedTls(after: number, then: (up: Socket, down: Socket) => unknown): Promise<void> {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (down) => {
    const up = dial(tls);
    sockets.push(down, up);
    let passed = 0;
    down.on("error", () => {}).on("data", (bytes: Buffer) => {
      const kept = bytes.subarray(0, Math.max(0, after - passed));
      passed += bytes.length;
      if (kept.length > 0) up.write(kept);
      if (passed >= after) then(up, down);
    });
    up.on("data", (bytes: Buffer) => down.write(bytes)).on("end", () => down.end());
    up.on("close", () => down.destroy());
    down.on("close", () => up.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const client = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, servername: "localhost" });
  client.on("error", () => {}).on("secureConnect", () => client.write("x".repeat(below(3000)))).resume();
  await Promise.race([new Promise((resolve) => client.once("close", resolve)), wait(300)]);
  client.destroy();
  for (const socket of sockets) socket.destroy();
  server.close();
}

const secured = async (fn: (client: ReturnType<typeof connectTls>, raw: Socket) => unknown, version?: "TLSv1.2") => {
  const raw = dial(tls);
  const client = connectTls({ socket: raw, rejectUnauthorized: false, servername: "localhost", maxVersion: version });
  client.on("error", () => {}).resume();
  const done = new Promise<void>((resolve) => {
    client.once("secureConnect", () => Promise.resolve(fn(client, raw)).finally(resolve));
    client.once("close", () => resolve());
  });
  await Promise.race([done, wait(500)]);
  raw.destroy();
};

/** What a client can do to a server that speaks first, or answers. */
const attacks: Record<string, (port: number) => unknown> = {
  "resets while connecting": (port) => dial(port).destroy(),
  "resets at once": async (port) => {
    const socket = dial(port);
    await connected(socket);
    socket.resetAndDestroy();
  },
  "ends at once": async (port) => {
    const socket = dial(port);
    socket.end();
    socket.resume();
    await wait(below(50));
    socket.destroy();
  },
  "says nothing": async (port) => {
    const socket = dial(port);
    await wait(100 + below(300));
    socket.resetAndDestroy();
  },
  "never reads": async (port) => {
    const socket = dial(port);
    for (let i = 0; i < 40; i++) socket.write(noise(10_000));
    await wait(100 + below(300));
    if (below(2) === 0) socket.resetAndDestroy();
    else socket.destroy();
  },
  "resets in the midst of its writing": async (port) => {
    const socket = dial(port).resume();
    await connected(socket);
    for (let i = below(10); i >= 0; i--) socket.write(noise(1 + below(50_000)));
    await wait(below(5));
    socket.resetAndDestroy();
  },
  "resets in the midst of its reading": async (port) => {
    const socket = dial(port);
    socket.write(noise(50_000));
    socket.once("data", () => socket.resetAndDestroy());
    await wait(50);
    socket.resetAndDestroy();
  },
  "resets after the other end": async (port) => {
    const socket = dial(port).resume();
    socket.on("end", () => socket.resetAndDestroy());
    socket.end("x");
    await wait(50);
    socket.destroy();
  },
  "goes on after the other end": async (port) => {
    const socket = dial(port).resume();
    for (let i = 0; i < 20 && !socket.destroyed; i++) {
      socket.write("x".repeat(1000));
      await wait(5);
    }
    socket.resetAndDestroy();
  },
  "sends byte by byte": async (port) => {
    const socket = dial(port).resume();
    await connected(socket);
    for (let i = 0; i < 50 && !socket.destroyed; i++) {
      socket.write("x");
      await wait(1);
    }
    socket.end();
    await wait(10);
    socket.destroy();
  },
  "reads byte by byte": async (port) => {
    const socket = dial(port);
    socket.end(noise(5000));
    for (let i = 0; i < 30 && !socket.destroyed; i++) {
      socket.read(1);
      await wait(5);
    }
    socket.resetAndDestroy();
  },
  "floods": async (port) => {
    const socket = dial(port).resume();
    const piece = Buffer.alloc(65_536, "flood");
    for (let i = 0; i < 50 && !socket.destroyed; i++) {
      if (!socket.write(piece)) {
        await Promise.race([new Promise((resolve) => socket.once("drain", resolve)), wait(100)]);
      }
    }
    socket.resetAndDestroy();
  },
  "comes in a burst and vanishes": async (port) => {
    const sockets = Array.from({ length: below(300) === 0 ? 10_000 : 100 }, () => dial(port));
    await wait(below(20));
    for (const socket of sockets) below(2) === 0 ? socket.destroy() : socket.resetAndDestroy();
  },
  "sends garbage to TLS": async () => {
    const socket = dial(tls).resume();
    await connected(socket);
    socket.write(pick(garbage)());
    await wait(below(30));
    if (below(2) === 0) socket.end(pick(garbage)());
    await wait(below(30));
    if (below(2) === 0) socket.resetAndDestroy();
    else socket.destroy();
  },
  "cuts TLS off": () => interferedTls(below(2500), (up, down) => (up.end(), down.destroy())),
  "resets TLS": () => interferedTls(below(2500), (up) => up.resetAndDestroy()),
  "stalls TLS": () => interferedTls(below(2500), () => {}),
  "tampers with TLS": () => interferedTls(below(2500), (up) => up.write(noise(100))),
  "sends an oversized record in TLS": () =>
    interferedTls(1 + below(2500), (up) => up.write(Buffer.from([0x17, 3, 3, 0xff, 0xff, ...noise(1000)]))),
  "forgets close_notify": () => secured((client, raw) => (client.write("x"), raw.end())),
  "sends alerts in TLS": () => secured((_, raw) => raw.write(garbage[5]!())),
  "renegotiates": () =>
    secured(async (client) => {
      for (let i = 0; i < 6; i++) {
        await new Promise<void>((resolve) => {
          if (client.renegotiate({ rejectUnauthorized: false }, () => resolve()) === false) resolve();
          setTimeout(resolve, 30);
        });
      }
    }, "TLSv1.2"),
  "floods TLS": () =>
    secured(async (client) => {
      for (let i = 0; i < 100; i++) client.write(Buffer.alloc(16_000, "x"));
      await wait(50);
    }),
  "interferes with STARTTLS": async () => {
    const socket = dial(startTls).resume();
    await connected(socket);
    for (let i = below(4); i > 0; i--) socket.write("NOOP\r\n");
    const command = Buffer.from("STARTTLS\r\n");
    pick([
      () => socket.write(Buffer.concat([command, Buffer.from("injected\r\n")])),
      () => socket.write(Buffer.concat([command, pick(garbage)()])), // in one piece, so that both may be read at once
      () => socket.write(command, () => setTimeout(() => socket.write(pick(garbage)()), below(10))),
      () => socket.write(command, () => socket.end()),
      () => socket.write(command, () => socket.resetAndDestroy()),
      () => socket.write("x".repeat(1 + below(5000))), // a line without end
      () => socket.write(command.subarray(0, below(10))),
    ])();
    await wait(below(100));
    if (below(2) === 0) socket.resetAndDestroy();
    else socket.destroy();
  },
  "floods with datagrams": async () => {
    const socket = createSocket("udp4").on("error", () => {});
    for (let i = 0; i < 200; i++) socket.send(i % 3 === 0 ? "" : noise(below(1400)), datagrams, "127.0.0.1");
    await wait(20);
    socket.close();
  },
};

/** What a server can do to a client. */
const servers: Record<string, (socket: Socket) => unknown> = {
  "resets at once": (socket) => socket.resetAndDestroy(),
  "ends at once": (socket) => socket.resume().end(),
  "says nothing": (socket) => socket.resume(),
  "never reads": () => {},
  "says garbage": (socket) => socket.resume().write(noise(1 + below(3000))),
  "floods": (socket) => {
    const more = () => {
      while (!socket.destroyed && socket.write(Buffer.alloc(65_536)));
    };
    socket.on("drain", more).resume();
    more();
  },
  "resets after a while": (socket) => {
    socket.resume().write("hello");
    setTimeout(() => socket.resetAndDestroy(), below(30));
  },
  "speaks byte by byte": (socket) => {
    const timer = setInterval(() => socket.write("x"), 2);
    socket.resume().on("close", () => clearInterval(timer));
  },
  "answers TLS with an alert": (socket) => socket.resume().write(garbage[5]!()),
  "answers TLS with a huge record": (socket) => socket.resume().write(garbage[2]!()),
};

async function listening(behave: (socket: Socket) => unknown): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    setTimeout(() => socket.destroy(), 2000);
    behave(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as { port: number }).port;
}

/** Where no other program has taken the port of the DNS server over TCP. */
const dnsHost = "127.0.9.2";

/** A DNS server that lies now and then, and then tells the truth: 127.0.0.1. */
async function lyingDns(): Promise<number> {
  const socket = createSocket("udp4").on("error", () => {});
  const other = createSocket("udp4").on("error", () => {});
  const answer = (query: Buffer, id = query.readUInt16BE(0), ip = [127, 0, 0, 1]) => {
    const question = query.subarray(12, query.indexOf(0, 12) + 5);
    const isA = question.readUInt16BE(question.length - 4) === 1;
    const head = Buffer.from([id >> 8, id & 255, 0x81, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0]);
    return Buffer.concat([
      head,
      question,
      isA ? Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...ip]) : Buffer.of(),
    ]);
  };
  const spoofed = [10, 6, 6, 6];
  socket.on("message", (query, { port, address }) => {
    const send = (bytes: Buffer, from = socket) => from.send(bytes, port, address);
    for (let i = below(4); i > 0; i--) {
      const lies = [
        () => send(answer(query, query.readUInt16BE(0) ^ 1 + below(65_535), spoofed)), // another question's id
        () => send(answer(query, undefined, spoofed), other), // from another port
        () => {
          const another = Buffer.from(query);
          another[13] = another[13]! ^ 1; // another name
          send(answer(another, undefined, spoofed));
        },
        () => send(noise(1 + below(500))),
        () => send(query), // a query is no answer
        () => send(query.subarray(0, below(12))),
        () => send(Buffer.of()),
      ];
      pick(lies)();
    }
    const whole = answer(query);
    if (below(4) === 0) {
      whole[2]! |= 2; // truncated: asks to be asked over TCP
      whole.fill(0, query.length); // what came of the answers is not to be believed
    }
    setTimeout(() => send(whole), below(20));
  });
  await new Promise<void>((resolve) => socket.bind(0, dnsHost, resolve));
  const { port } = socket.address();
  const overTcp = createServer((stream) => {
    stream.on("error", () => {}).once("data", (message) => {
      const reply = answer(message.subarray(2));
      const framed = (bytes: Buffer) => Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
      const truncated = Buffer.from(reply);
      truncated[2]! |= 2;
      pick([
        () => stream.write(framed(reply)),
        () => stream.end(framed(reply)),
        async () => {
          for (const byte of framed(reply)) {
            stream.write(Buffer.of(byte));
            await wait(1);
          }
        },
        () => stream.write(framed(truncated)),
        () => stream.end(framed(reply).subarray(0, below(reply.length))),
        () => stream.write(framed(noise(below(2000)))),
        () => stream.write(Buffer.concat([framed(Buffer.of()), framed(reply)])),
        () => stream.write(framed(answer(message.subarray(2), message.readUInt16BE(2) ^ 1, spoofed))),
        () => stream.write(noise(100_000)),
        () => stream.resetAndDestroy(),
        () => stream.destroy(),
      ])();
    });
    setTimeout(() => stream.destroy(), 1000);
  });
  await new Promise<void>((resolve) => overTcp.listen(port, dnsHost, resolve));
  return port;
}

let over = false;
process.stdin.resume().on("end", () => {
  over = true;
  process.exit();
});
process.on("uncaughtException", (error) => console.error(error)); // its own mistakes are nobody's concern

console.log([...await Promise.all(Object.values(servers).map(listening)), await lyingDns()].join());
let done = 0;
const lane = async () => {
  while (!over) {
    const attack = attacks[pick(Object.keys(attacks))]!;
    try {
      await attack(pick([echo, flood, tls]));
    } catch (error) {
      console.error(error); // its own mistake; the next attack goes on
    }
    if (++done % 100 === 0) console.log(done);
  }
};
await Promise.all(Array.from({ length: 8 }, lane));
