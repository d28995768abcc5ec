// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertThrows } from "@std/assert";
import { orElse, type Service, servicesOf, standardServices } from "../../../net/endpoint/mod.ts";
import { test } from "../../_test.ts";

test("standardServices() knows the usual schemes, and which of them are TLS", () => {
  const ports: Record<string, [number, boolean]> = {
    http: [80, false],
    https: [443, true],
    ws: [80, false],
    wss: [443, true],
    imap: [143, false],
    imaps: [993, true],
    ldap: [389, false],
    ldaps: [636, true],
    postgresql: [5432, false],
    ssh: [22, false],
  };
  for (const [name, [port, tls]] of Object.entries(ports)) assertEquals(standardServices(name), { name, port, tls });
});

test("standardServices() has nothing that an object inherits", () => {
  for (const name of ["constructor", "__proto__", "toString", ""]) assertEquals(standardServices(name), undefined);
});

test("servicesOf() ignores case, and is independent of its table", () => {
  const table = { Echo: { port: 7 }, "echo-s": { port: 4007, tls: true } };
  const services = servicesOf(table);
  table.Echo.port = 8;
  assertEquals(services("ECHO"), { name: "echo", port: 7, tls: false });
  assertEquals(services("echo-s"), { name: "echo-s", port: 4007, tls: true });
  assertEquals(services("other"), undefined);
});

test("servicesOf() refuses wrong tables", () => {
  assertThrows(() => servicesOf(1 as never), TypeError, "as table must be an object");
  assertThrows(() => servicesOf({ a: 80 } as never), TypeError, 'as the service "a" must be an object');
  assertThrows(() => servicesOf({ a: { port: "80" } } as never), TypeError, "port of a service must be a number");
  assertThrows(() => servicesOf({ a: { port: 65536 } }), RangeError, "must be from 0 to 65535");
  assertThrows(() => servicesOf({ a: { port: 1.5 } }), RangeError, "must be a whole number");
  assertThrows(() => servicesOf({ a: { port: 1, tls: 1 } } as never), TypeError, "must be a boolean");
  assertThrows(() => standardServices(1 as never), TypeError, "name must be a string");
});

test("orElse() takes the first that knows the service", () => {
  const own = (name: string): Service | undefined => name === "db" ? { name, port: 1, tls: true } : undefined;
  const services = orElse(own, servicesOf({ db: { port: 2 }, http: { port: 8080 } }), standardServices);
  assertEquals(services("db")?.port, 1);
  assertEquals(services("http")?.port, 8080);
  assertEquals(services("https")?.port, 443);
  assertEquals(services("other"), undefined);
  assertEquals(orElse()("http"), undefined);
  assertThrows(() => orElse(own, 1 as never), TypeError, "1 is not a function");
});
