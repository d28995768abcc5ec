// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertFalse, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { hostAddress, tcp, udp, unix } from "../../net/address.ts";
import {
  addContext,
  codeOf,
  type LookupCode,
  lookupCodeOf,
  NetError,
  type NetErrorCode,
  netErrorFrom,
} from "../../net/errors.ts";
import { test } from "../_test.ts";

const address = tcp("10.0.0.1", 80);

/** Returns an error like the runtime's. */
function systemError(fields: { code?: unknown; name?: string; message?: string; syscall?: string }): Error {
  return Object.assign(new Error(fields.message ?? "system error"), fields);
}

test("NetError() names the operation, its subject and the failure in its message", () => {
  const error = new NetError("connection_refused", { operation: "connect", address });
  assertEquals(error.message, "Cannot connect to tcp:10.0.0.1:80: connection refused");
});

test("NetError() has a phrase for each operation", () => {
  const unixAddress = unix("/run/x");
  const cases: [string, string, string][] = [
    ["connect", "Cannot connect to unix:/run/x: not found", "connecting to unix:/run/x"],
    ["listen", "Cannot listen on unix:/run/x: not found", "listening on unix:/run/x"],
    ["bind", "Cannot bind to unix:/run/x: not found", "binding to unix:/run/x"],
    ["accept", "Cannot accept on unix:/run/x: not found", "accepting on unix:/run/x"],
    ["read", "Cannot read from unix:/run/x: not found", "reading from unix:/run/x"],
    ["write", "Cannot write to unix:/run/x: not found", "writing to unix:/run/x"],
    ["send", "Cannot send to unix:/run/x: not found", "sending to unix:/run/x"],
    ["receive", "Cannot receive on unix:/run/x: not found", "receiving on unix:/run/x"],
    ["shutdown", "Cannot shut down unix:/run/x: not found", "shutting down unix:/run/x"],
    ["close", "Cannot close unix:/run/x: not found", "closing unix:/run/x"],
    ["frob", "Cannot frob unix:/run/x: not found", "frob unix:/run/x"],
    ["toString", "Cannot toString unix:/run/x: not found", "toString unix:/run/x"],
  ];
  for (const [operation, message, step] of cases) {
    const error = new NetError("not_found", { operation, address: unixAddress });
    assertEquals([error.message, ...error.context], [message, step]);
  }
});

test("NetError() names what is looked up and the service", () => {
  const error = new NetError("address_lookup_failed", {
    operation: "lookup",
    address: "example.com",
    service: "http",
    lookupCode: "NONAME",
  });
  assertEquals(
    error.message,
    'Cannot look up "example.com" (service "http"): address lookup failed (NONAME)',
  );
  assertEquals(error.context, ['looking up "example.com" (service "http")']);
});

test("NetError() names a socket option", () => {
  const error = new NetError("invalid_option", { operation: "getOption", address: "TCP_FROB" });
  assertEquals(error.context, ["getting socket option TCP_FROB"]);
  assertEquals(error.message, "Cannot get socket option TCP_FROB: invalid option");
});

test("NetError() without an address has no context of its own", () => {
  const error = new NetError("connection_reset", { operation: "read" });
  assertEquals(error.message, "Cannot read: connection reset");
  assertEquals(error.context, []);
});

test("NetError() keeps its fields and the cause", () => {
  const cause = new Error("x");
  const error = new NetError("address_lookup_failed", { operation: "lookup", address, lookupCode: "AGAIN", cause });
  assertInstanceOf(error, Error);
  assertEquals(error.name, "NetError");
  assertEquals(error.code, "address_lookup_failed");
  assertEquals(error.operation, "lookup");
  assertStrictEquals(error.address, address);
  assertEquals(error.lookupCode, "AGAIN");
  assertStrictEquals(error.cause, cause);
});

test("NetError() without a cause has no cause property", () => {
  assertFalse("cause" in new NetError("unknown", { operation: "read", cause: undefined }));
});

test("NetError() shows the cause of an unknown error, escaped and cut", () => {
  const cause = new Error(`weird\r\n\x1b${"x".repeat(1e6)}`);
  const { message } = new NetError("unknown", { operation: "read", cause });
  assert(message.startsWith('Cannot read: unknown error "weird\\r\\n'), message.slice(0, 500));
  assert(message.length < 500 && /^[\x20-\x7e]+$/.test(message));
});

test("NetError() escapes and cuts hostile addresses and names", () => {
  const hostile = `/run/\n\x1b[2J\u202e${"x".repeat(1e6)}`;
  for (const target of [unix(hostile), hostile]) {
    for (const operation of ["connect", "lookup", "\n".repeat(1e5)]) {
      const error = new NetError("not_found", { operation, address: target });
      assert(error.message.length < 3000 && /^[\x20-\x7e]+$/.test(error.message), error.message.slice(0, 3000));
      assert(error.context[0].length < 3000 && /^[\x20-\x7e]+$/.test(error.context[0]));
    }
  }
});

test("NetError.context is frozen, and adding a step leaves the array that was read", () => {
  const error = new NetError("connection_reset", { operation: "read", address });
  const before = error.context;
  assert(Object.isFrozen(before));
  error.addContext("serving");
  assertEquals(before, ["reading from tcp:10.0.0.1:80"]);
  assert(Object.isFrozen(error.context));
});

test("NetError.addContext() adds steps, innermost first, and shows them in the message", () => {
  const error = new NetError("connection_refused", { operation: "connect", address });
  error.addContext("fetching the index");
  error.addContext("serving tcp:10.0.0.2:9");
  assertEquals(error.context, ["connecting to tcp:10.0.0.1:80", "fetching the index", "serving tcp:10.0.0.2:9"]);
  assertEquals(
    error.message,
    "Cannot connect to tcp:10.0.0.1:80: connection refused (fetching the index, serving tcp:10.0.0.2:9)",
  );
});

test("NetError.addContext() shows the new message in the stack once, and keeps where it was made", () => {
  const error = new NetError("connection_refused", { operation: "connect", address });
  const frames = error.stack!.split("\n").slice(1);
  error.addContext("one");
  error.addContext("two");
  const [first, ...rest] = error.stack!.split("\n");
  assert(first.endsWith("Cannot connect to tcp:10.0.0.1:80: connection refused (one, two)"), first);
  assertEquals(rest, frames);
});

test("NetError.addContext() keeps message and stack hidden, as those of every error", () => {
  const error = new NetError("connection_refused", { operation: "connect", address });
  error.addContext("one");
  assertFalse(Object.keys(error).some((key) => key === "message" || key === "stack"));
});

test("NetError.addContext() adds a step once when it is added again and again", () => {
  const error = new NetError("connection_reset", { operation: "read", address });
  for (let i = 0; i < 5; i++) error.addContext("serving");
  assertEquals(error.context, ["reading from tcp:10.0.0.1:80", "serving"]);
});

test("NetError.addContext() bounds the size of an error that is rethrown without end", () => {
  const error = new NetError("connection_reset", { operation: "read", address });
  for (let i = 0; i < 1000; i++) error.addContext(`request ${i}`);
  assertEquals(error.context.length, 16);
  assertEquals(error.context[15], "request 14");
});

test("NetError.addContext() escapes and cuts the step", () => {
  const error = new NetError("connection_reset", { operation: "read" });
  error.addContext(`from\n\x1b${"x".repeat(1e6)}`);
  assert(error.context[0].startsWith("from\\u{a}\\u{1b}xxx"));
  assert(error.message.length < 400);
});

test("addContext() returns the same error with the step added", () => {
  const error = new NetError("connection_reset", { operation: "read" });
  assertStrictEquals(addContext(error, "serving"), error);
  assertEquals(error.context, ["serving"]);
});

test("addContext() returns anything but a NetError unchanged", () => {
  const plain = new Error("plain");
  assertStrictEquals(addContext(plain, "serving"), plain);
  assertEquals(plain.message, "plain");
  for (const value of ["text", undefined, null, 4]) assertStrictEquals(addContext(value, "serving"), value);
});

test("codeOf() knows the codes of system errors", () => {
  const cases: Record<string, NetErrorCode> = {
    ECONNREFUSED: "connection_refused",
    ECONNRESET: "connection_reset",
    EPIPE: "connection_reset",
    ECONNABORTED: "connection_reset",
    ETIMEDOUT: "connection_timeout",
    EADDRINUSE: "address_in_use",
    EADDRNOTAVAIL: "address_not_available",
    EHOSTUNREACH: "host_unreachable",
    EHOSTDOWN: "host_unreachable",
    ENETUNREACH: "network_unreachable",
    ENETDOWN: "network_unreachable",
    EACCES: "permission_denied",
    EPERM: "permission_denied",
    ERR_ACCESS_DENIED: "permission_denied",
    ENOENT: "not_found",
    EMFILE: "too_many_open_files",
    ENFILE: "too_many_open_files",
    EMSGSIZE: "message_too_large",
    ENOPROTOOPT: "invalid_option",
    ENOSYS: "not_supported",
    EOPNOTSUPP: "not_supported",
    EAFNOSUPPORT: "not_supported",
    EPROTONOSUPPORT: "not_supported",
    ENOTFOUND: "address_lookup_failed",
    EAI_AGAIN: "address_lookup_failed",
    EAI_WHATEVER: "address_lookup_failed",
    ENOTDIR: "not_found",
    EROFS: "permission_denied",
    ENOBUFS: "unknown",
    ENOMEM: "unknown",
    EINVAL: "unknown",
  };
  for (const [code, expected] of Object.entries(cases)) assertEquals(codeOf(systemError({ code })), expected, code);
});

test("codeOf() knows the names of Deno's errors, which may have no code", () => {
  const cases: Record<string, NetErrorCode> = {
    ConnectionRefused: "connection_refused",
    ConnectionReset: "connection_reset",
    ConnectionAborted: "connection_reset",
    BrokenPipe: "connection_reset",
    TimedOut: "connection_timeout",
    AddrInUse: "address_in_use",
    AddrNotAvailable: "address_not_available",
    NetworkUnreachable: "network_unreachable",
    NotFound: "not_found",
    PermissionDenied: "permission_denied",
    NotCapable: "permission_denied",
    NotSupported: "not_supported",
    BadResource: "unknown",
    TypeError: "unknown",
  };
  for (const [name, expected] of Object.entries(cases)) assertEquals(codeOf(systemError({ name })), expected, name);
});

test("codeOf() trusts the code before the name", () => {
  assertEquals(codeOf(systemError({ code: "EADDRINUSE", name: "PermissionDenied" })), "address_in_use");
});

test("codeOf() knows two errors of Deno that have neither code nor name", () => {
  const lookup = systemError({ message: "failed to lookup address information: Name or service not known" });
  assertEquals(codeOf(lookup, "connect"), "address_lookup_failed");
  assertEquals(codeOf(systemError({ message: "Message too long (os error 90)" }), "send"), "message_too_large");
});

test("codeOf() maps EINVAL of bind, listen and connect to address_not_available", () => {
  assertEquals(codeOf(systemError({ code: "EINVAL" }), "listen"), "address_not_available");
  assertEquals(codeOf(systemError({ code: "EINVAL" }), "bind"), "address_not_available");
  assertEquals(codeOf(systemError({ code: "EINVAL", syscall: "bind" }), "connect"), "address_not_available");
  assertEquals(codeOf(systemError({ code: "EINVAL", syscall: "connect" }), "connect"), "address_not_available");
  assertEquals(codeOf(systemError({ code: "EINVAL" }), "connect"), "address_not_available");
  assertEquals(codeOf(systemError({ code: "EINVAL" }), "read"), "unknown");
});

test("codeOf() maps EAGAIN and EPROTOTYPE of a Unix connect to connection_refused", () => {
  for (const code of ["EAGAIN", "EPROTOTYPE"]) {
    assertEquals(codeOf(systemError({ code }), "connect"), "connection_refused");
    assertEquals(codeOf(systemError({ code }), "read"), "unknown");
  }
});

test("codeOf() maps EINVAL of an option to invalid_option", () => {
  assertEquals(codeOf(systemError({ code: "EINVAL" }), "setOption"), "invalid_option");
  assertEquals(codeOf(systemError({ code: "EINVAL" }), "getOption"), "invalid_option");
});

test("codeOf() maps ENOTCONN to connection_reset if the socket was connected", () => {
  for (const operation of ["read", "write", "shutdown"]) {
    assertEquals(codeOf(systemError({ code: "ENOTCONN" }), operation), "connection_reset");
    assertEquals(codeOf(systemError({ name: "NotConnected" }), operation), "connection_reset");
  }
  assertEquals(codeOf(systemError({ code: "ENOTCONN" }), "send"), "unknown");
});

test("codeOf() maps nearly every error of a lookup to address_lookup_failed", () => {
  for (const code of ["ENOTFOUND", "ECONNREFUSED", "ETIMEOUT", "ETIMEDOUT", "ENOENT", "EWEIRD", "ENOMEM"]) {
    assertEquals(codeOf(systemError({ code }), "lookup"), "address_lookup_failed", code);
  }
  assertEquals(codeOf(new Error("weird"), "lookup"), "address_lookup_failed");
  assertEquals(codeOf(systemError({ code: "EPERM" }), "lookup"), "permission_denied");
  assertEquals(codeOf(systemError({ name: "NotCapable" }), "lookup"), "permission_denied");
  assertEquals(codeOf(systemError({ code: "EMFILE" }), "lookup"), "too_many_open_files");
});

test("codeOf() returns the code of a NetError", () => {
  assertEquals(codeOf(new NetError("quota_exceeded", { operation: "connect" }), "lookup"), "quota_exceeded");
});

test("codeOf() returns unknown for everything else", () => {
  for (
    const value of [undefined, null, "ECONNREFUSED", 4, {}, { code: 20 }, { code: "constructor" }, new TypeError("x")]
  ) {
    assertEquals(codeOf(value), "unknown");
  }
});

test("lookupCodeOf() knows the resolver's codes", () => {
  const cases: Record<string, LookupCode> = {
    ENOTFOUND: "NONAME",
    DNS_ENOTFOUND: "NONAME",
    EAI_NONAME: "NONAME",
    ENODATA: "NODATA",
    EAI_NODATA: "NODATA",
    EAI_AGAIN: "AGAIN",
    ETIMEOUT: "AGAIN",
    ETIMEDOUT: "AGAIN",
    ECONNREFUSED: "AGAIN",
    ESERVFAIL: "FAIL",
    EREFUSED: "FAIL",
    EFORMERR: "FAIL",
    EAI_FAIL: "FAIL",
    EAI_SERVICE: "SERVICE",
    EAI_FAMILY: "FAMILY",
    EBADFAMILY: "FAMILY",
    EAI_ADDRFAMILY: "ADDRFAMILY",
    EAI_BADFLAGS: "BADFLAGS",
    EAI_BADHINTS: "BADHINTS",
    EAI_MEMORY: "MEMORY",
    ENOMEM: "MEMORY",
    EAI_OVERFLOW: "OVERFLOW",
    EAI_PROTOCOL: "PROTOCOL",
    EAI_SOCKTYPE: "SOCKTYPE",
    EWEIRD: "UNKNOWN",
  };
  for (const [code, expected] of Object.entries(cases)) {
    assertEquals(lookupCodeOf(systemError({ code })), expected, code);
  }
});

test("lookupCodeOf() distinguishes a missing name, missing data, a failed server and a timeout", () => {
  const codes = ["ENOTFOUND", "ENODATA", "ESERVFAIL", "ETIMEOUT"].map((code) => lookupCodeOf(systemError({ code })));
  assertEquals(new Set(codes).size, 4);
});

test("lookupCodeOf() knows Deno's errors", () => {
  assertEquals(lookupCodeOf(systemError({ name: "NotFound" })), "NONAME");
  const message = "failed to lookup address information: Name or service not known";
  assertEquals(lookupCodeOf(systemError({ message })), "NONAME");
});

test("lookupCodeOf() returns the lookupCode of a NetError, and UNKNOWN for everything else", () => {
  const error = new NetError("address_lookup_failed", { operation: "lookup", lookupCode: "SERVICE" });
  assertEquals(lookupCodeOf(error), "SERVICE");
  for (const value of [undefined, null, "ENOTFOUND", {}, { code: "toString" }, new Error("x")]) {
    assertEquals(lookupCodeOf(value), "UNKNOWN");
  }
});

test("netErrorFrom() passes a NetError through unchanged", () => {
  const error = new NetError("quota_exceeded", { operation: "connect" });
  assertStrictEquals(netErrorFrom(error, { operation: "accept", address }), error);
  assertEquals(error.context, []);
});

test("netErrorFrom() keeps the runtime's error as the cause", () => {
  const cause = systemError({ code: "ENOENT" });
  const error = netErrorFrom(cause, { operation: "connect", address: unix("/run/x") });
  assertEquals(error.code, "not_found");
  assertEquals(error.context, ["connecting to unix:/run/x"]);
  assertStrictEquals(error.cause, cause);
  assertEquals(error.lookupCode, undefined);
});

test("netErrorFrom() adds the resolver's code to a failed lookup", () => {
  const error = netErrorFrom(systemError({ code: "EAI_AGAIN" }), {
    operation: "lookup",
    address: hostAddress("a", 80),
  });
  assertEquals([error.code, error.lookupCode], ["address_lookup_failed", "AGAIN"]);
});

test("netErrorFrom() takes the operation into account", () => {
  const error = netErrorFrom(systemError({ code: "EINVAL" }), { operation: "listen", address: udp("203.0.113.5", 0) });
  assertEquals(error.code, "address_not_available");
});

test("netErrorFrom() makes an error of anything thrown", () => {
  for (const cause of ["text", undefined, null, 4, Symbol("s")]) {
    assertEquals(netErrorFrom(cause, { operation: "read" }).code, "unknown");
  }
});
