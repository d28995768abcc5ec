// Copyright 2026 the Sluice authors. MIT license.

/** What other folders of the library use of `base/`. Private: `base/` exports nothing to users. */
export { ByteQueue, leastMemory } from "./_byte_queue.ts";
export {
  checkBoolean,
  checkClock,
  checkFields,
  checkFunction,
  checkMilliseconds,
  checkName,
  checkNumber,
  checkOptions,
  checkPort,
  checkRecord,
  checkShape,
  checkString,
  checkWhole,
  className,
  fieldOf,
  functionName,
  isAsyncIterable,
  isInstance,
  isIterable,
  isPromise,
  mustBe,
  rejectionOf,
} from "./_check.ts";
export { open, type OpenCounts, openCounts } from "./_counter.ts";
export { freezeClass, hideClass } from "./_freeze.ts";
export { attempt, guard } from "./_guard.ts";
export { isOfAnotherCopy, isOfKind, setKind } from "./_kind.ts";
export { type Linked, List } from "./_list.ts";
export { follow } from "./_promise.ts";
export { type Random, random, useRandom } from "./_random.ts";
export { isAborted, isSignal, onAbort, reasonOf } from "./_signal.ts";
export { retrace, setFrameLimit, setHidden, throwLater, withCallerFrames } from "./_stack.ts";
export { isWarnedIfUnhandled, warnIfUnhandled } from "./_unhandled.ts";
export { describe, describeData, escapeText, quoteText, textOf } from "./_text.ts";
