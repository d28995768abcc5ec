// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `net/http/`: one exchange. Users import `mod.ts`. */
export {
  type BodySource,
  ClientConnection,
  type Exchange,
  type ExchangeLimits,
  type IncomingHead,
  type RequestBody,
} from "./_client_connection.ts";
export { HttpError } from "./errors.ts";
export type { Field } from "./_fields.ts";
export { isLost } from "./_is_lost.ts";
