// Copyright 2026 the Sluice authors. MIT license.

import { checkRecord, describe, quoteText } from "../../base/internal.ts";
import { parseRule, type Rule, type RuleList } from "./_rule.ts";
import type { NetDenial, NetPolicy } from "./policy.ts";

/** A policy that was read once, and copied. */
export interface CheckedPolicy {
  readonly connect: readonly Rule[];
  readonly listen: readonly Rule[];
  readonly bind: readonly Rule[];
  readonly send: readonly Rule[];
  readonly lookup: readonly Rule[];
  readonly deny: readonly Rule[];
  readonly isPublic: boolean;
  /** Whether local names are denied as well. */
  readonly deniesLocalNames: boolean;
  readonly onDenied: ((denial: NetDenial) => unknown) | undefined;
}

const lists: readonly RuleList[] = ["connect", "listen", "bind", "send", "lookup", "deny"];
const fields: readonly PropertyKey[] = [...lists, "addresses", "onDenied"];

/** Reads a policy: each field and each rule once. Only its own properties count. */
export function checkPolicy(policy: NetPolicy): CheckedPolicy {
  checkRecord("restrict a network", "policy", policy);
  const keys = Reflect.ownKeys(policy);
  const unknown = keys.find((key) => !fields.includes(key));
  if (unknown !== undefined) {
    const name = typeof unknown === "string" ? quoteText(unknown) : "a symbol";
    throw new TypeError(`Cannot restrict a network as a policy has no field ${name}`);
  }
  const read = new Map(keys.map((key) => [key, policy[key as keyof NetPolicy] as unknown] as const));
  const rulesOf = (list: RuleList): readonly Rule[] | undefined => {
    const value = read.get(list);
    return value === undefined ? undefined : checkRules(list, value);
  };
  const connect = rulesOf("connect") ?? [];
  return Object.freeze({
    connect,
    listen: rulesOf("listen") ?? [],
    bind: rulesOf("bind") ?? [],
    send: rulesOf("send") ?? [],
    lookup: rulesOf("lookup") ?? Object.freeze(connect.filter(({ pattern }) => pattern.kind !== "unix").map(anyPort)),
    deny: rulesOf("deny") ?? [],
    isPublic: checkAddresses(read.get("addresses")),
    deniesLocalNames: false,
    onDenied: checkOnDenied(read.get("onDenied")),
  });
}

function anyPort({ text, pattern }: Rule): Rule {
  return Object.freeze({ text, pattern, port: undefined });
}

function checkRules(list: RuleList, value: unknown): readonly Rule[] {
  if (Array.isArray(value)) return Object.freeze(Array.from(value, (rule: unknown) => parseRule(list, rule)));
  throw new TypeError(`Cannot restrict a network as ${list} must be an array: current value is ${describe(value)}`);
}

function checkAddresses(value: unknown): boolean {
  if (value === undefined || value === "any" || value === "public") return value === "public";
  throw new TypeError(
    `Cannot restrict a network as addresses must be "public" or "any": current value is ${describe(value)}`,
  );
}

function checkOnDenied(value: unknown): CheckedPolicy["onDenied"] {
  if (value === undefined || typeof value === "function") return value as CheckedPolicy["onDenied"];
  throw new TypeError(`Cannot restrict a network as onDenied must be a function: current value is ${describe(value)}`);
}
