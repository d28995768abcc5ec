// Copyright 2026 the Sluice authors. MIT license.

import { checkHostName } from "./address.ts";
import { IpAddress } from "./ip_address.ts";

/** The address that text is the literal of, if it is one. */
export function literalOf(text: string): IpAddress | undefined {
  try {
    return IpAddress.parse(text);
  } catch {
    return undefined;
  }
}

/** Why text cannot be the name of a domain, which the literal of an address is not; `undefined` where it can. */
export function domainNameProblem(text: string): unknown {
  try {
    checkHostName(text);
  } catch (error) {
    return error;
  }
  return literalOf(text) === undefined ? undefined : new SyntaxError("An IP address is not the name of a domain");
}
