// Copyright 2026 the Sluice authors. MIT license.

import { checkHostName } from "./address.ts";
import { IpAddress } from "./ip_address.ts";

/** Returns the IP address that `text` is the literal of; `undefined` if it is not a literal. */
export function literalOf(text: string): IpAddress | undefined {
  if (typeof text !== "string" || !/^[\d.]+$|:/.test(text)) return undefined; // else parse() makes an error for each name
  try {
    return IpAddress.parse(text);
  } catch {
    return undefined;
  }
}

/** Returns an error if `text` is not a valid domain name; an IP address is not one. */
export function domainNameProblem(text: string): unknown {
  try {
    checkHostName(text);
  } catch (error) {
    return error;
  }
  return literalOf(text) === undefined ? undefined : new SyntaxError("An IP address is not a domain name");
}
