// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { credentialOf, parseCookies } from "./credential.ts";
import { headOfFetch, headOfNode } from "./request-head.ts";

describe("the credential of a request", () => {
  test.each(["Bearer t", "bearer t", "BEARER   t", "Bearer t "])(
    "is the bearer token of %j",
    (authorization) => {
      expect(of("https://a.example/", { authorization, cookie: "__Host-ostiary_session=c" })).toEqual({
        kind: "bearer",
        text: "t",
      });
    },
  );

  // Security rule: a bearer token wins over a cookie; a broken one is refused and never falls back to it.
  test.each(["Bearer", "Bearer ", "Bearer a b", "Bearer a, Bearer b", `Bearer ${"x".repeat(513)}`])(
    "is malformed with %j, whatever the cookies",
    (authorization) => {
      const credential = of("https://a.example/", { authorization, cookie: "__Host-ostiary_session=c" });
      expect(credential).toEqual({ kind: "malformed" });
    },
  );

  test.each(["Basic YTpi", "Bearerish x"])(
    "is the cookie beside the authorization %j of somebody else",
    (authorization) => {
      const credential = of("https://a.example/", { authorization, cookie: "__Host-ostiary_session=c" });
      expect(credential).toEqual({ kind: "cookie", text: "c" });
    },
  );

  test("is the cookie of the host itself before that of its domain", () => {
    const cookie = "__Secure-ostiary_session=domain; __Host-ostiary_session=host";
    expect(of("https://a.example/", { cookie })).toEqual({ kind: "cookie", text: "host" });
  });

  // Security rule: a cookie that a sibling host could have set does not count on a real site.
  test.each([
    ["https://app.example/", {}],
    ["http://app.example/", {}],
    ["https://localhost/", {}],
    ["http://localhost:3000/", { "x-forwarded-proto": "https" }],
    ["http://localhost:3000/", { forwarded: 'for=192.0.2.1;proto="https"' }],
    ["http://localhost.evil.example/", {}],
    ["http://127.0.0.1.evil.example/", {}],
    ["http://localhost/", { host: "app.example" }],
    // A proxy that names the app's own address as the host, as nginx does unless told otherwise.
    ["http://localhost:3000/", { origin: "https://app.example" }],
    ["http://localhost:3000/", { "x-forwarded-host": "app.example" }],
    ["http://localhost:3000/", { "x-forwarded-host": "localhost, app.example" }],
  ])("does not come from the cookie without a prefix at %s with %j", (url, headers) => {
    expect(of(url, { ...headers, cookie: "ostiary_session=c" })).toEqual({
      kind: "missing",
      ignoredCookie: "ostiary_session",
    });
  });

  test.each(["http://localhost:3000/", "http://127.0.0.1/", "http://[::1]:8080/", "http://app.localhost/"])(
    "may come from the cookie without a prefix at %s",
    (url) => {
      expect(of(url, { cookie: "ostiary_session=c" })).toEqual({ kind: "cookie", text: "c" });
    },
  );

  test("may come from the cookie without a prefix behind a proxy of a developer's machine", () => {
    const headers = { origin: "http://localhost:5173", "x-forwarded-host": "localhost:5173" };
    const cookie = "ostiary_session=c";
    expect(of("http://127.0.0.1:3000/", { ...headers, cookie })).toEqual({ kind: "cookie", text: "c" });
  });

  // Security rule: of two different cookies of one name neither is believed; one of them may have been planted.
  test("is malformed when its cookie is there twice with different values", () => {
    const twice = (first: string, second: string) =>
      of("https://a.example/", {
        cookie: `__Host-ostiary_session=${first}; __Host-ostiary_session=${second}`,
      });
    expect(twice("a", "b")).toEqual({ kind: "malformed" });
    expect(twice("a", "a")).toEqual({ kind: "cookie", text: "a" });
  });

  test("comes from the listed cookies alone where there is a list", () => {
    const cookie = "ostiary_session=a; __Host-ostiary_session=b";
    expect(of("https://a.example/", { cookie }, ["ostiary_session"])).toEqual({ kind: "cookie", text: "a" });
    expect(of("https://a.example/", { cookie }, ["other"]).kind).toBe("missing");
  });

  test("is missing without headers, and in cookies that only resemble the session's", () => {
    expect(of("https://a.example/", {}).kind).toBe("missing");
    const cookie = "x__Host-ostiary_session=a; __host-ostiary_session=b; __Host-ostiary_session; =c";
    expect(of("https://a.example/", { cookie }).kind).toBe("missing");
  });

  // Security rule: a browser keeps the names with a prefix to https and to one host; a name that only becomes one when it
  // is trimmed as a text, by more than the space and the tab of RFC 6265, is anybody's.
  test.each(["\u00a0", "\u2003", "\ufeff", "\v", "\f"])(
    "is not a cookie whose name has %j around it",
    (blank) => {
      const cookie = `${blank}__Host-ostiary_session=a; __Host-ostiary_session${blank}=b`;
      const head = headOfNode({ method: "GET", headers: { host: "a.example", cookie } });
      expect(credentialOf(head, undefined).kind).toBe("missing");
      expect(parseCookies(` \t__Host-ostiary_session\t = a ;`).get("__Host-ostiary_session")).toEqual(["a"]);
    },
  );

  test("is found in the headers of node:http and of HTTP/2 alike", () => {
    const cookie = ["a=b", "ostiary_session=c"];
    const head = headOfNode({ method: "GET", headers: { ":authority": "localhost:3000", cookie } });
    expect(credentialOf(head, undefined)).toEqual({ kind: "cookie", text: "c" });
  });
});

function of(url: string, headers: Record<string, string>, cookieNames?: readonly string[]) {
  return credentialOf(headOfFetch({ method: "GET", url, headers: new Headers(headers) }), cookieNames);
}
