// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `flow/node/`. Not for users: see `mod.ts`. */
export { copyOf, mostCopied, recycle } from "./_copies.ts";
export { brokenPipe, bufferOf } from "./_node_stream.ts";
export { privateCopy } from "./_private_copy.ts";
export { Incoming } from "./_readable_end.ts";
export { awaitQuietInput, ReceiveQueue } from "./_receive_queue.ts";
export { Outgoing } from "./_writable_end.ts";
