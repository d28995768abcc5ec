// Copyright 2026 the Sluice authors. MIT license.

import { cancellableSource, lend, type LendingSource, lends } from "../../flow/internal.ts";
import type { Connection } from "../internal.ts";

/**
 * Returns the connection, or if it is foreign, the same one with reads that can be cancelled. A
 * read of a foreign connection may ignore its scope, and then nothing but input would end a wait.
 */
export function cancellable(connection: Connection): Connection {
  if (lends(connection)) return connection; // all of the library do
  const source = cancellableSource(connection);
  const same: Connection & LendingSource = {
    get local() {
      return connection.local;
    },
    get peer() {
      return connection.peer;
    },
    read: (buffer) => source.read(buffer),
    [lend]: (use) => source[lend](use),
    write: (bytes) => connection.write(bytes),
    shutdown: (how) => connection.shutdown(how),
    close: () => connection.close(),
    abort: (reason) => connection.abort(reason),
    [Symbol.asyncDispose]: () => connection.close(),
  };
  return Object.freeze(same);
}
