// Copyright 2026 the Sluice authors. MIT license.

/** Walks everything that code can reach from a value, to find what an attacker could change. */

import * as asyncHooks from "node:async_hooks";
import * as buffer from "node:buffer";
import * as events from "node:events";
import * as net from "node:net";
import * as stream from "node:stream";
import { ownHost, ownPort } from "./_helpers.ts";

/** An error of the system, whose class the platform does not export. */
const refused = await new Promise<Error>((resolve) => net.connect(ownPort(), ownHost).on("error", resolve));

const generators: readonly unknown[] = [function* () {}, async function* () {}].map(Object.getPrototypeOf);

/**
 * Objects that can be reached from the platform itself, which any code in the process can change.
 */
const platform: ReadonlySet<object> = reachOfPlatform();

/** The result of a walk. */
export interface Findings {
  /** The paths to mutable objects. */
  readonly mutable: string[];
  /** Reachable constructors that are not allowed. */
  readonly constructors: string[];
  /** The number of objects visited. */
  readonly visited: number;
  /** All objects visited. */
  readonly reached: ReadonlySet<object>;
}

/**
 * Walks from each root through own keys, symbols, prototypes, constructors and results of getters.
 *
 * @param roots Values by name. If a root is a record or an array, it belongs to the caller.
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
      // A prototype shared by several objects never belongs to the caller.
      if (!platform.has(prototype) && !Object.isFrozen(prototype)) mutable.push(`${path}.__proto__`);
      add(`${path}.__proto__`, prototype);
    }
    if (!isHarmless(value, own)) mutable.push(path);
    if (isClass(value) && !allowed.has(value)) constructors.push(path);
    if (ArrayBuffer.isView(value)) continue;
    for (const key of Reflect.ownKeys(value)) {
      const field = Object.getOwnPropertyDescriptor(value, key) as PropertyDescriptor;
      const at = `${path}.${String(key)}`;
      if (typeof key === "symbol" && isOfPlatform(value)) continue; // internal state of the platform
      if (key === "prototype" && !isClass(value) && !isGenerator(value) && isUnused(field.value)) continue;
      if (key === "prototype" && isGenerator(value) && !Object.isFrozen(field.value)) mutable.push(at);
      // Members of the caller's record or error belong to the caller too, except classes and
      // prototypes.
      if ("value" in field) add(at, field.value, own || value instanceof Error);
      else {
        add(`get ${at}`, field.get);
        add(`set ${at}`, field.set);
      }
    }
    for (const [key, get] of gettersOf(value)) {
      const result = ask(get, value);
      add(`${path}.${String(key)}`, result, result !== ask(get, value)); // a new result each time belongs to the caller
    }
  }
  return { mutable, constructors, visited: seen.size, reached: seen };
}

/** Reports whether `value` cannot be changed, or a change affects only its holder. */
function isHarmless(value: object, own: boolean): boolean {
  if (Object.isFrozen(value)) return true;
  const prototype: object | null = Object.getPrototypeOf(value);
  if (typeof value === "function") return !isClass(value) && hasNoState(value);
  if (/Generator\]$/.test(Object.prototype.toString.call(value))) return Object.isFrozen(prototype);
  if (value instanceof Error) return isInstanceOfPlatform(prototype) || Object.isFrozen(prototype); // a thrown error
  if (prototype === null || prototype === Object.prototype || prototype === Array.prototype) {
    return own && !isPrototype(value);
  }
  return isInstanceOfPlatform(prototype); // a promise, a signal, a Node stream: as the platform makes them
}

/** Reports whether a function has only the properties that every function has. */
function hasNoState(value: object): boolean {
  return Reflect.ownKeys(value).every((key) =>
    ["length", "name", "prototype", "arguments", "caller", "listener"].includes(key as string)
  );
}

/** Reports whether `value` is an instance of a platform class, such as a web stream. */
function isOfPlatform(value: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(value);
  return typeof value !== "function" && prototype !== Object.prototype && isInstanceOfPlatform(prototype);
}

/** Reports whether this is a function's default prototype, which matters only with `new`. */
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

/** Reports whether the objects that a function returns inherit its prototype. */
function isGenerator(value: object): boolean {
  return generators.includes(Object.getPrototypeOf(value));
}

/** Returns the getters that one of our objects inherits. */
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
    return error; // visit errors like anything else
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
    // Skip getters: they may have effects, such as opening a database.
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
