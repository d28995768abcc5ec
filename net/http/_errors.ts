// Copyright 2026 the Sluice authors. MIT license.

import { freezeClass } from "../../base/internal.ts";

/** A message of the peer breaks the rules of HTTP/1.1, or is larger than a limit. */
export class HttpError extends Error {
  static {
    freezeClass(this);
  }

  /** Creates an error. `why` quotes nothing of the peer: "its header has a line without a colon". */
  constructor(why: string, cause?: unknown) {
    super(`Cannot read the HTTP message: ${why}`, cause === undefined ? undefined : { cause });
    this.name = "HttpError";
  }
}
