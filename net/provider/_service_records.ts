// Copyright 2026 the Sluice authors. MIT license.

/** Implements {@linkcode Net.getServices} with a provider's resolver. */
import { describe, random } from "../../base/internal.ts";
import { domainNameProblem, NetError, type ServiceRecord } from "../internal.ts";
import { query, type Question } from "./_query.ts";
import type { NetProvider } from "./provider.ts";

/** Looks up SRV records. Drops targets that are not valid host names: the records are untrusted. */
export async function lookUpServices(provider: NetProvider, name: string): Promise<ServiceRecord[]> {
  if (typeof name !== "string") throw new TypeError(`Cannot look up ${describe(name)}: must be a string`);
  const question: Question = { operation: "lookup", address: name };
  const failed = (lookupCode: "NONAME" | "NODATA" | "SERVICE", cause?: unknown) =>
    new NetError("address_lookup_failed", { ...question, lookupCode, cause });
  const problem = domainNameProblem(name);
  if (problem !== undefined) throw failed("NONAME", problem);
  const answers = await query(question, () => provider.lookupServices(name));
  const records = answers.map(copy);
  const usable = records.filter((record) => domainNameProblem(record.name) === undefined);
  if (usable.length > 0) return inOrder(usable, random);
  // RFC 2782: the root as the only target means that the domain does not offer the service.
  throw failed(records.some((record) => record.name === "") ? "SERVICE" : "NODATA");
}

/**
 * Returns a copy of `records` in the order of RFC 2782: by priority, then by a draw with each
 * record's weight as its probability. A record of weight 0 has a small chance while others remain.
 *
 * @param records The records.
 * @param random Returns a number from 0 up to, but not including, 1.
 */
export function inOrder(records: readonly ServiceRecord[], random: () => number): ServiceRecord[] {
  const priorities = [...new Set(records.map(({ priority }) => priority))].sort((a, b) => a - b);
  return priorities.flatMap((priority) => draw(records.filter((record) => record.priority === priority), random));
}

function draw(records: readonly ServiceRecord[], random: () => number): ServiceRecord[] {
  const left = [...records].sort((a, b) => Math.min(a.weight, 1) - Math.min(b.weight, 1)); // weight 0 first
  const drawn: ServiceRecord[] = [];
  while (left.length > 0) {
    const total = left.reduce((sum, { weight }) => sum + weight, 0);
    const lot = Math.floor(random() * (total + 1)); // from 0 to the sum, inclusive
    let sum = 0;
    const index = left.findIndex(({ weight }) => (sum += weight) >= lot);
    drawn.push(...left.splice(index, 1));
  }
  return drawn;
}

/** Copies the known fields, without the trailing dot of the name. */
function copy({ name, port, priority, weight }: ServiceRecord): ServiceRecord {
  return Object.freeze({ name: name.replace(/\.$/, ""), port, priority, weight });
}
