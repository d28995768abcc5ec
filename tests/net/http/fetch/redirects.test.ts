// Copyright 2026 the Sluice authors. MIT license.

/** Redirects: what web-platform-tests say about them, written anew. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "../../../_test.ts";
import { type Answer, redirect, reply, withSite } from "./_site.ts";

/** Redirects `/from` with a status to `/to`, which answers with the request line. */
function redirecting(status: number, location = "/to"): Answer {
  return ({ method, target, body }) =>
    target === "/from" ? redirect(status, location) : reply(`${method} ${target} ${body}`);
}

const after: [status: number, method: string, then: string][] = [
  [301, "GET", "GET"],
  [301, "HEAD", "HEAD"],
  [301, "POST", "GET"],
  [301, "PUT", "PUT"],
  [302, "GET", "GET"],
  [302, "POST", "GET"],
  [302, "HEAD", "HEAD"],
  [302, "DELETE", "DELETE"],
  [302, "patch", "patch"],
  [303, "GET", "GET"],
  [303, "HEAD", "HEAD"],
  [303, "POST", "GET"],
  [303, "PUT", "GET"],
  [303, "DELETE", "GET"],
  [307, "GET", "GET"],
  [307, "POST", "POST"],
  [307, "HEAD", "HEAD"],
  [307, "PUT", "PUT"],
  [308, "POST", "POST"],
  [308, "PUT", "PUT"],
];

for (const [status, method, then] of after) {
  test(`fetch() follows ${status} after ${method} with ${then}`, () =>
    withSite(redirecting(status), async ({ fetch, requests }) => {
      const hasBody = method !== "GET" && method !== "HEAD";
      const response = await fetch("http://a.test/from", { method, ...(hasBody && { body: "data" }) });
      const keeps = hasBody && then === method;
      assertEquals(requests[1].method, then);
      assertEquals(requests[1].body, keeps ? "data" : "");
      assertEquals(requests[1].headers["content-type"], keeps ? "text/plain;charset=UTF-8" : undefined);
      assertEquals([response.status, response.url, response.redirected], [200, "http://a.test/to", true]);
    }));
}

test("fetch() drops the headers of a dropped body and keeps the others", () =>
  withSite(redirecting(303), async ({ fetch, requests }) => {
    const headers = {
      "content-type": "a/b",
      "content-language": "de",
      "content-location": "/x",
      "content-encoding": "x",
      "x-other": "1",
    };
    await fetch("http://a.test/from", { method: "POST", body: "data", headers });
    const names = Object.keys(requests[1].headers);
    assertEquals(names.filter((name) => name.startsWith("content-")), []);
    assertEquals(requests[1].headers["x-other"], "1");
  }));

test("fetch() resends a blob after 307", () =>
  withSite(redirecting(307), async ({ fetch, requests }) => {
    await fetch("http://a.test/from", { method: "POST", body: new Blob(["blob"], { type: "a/b" }) });
    assertEquals(requests.map(({ body, headers }) => [body, headers["content-type"]]), [["blob", "a/b"], [
      "blob",
      "a/b",
    ]]);
  }));

test("fetch() resends the text of a Request after 307", () =>
  withSite(redirecting(307), async ({ fetch, requests }) => {
    await fetch(new Request("http://a.test/from", { method: "POST", body: "text" }));
    assertEquals(requests.map(({ body, framing }) => [body, framing]), [["text", "length"], ["text", "length"]]);
  }));

for (const status of [301, 302, 307, 308]) {
  test(`fetch() rejects ${status} after a stream`, () =>
    withSite(redirecting(status), async ({ fetch, requests }) => {
      const body = new Blob(["data"]).stream();
      const init = { method: "POST", body, duplex: "half" } as RequestInit;
      await assertRejects(() => fetch("http://a.test/from", init), TypeError, "cannot be sent again");
      assertEquals(requests.length, 1);
    }));
}

test("fetch() follows 303 after a stream", () =>
  withSite(redirecting(303), async ({ fetch }) => {
    const init = { method: "POST", body: new Blob(["data"]).stream(), duplex: "half" } as RequestInit;
    assertEquals(await (await fetch("http://a.test/from", init)).text(), "GET /to ");
  }));

const secret = { authorization: "Bearer a", cookie: "b=c", "proxy-authorization": "d", "x-other": "e" };
const secrets = ["authorization", "cookie", "proxy-authorization"];

test("fetch() drops credentials on a redirect to another origin", () =>
  withSite(redirecting(302, "http://b.test/to"), async ({ fetch, requests }) => {
    await fetch("http://a.test/from", { headers: secret });
    assertEquals(secrets.filter((name) => name in requests[1].headers), []);
    assertEquals([requests[1].headers["x-other"], requests[1].headers.host], ["e", "b.test"]);
  }));

test("fetch() keeps credentials on a redirect within the origin", () =>
  withSite(redirecting(302, "http://a.test/to"), async ({ fetch, requests }) => {
    await fetch("http://a.test/from", { headers: secret });
    assertEquals(secrets.filter((name) => name in requests[1].headers), secrets);
  }));

test("fetch() does not restore credentials on a redirect back", () => {
  const answer: Answer = ({ headers, target }) =>
    target === "/from"
      ? redirect(302, "http://b.test/x")
      : headers.host === "b.test"
      ? redirect(302, "http://a.test/to")
      : reply();
  return withSite(answer, async ({ fetch, requests }) => {
    await fetch("http://a.test/from", { headers: secret });
    assertEquals(requests.map(({ headers }) => headers.host), ["a.test", "b.test", "a.test"]);
    assertEquals(secrets.filter((name) => name in requests[2].headers), []);
  });
});

test("fetch() treats another port as another origin", () =>
  withSite(redirecting(302, "http://a.test:81/to"), async ({ fetch, net, sw }) => {
    const error = await assertRejects(() => fetch("http://a.test/from", { headers: secret }), TypeError);
    assertEquals((error.cause as { code?: string }).code, "connection_refused");
    assert(net !== undefined && sw !== undefined);
  }));

for (const status of [301, 302, 303, 307, 308]) {
  test(`fetch() resolves to ${status} itself with redirect: "manual"`, () =>
    withSite(redirecting(status), async ({ fetch, requests }) => {
      const response = await fetch("http://a.test/from", { redirect: "manual" });
      const { type, url, redirected } = response;
      assertEquals([response.status, response.headers.get("location")], [status, "/to"]);
      assertEquals([type, url, redirected, requests.length], ["basic", "http://a.test/from", false, 1]);
    }));

  test(`fetch() rejects ${status} with redirect: "error"`, () =>
    withSite(redirecting(status), async ({ fetch, requests }) => {
      await assertRejects(() => fetch("http://a.test/from", { redirect: "error" }), TypeError, "redirect");
      assertEquals(requests.length, 1);
    }));
}

test("fetch() takes redirect from a Request", () =>
  withSite(redirecting(302), async ({ fetch }) => {
    const response = await fetch(new Request("http://a.test/from", { redirect: "manual" }));
    assertEquals(response.status, 302);
  }));

for (const status of [300, 304, 305, 306]) {
  test(`fetch() does not follow ${status}`, () =>
    withSite(
      () => redirect(status, "/to").replace("content-length: 0\r\n", status === 304 ? "" : "$&"),
      async ({ fetch, requests }) => {
        assertEquals((await fetch("http://a.test/from")).status, status);
        assertEquals(requests.length, 1);
      },
    ));
}

test("fetch() resolves to a redirect without a location", () =>
  withSite(() => reply("here", "", "302 Found"), async ({ fetch }) => {
    const response = await fetch("http://a.test/from");
    assertEquals([response.status, response.redirected, await response.text()], [302, false, "here"]);
  }));

const bad: [name: string, location: string][] = [
  ["a URL with a user", "http://user@a.test/"],
  ["a URL with a password", "http://user:secret@a.test/"],
  ["a data URL", "data:text/plain,x"],
  ["a blob URL", "blob:http://a.test/x"],
  ["a file URL", "file:///etc/passwd"],
  ["a javascript URL", "javascript:alert(1)"],
  ["an ftp URL", "ftp://a.test/"],
  ["a websocket URL", "ws://a.test/"],
  ["an invalid URL", "http://a.test:port/"],
  ["an invalid IPv6 literal", "http://[::1/"],
  ["an invalid host", "http://a b/"],
  ["a URL without a host", "http://"],
];

for (const [name, location] of bad) {
  test(`fetch() rejects a redirect to ${name}`, () =>
    withSite(redirecting(302, location), async ({ fetch, requests }) => {
      const error = await assertRejects(() => fetch("http://a.test/from"), TypeError, "Cannot follow a redirect");
      assert(!error.message.includes("secret"));
      assertEquals(requests.length, 1);
    }));
}

test("fetch() rejects a redirect with two locations", () =>
  withSite(() => reply("", "location: /a\r\nlocation: /b\r\n", "302 Found"), async ({ fetch }) => {
    await assertRejects(() => fetch("http://a.test/from"), TypeError, "more than one location");
  }));

const relative: [location: string, url: string][] = [
  ["to", "http://a.test/dir/to"],
  ["../to", "http://a.test/to"],
  ["?q", "http://a.test/dir/from?q"],
  ["//b.test/to", "http://b.test/to"],
  ["/%2e%2e/to#part", "http://a.test/to"],
  ["HTTP://A.TEST/to", "http://a.test/to"],
  ["/\xc3\xa4", "http://a.test/%C3%A4"],
];

for (const [location, url] of relative) {
  test(`fetch() follows the location ${encodeURI(location)}`, () => {
    let first = true;
    const answer: Answer = () => {
      const text = first ? redirect(302, location) : reply();
      first = false;
      return text;
    };
    return withSite(answer, async ({ fetch }) => {
      assertEquals((await fetch("http://a.test/dir/from#old")).url, url);
    });
  });
}

test("fetch() asks again for the same URL after an empty location", () => {
  let count = 0;
  return withSite(() => ++count === 1 ? redirect(302, "") : reply("again"), async ({ fetch }) => {
    assertEquals(await (await fetch("http://a.test/from?x")).text(), "again");
  });
});

const endless: Answer = ({ target }) => redirect(302, `/${Number(target.slice(1)) + 1}`);

test("fetch() follows 20 redirects", () =>
  withSite((request, peer) => request.target === "/20" ? reply("end") : endless(request, peer), async ({ fetch }) => {
    assertEquals(await (await fetch("http://a.test/0")).text(), "end");
  }));

test("fetch() rejects the 21st redirect", () =>
  withSite(endless, async ({ fetch, requests }) => {
    await assertRejects(() => fetch("http://a.test/0"), TypeError, "maxRedirects: 20");
    assertEquals(requests.length, 21);
  }));

test("fetch() follows none with maxRedirects: 0", () =>
  withSite(endless, async ({ fetch, requests }) => {
    await assertRejects(() => fetch("http://a.test/0"), TypeError, "maxRedirects: 0");
    assertEquals(requests.length, 1);
  }, { maxRedirects: 0 }));

test("fetch() uses the connection of a redirect again", () =>
  withSite(redirecting(302), async (site) => {
    await (await site.fetch("http://a.test/from")).text();
    assertEquals(site.connections, 1);
  }));

test("fetch() closes the connection of a redirect whose body is unfinished", () =>
  withSite(
    ({ target }) =>
      target === "/from" ? "HTTP/1.1 302 Found\r\nlocation: /to\r\ncontent-length: 9\r\n\r\nx" : reply("to"),
    async (site) => {
      assertEquals(await (await site.fetch("http://a.test/from")).text(), "to");
      assertEquals(site.connections, 2);
    },
  ));
