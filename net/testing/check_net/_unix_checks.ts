// Copyright 2026 the Sluice authors. MIT license.

import { both } from "../../../switch/mod.ts";
import { formatAddress, unix } from "../../mod.ts";
import { readPattern, writePieces } from "../check_flow/internal.ts";
import { expectError, expectSame, pattern } from "../internal.ts";
import { expectCode, expectContext, type NetCheck } from "./_net_check.ts";

/** Checks of Unix sockets. */
export const unixChecks: readonly NetCheck[] = [
  {
    name: "listen() on a Unix path accepts unnamed clients",
    needs: "unixPath",
    async run({ net, sw, unixPath }) {
      const address = unixPath();
      const listener = await net.listen(sw, address);
      expectSame(formatAddress(listener.address), formatAddress(address), "the listener's address");
      const [client, server] = await both(() => net.connect(sw, address), () => listener.accept(sw));
      await both(() => writePieces(client, pattern(0, 100)), () => readPattern(server, 0, 100));
      expectSame(formatAddress(client.peer), formatAddress(address), "the peer of the client");
      expectSame(formatAddress(server.local), formatAddress(address), "the address of the server");
      expectSame(formatAddress(server.peer), "unix:", "the peer of the server");
    },
  },
  {
    name: "close() of a listener removes its Unix path",
    needs: "unixPath",
    async run({ net, sw, unixPath }) {
      const address = unixPath();
      const listener = await net.listen(sw, address);
      await listener.close();
      await expectCode(() => net.connect(sw, address), "not_found", "connect() to a removed path");
      await net.listen(sw, address);
    },
  },
  {
    name: "connect() to a missing Unix path is not_found, and names it",
    needs: "unixPath",
    async run({ net, sw, unixPath }) {
      const address = unixPath();
      const error = await expectCode(() => net.connect(sw, address), "not_found", "connect() to a missing path");
      expectContext(error, `connecting to ${formatAddress(address)}`);
    },
  },
  {
    name: "listen() on a Unix path in use is address_in_use, also with reuseAddr, and does no harm",
    needs: "unixPath",
    async run({ net, sw, unixPath }) {
      const address = unixPath();
      const listener = await net.listen(sw, address);
      for (const reuseAddr of [false, true]) {
        const again = () => net.listen(sw, address, { reuseAddr });
        await expectCode(again, "address_in_use", `listen() with reuseAddr ${reuseAddr}`);
      }
      // With `reuseAddr`, the listener is probed by a connection that closes at once.
      const server = async () => {
        for (;;) {
          const flow = await listener.accept(sw);
          const count = await flow.read(new Uint8Array(9)).catch(() => null);
          if (count !== null) return count;
        }
      };
      const [count] = await both(server, async () => await writePieces(await net.connect(sw, address), pattern(0, 9)));
      expectSame(count, 9, "how much arrived");
    },
  },
  {
    name: "a Unix path that is empty or too long is refused",
    async run({ net, sw }) {
      for (const address of [unix(""), unix("/" + "x".repeat(200))]) {
        const what = formatAddress(address);
        await expectError(() => net.listen(sw, address), TypeError, `listen() on ${what}`);
        await expectError(() => net.connect(sw, address), TypeError, `connect() to ${what}`);
      }
    },
  },
  {
    name: "an abstract Unix name works, or is not_supported without the feature",
    needs: "unixPath",
    async run({ net, sw, unixPath }) {
      const address = unix(`\0${unixPath().path}`);
      if (!net.features.has("abstractUnix")) {
        await expectCode(() => net.listen(sw, address), "not_supported", "listen() on an abstract name");
        return;
      }
      const listener = await net.listen(sw, address);
      const [client, server] = await both(() => net.connect(sw, address), () => listener.accept(sw));
      await both(() => writePieces(client, pattern(0, 100)), () => readPattern(server, 0, 100));
      await listener.close();
      await expectCode(() => net.connect(sw, address), "connection_refused", "connect() to a removed name");
    },
  },
];
