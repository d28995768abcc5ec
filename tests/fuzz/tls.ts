// Copyright 2026 the Sluice authors. MIT license.

import { readFileSync } from "node:fs";
import { BufReader, EndOfFlow, fromIterable } from "../../flow/mod.ts";
import { isFor, readCertificateNames } from "../../net/tls/_certificate_names.ts";
import { readServerName } from "../../net/tls/_server_name.ts";
import { fixture } from "../net/tls/_helpers.ts";
import { checkError, only, same, type Target } from "./_fuzz.ts";

function derOf(name: string): Uint8Array {
  const pem = readFileSync(fixture(`${name}.crt`), "utf8");
  return Uint8Array.from(atob(pem.replace(/-----[^-]*-----|\s/g, "")), (char) => char.charCodeAt(0));
}

/** The names in certificates. */
export const certificates: Target = {
  name: "certificates",
  seeds: ["localhost", "forger", "authority"].map(derOf),
  check(input) {
    const names = only([SyntaxError], () => readCertificateNames(input));
    if (names === undefined) return;
    for (const name of [names.subject, names.issuer]) {
      // deno-lint-ignore no-control-regex
      if (/[\0-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]/.test(name)) throw new Error(`Raw: ${JSON.stringify(name)}`);
    }
    isFor(names, "localhost");
  },
};

const name = [...new TextEncoder().encode("localhost")];
const extension = [0, 0, 0, name.length + 5, 0, name.length + 3, 0, 0, name.length, ...name];
const body = [3, 3, ...Array(32).fill(7), 0, 0, 2, 19, 1, 1, 0, 0, extension.length, ...extension];
const hello = [1, 0, 0, body.length, ...body];

async function nameOf(input: Uint8Array<ArrayBuffer>, piece: number): Promise<string | undefined> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < input.length; at += piece) pieces.push(input.slice(at, at + piece));
  try {
    return await readServerName(new BufReader(fromIterable(pieces), { maxSize: 1024 }));
  } catch (error) {
    checkError([EndOfFlow], error);
    return "the end";
  }
}

/** The server's name in a client's first message. */
export const serverNames: Target = {
  name: "serverNames",
  seeds: [
    Uint8Array.from([22, 3, 1, 0, hello.length, ...hello]),
    Uint8Array.from([22, 3, 1, 0, 9, ...hello.slice(0, 9), 22, 3, 1, 0, hello.length - 9, ...hello.slice(9)]),
  ],
  async check(input) {
    same(await nameOf(input, 1), await nameOf(input, input.length + 1));
  },
};
