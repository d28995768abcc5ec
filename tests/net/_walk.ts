// Copyright 2026 the Sluice authors. MIT license.

/** A walk through everything that code can reach from a value, as an attacker would look for what can be changed. */

import * as asyncHooks from "node:async_hooks";
import * as buffer from "node:buffer";
import * as events from "node:events";
import * as net from "node:net";
import * as stream from "node:stream";
import { ownHost, ownPort } from "./_helpers.ts";

/** An error of the system, whose class the platform does not export. */
const refused = await new Promise<Error>((resolve) => net.connect(ownPort(), ownHost).on("error", resolve));

const generators: readonly unknown[] = [function* () {}, async function* () {}].map(Object.getPrototypeOf);

/** What can be reached from the platform itself, which any code in the process can change anyway. */
const platform: ReadonlySet<object> = reachOfPlatform();

/** What a walk found. */
export interface Findings {
  /** What can be changed, each by the path that leads to it. */
  readonly mutable: string[];
  /** Constructors that were reached and are not among those allowed. */
  readonly constructors: string[];
  /** How many objects were looked at. */
  readonly visited: number;
  /** All that it came to. */
  readonly reached: ReadonlySet<object>;
}

/**
 * Walks from each root through own keys, symbols, prototypes, constructors and what getters return.
 *
 * @param roots Values by name. A record or array that is a root itself is the caller's own.
 * @param allowed The classes that users construct or test against.
 */
export function walk(roots: ReadonlyMap<string, unknown>, allowed: ReadonlySet<unknown>): Findings {
  const mutable: string[] = [];
  const constructors: string[] = [];
  const seen = new Set<object>();
  const queue: { path: string; value: object; own: boolean }[] = [];
  const add = (path: string, value: unknown, own = false) => {
    if (!isObject(value) || seen.has(value) || platform.has(value)) return;
    seen.add(value);
    queue.push({ path, value, own });
  };
  for (const [name, value] of roots) add(name, value, true);
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { path, value, own } = next;
    const prototype: object | null = Object.getPrototypeOf(value);
    if (prototype !== null) {
      // What several objects inherit is never the caller's own.
      if (!platform.has(prototype) && !Object.isFrozen(prototype)) mutable.push(`${path}.__proto__`);
      add(`${path}.__proto__`, prototype);
    }
    if (!isHarmless(value, own)) mutable.push(path);
    if (isClass(value) && !allowed.has(value)) constructors.push(path);
    if (ArrayBuffer.isView(value)) continue;
    for (const key of Reflect.ownKeys(value)) {
      const field = Object.getOwnPropertyDescriptor(value, key) as PropertyDescriptor;
      const at = `${path}.${String(key)}`;
      if (typeof key === "symbol" && isOfPlatform(value)) continue; // how the platform keeps what is its own
      if (key === "prototype" && !isClass(value) && !isGenerator(value) && isUnused(field.value)) continue;
      if (key === "prototype" && isGenerator(value) && !Object.isFrozen(field.value)) mutable.push(at);
      // What is in the caller's own record or error is the caller's own too, unless it is a class or a prototype.
      if ("value" in field) add(at, field.value, own || value instanceof Error);
      else {
        add(`get ${at}`, field.get);
        add(`set ${at}`, field.set);
      }
    }
    for (const [key, get] of gettersOf(value)) {
      const result = ask(get, value);
      add(`${path}.${String(key)}`, result, result !== ask(get, value)); // a new one each time is the caller's own
    }
  }
  return { mutable, constructors, visited: seen.size, reached: seen };
}

/** Whether nothing of `value` itself can be changed, or its change concerns only the one who has it. */
function isHarmless(value: object, own: boolean): boolean {
  if (Object.isFrozen(value)) return true;
  const prototype: object | null = Object.getPrototypeOf(value);
  if (typeof value === "function") return !isClass(value) && hasNoState(value);
  if (/Generator\]$/.test(Object.prototype.toString.call(value))) return Object.isFrozen(prototype);
  if (value instanceof Error) return isInstanceOfPlatform(prototype) || Object.isFrozen(prototype); // what was thrown
  if (prototype === null || prototype === Object.prototype || prototype === Array.prototype) {
    return own && !isPrototype(value);
  }
  return isInstanceOfPlatform(prototype); // a promise, a signal, a Node stream: as the platform makes them
}

/** A function that has nothing but what every function has. */
function hasNoState(value: object): boolean {
  return Reflect.ownKeys(value).every((key) =>
    ["length", "name", "prototype", "arguments", "caller", "listener"].includes(key as string)
  );
}

/** An instance of a class of the platform: a web stream, say. */
function isOfPlatform(value: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(value);
  return typeof value !== "function" && prototype !== Object.prototype && isInstanceOfPlatform(prototype);
}

/** The prototype that every function has, and that only matters where it is called with `new`. */
function isUnused(prototype: unknown): boolean {
  return isObject(prototype) && Reflect.ownKeys(prototype).every((key) => key === "constructor");
}

function isInstanceOfPlatform(prototype: object | null): boolean {
  return prototype === null || platform.has(prototype);
}

function isPrototype(value: object): boolean {
  const constructor: unknown = Object.getOwnPropertyDescriptor(value, "constructor")?.value;
  return typeof constructor === "function" && constructor.prototype === value;
}

function isClass(value: object): boolean {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}

/** Whether the objects that a function returns inherit its prototype. */
function isGenerator(value: object): boolean {
  return generators.includes(Object.getPrototypeOf(value));
}

/** The getters that an object of ours inherits. */
function gettersOf(value: object): [PropertyKey, () => unknown][] {
  const getters: [PropertyKey, () => unknown][] = [];
  for (let at: object | null = value; at !== null && !platform.has(at); at = Object.getPrototypeOf(at)) {
    for (const key of Reflect.ownKeys(at)) {
      const get = Object.getOwnPropertyDescriptor(at, key)?.get;
      if (get !== undefined && !platform.has(get)) getters.push([key, get]);
    }
  }
  return getters;
}

function ask(get: () => unknown, receiver: object): unknown {
  try {
    return Reflect.apply(get, receiver, []);
  } catch (error) {
    return error; // errors are looked at like anything else
  }
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function reachOfPlatform(): Set<object> {
  const found = new Set<object>();
  const queue: object[] = [];
  const add = (value: unknown) => {
    if (!isObject(value) || found.has(value)) return;
    found.add(value);
    queue.push(value);
  };
  const hidden = [
    Object.getPrototypeOf(Uint8Array),
    Object.getPrototypeOf(function* () {}),
    Object.getPrototypeOf(async function () {}),
    Object.getPrototypeOf(async function* () {}),
    Object.getPrototypeOf([][Symbol.iterator]()),
    Object.getPrototypeOf(new Map()[Symbol.iterator]()),
  ];
  const streams = [new stream.Duplex(), new net.Socket()];
  for (const root of [...hidden, ...streams, refused, asyncHooks, buffer, events, net, stream]) add(root);
  for (const key of Reflect.ownKeys(globalThis)) {
    const field = Object.getOwnPropertyDescriptor(globalThis, key) as PropertyDescriptor;
    // What only a getter tells may begin something, such as a database.
    if ("value" in field) add(field.value);
    else if (typeof key === "string" && /^(AbortSignal|ReadableStream|WritableStream|Event|EventTarget)/.test(key)) {
      add(Reflect.get(globalThis, key));
    }
  }
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    add(Object.getPrototypeOf(next));
    if (ArrayBuffer.isView(next)) continue;
    for (const key of Reflect.ownKeys(next)) {
      const field = Object.getOwnPropertyDescriptor(next, key);
      for (const value of [field?.value, field?.get, field?.set]) add(value);
    }
  }
  return found;
}
