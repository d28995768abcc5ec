// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `flow/`. Not for users: see `mod.ts`. */
export { BridgeScope, CallbackScope, onCancel } from "./_bridge_scope.ts";
export {
  buffersProblem,
  bytesProblem,
  checkBuffer,
  checkBytes,
  checkMethods,
  checkTaken,
  copyTo,
  decode,
  describeByte,
  encode,
  encodeInto,
  howProblem,
  isBytes,
  isGone,
  joined,
  lengthOf,
  lost,
  payloadOf,
  totalLength,
  unshared,
  vanished,
  viewOf,
  viewsOf,
} from "./_bytes.ts";
export {
  checkSink,
  checkSource,
  giveAll,
  giveOwned,
  gives,
  innerOf,
  type Joint,
  jointOf,
  lendOne,
  lends,
  lendSome,
  type LoanTerms,
  noted,
  type Outlet,
  readSome,
  registerFlows,
  registerLayers,
  writeSome,
} from "./_foreign.ts";
export { addStreamMethods, closableSink, closableSource, flowOf, sourceOf, type StreamMethods } from "./_flow.ts";
export {
  eventsOf,
  Half,
  type HalfAttempt,
  noSink,
  noSource,
  ownsMemory,
  registerOwners,
  type StreamNames,
  writeLimit,
} from "./_half.ts";
export { ignore, isSilent, operation, rejection, silenced, silent } from "./_operation.ts";
export { pullStream } from "./_pull_source.ts";
export { Stream } from "./_stream.ts";
export {
  BufferLimitExceeded,
  BusyError,
  ClosedError,
  EndOfFlow,
  FlushAborted,
  label,
  labelOf,
  ParseError,
} from "./errors.ts";
export type { StreamEnd, StreamEvents } from "./provider.ts";
export { nullFlow } from "./sinks.ts";
export { bytesSource, cancellableSource, stringSource } from "./sources.ts";
export {
  type Borrower,
  type Closable,
  type ClosableSink,
  type ClosableSource,
  give,
  type GivingSink,
  lend,
  type LendingSource,
  type ShutdownHow,
  type Sink,
  type Source,
  type TwoWay,
} from "./types.ts";
export { writeAll } from "./write.ts";
