// Copyright 2026 the Sluice authors. MIT license.

import { checkBoolean, checkFunction, checkPort, checkRecord, checkString, describe } from "../../base/internal.ts";

/**
 * What the scheme of a URL stands for.
 *
 * @example Reading the port
 * ```ts
 * import { type Service, standardServices } from "@sluice/io/net/endpoint";
 * import { assertEquals } from "@std/assert";
 *
 * const service: Service | undefined = standardServices("https");
 * assertEquals(service, { name: "https", port: 443, tls: true });
 * ```
 */
export interface Service {
  /** The scheme, in lower case. */
  readonly name: string;
  /** The port where a URL has none. */
  readonly port: number;
  /** Whether the service is reached by TLS. */
  readonly tls: boolean;
}

/**
 * Finds a service by its name; returns `undefined` if there is none.
 *
 * @example A function
 * ```ts
 * import { orElse, type Services, standardServices } from "@sluice/io/net/endpoint";
 * import { assertEquals } from "@std/assert";
 *
 * const local: Services = (name) => name === "db" ? { name, port: 5432, tls: true } : undefined;
 * assertEquals(orElse(local, standardServices)("db")?.port, 5432);
 * ```
 */
export type Services = (name: string) => Service | undefined;

/**
 * The ports of services, and "tls" for those that are TLS from the first byte (IANA). Schemes whose
 * URLs have no authority, such as `sip:alice@a.test`, are left out: they would be taken for
 * `localhost`.
 */
const standardPorts = `
  amqp 5672, amqps 5671 tls, dict 2628, domain 53, domain-s 853 tls, finger 79, ftp 21, ftps 990 tls, git 9418,
  gopher 70, http 80, https 443 tls, imap 143, imaps 993 tls, irc 6667, ircs 6697 tls, ldap 389, ldaps 636 tls,
  memcached 11211, mongodb 27017, mqtt 1883, mqtts 8883 tls, mysql 3306, nats 4222, nntp 119, nntps 563 tls, pop3 110,
  pop3s 995 tls, postgres 5432, postgresql 5432, redis 6379, rediss 6379 tls, rsync 873, rtsp 554, rtsps 322 tls,
  smtp 25, smtps 465 tls, ssh 22, submission 587, submissions 465 tls, svn 3690, telnet 23, telnets 992 tls, whois 43,
  ws 80, wss 443 tls`;

/** A name, its port, and perhaps "tls". */
const entry = /(\S+) ([0-9]+)( tls)?/g;

/** Made at the first use. */
let standard: Services | undefined;

/**
 * Finds a service among those of common URL schemes, independent of the system: `http`, `ws`,
 * `redis`, `postgresql`, `imap`, and more; and with TLS `https`, `wss`, `rediss`, `imaps`, `ldaps`,
 * and more.
 *
 * Source: the IANA registries of service names and of URI schemes.
 *
 * @param name The name of the service.
 * @returns The service, frozen, or `undefined`.
 * @throws {TypeError} If `name` is not a string.
 *
 * @example Usage
 * ```ts
 * import { standardServices } from "@sluice/io/net/endpoint";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(standardServices("imaps")?.port, 993);
 * assertEquals(standardServices("no-such-service"), undefined);
 * ```
 */
export function standardServices(name: string): Service | undefined {
  standard ??= servicesOf(Object.fromEntries(
    [...standardPorts.matchAll(entry)].map(([, key, port, tls]) => [key, { port: Number(port), tls: Boolean(tls) }]),
  ));
  return standard(name);
}

/**
 * Returns the services of a table. Names are compared ignoring case.
 *
 * @param table The port of each service, by name, and whether it is reached by TLS. It is copied.
 * @returns The services.
 * @throws {TypeError} If `table` or a service is not an object, or a field has the wrong type.
 * @throws {RangeError} If a port is not an integer from 0 to 65535.
 *
 * @example Usage
 * ```ts
 * import { servicesOf } from "@sluice/io/net/endpoint";
 * import { assertEquals } from "@std/assert";
 *
 * const services = servicesOf({ echo: { port: 7 }, "echo-s": { port: 4007, tls: true } });
 * assertEquals(services("echo"), { name: "echo", port: 7, tls: false });
 * ```
 */
export function servicesOf(table: Readonly<Record<string, { port: number; tls?: boolean | undefined }>>): Services {
  const action = "make services";
  checkRecord(action, "table", table);
  const services = new Map<string, Service>();
  for (const [key, entry] of Object.entries(table)) {
    checkRecord(action, `the service ${describe(key)}`, entry);
    const { port, tls = false } = entry;
    const name = key.toLowerCase();
    services.set(name, checkService(action, { name, port, tls }));
  }
  return (name) => {
    checkString("find a service", "name", name);
    return services.get(name.toLowerCase());
  };
}

/**
 * Returns services that look a name up in one after the other.
 *
 * @param services The services, first those that win.
 * @returns The services.
 * @throws {TypeError} If one of them is not a function.
 *
 * @example A service of one's own
 * ```ts
 * import { orElse, servicesOf, standardServices } from "@sluice/io/net/endpoint";
 * import { assertEquals } from "@std/assert";
 *
 * const services = orElse(servicesOf({ http: { port: 8080 } }), standardServices);
 * assertEquals([services("http")?.port, services("https")?.port], [8080, 443]);
 * ```
 */
export function orElse(...services: Services[]): Services {
  for (const each of services) checkFunction("combine services", each);
  return (name) => services.reduce<Service | undefined>((service, find) => service ?? find(name), undefined);
}

/** Checks a service, which may be foreign, and copies it. */
export function checkService(action: string, service: unknown): Service {
  checkRecord(action, "a service", service);
  const { name, port, tls } = service as Partial<Service>;
  return Object.freeze({
    name: checkString(action, "the name of a service", name),
    port: checkPort(action, "the port of a service", port),
    tls: checkBoolean(action, "tls of a service", tls),
  });
}
