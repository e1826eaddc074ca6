// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { type CookieRules, credentialOf } from "./credential.ts";
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

  // Security rule (SR-SDK-8): a bearer token wins over a cookie; a broken one is refused and never falls back to it.
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
      expect(credential).toEqual({ kind: "cookie", pairs: ["__Host-ostiary_session=c"] });
    },
  );

  // Security rule (SR-SDK-8): which of several cookies counts is decided by Ostiary, which knows the names that it sets.
  test("is all cookies of the session, that of the host itself first", () => {
    const cookie =
      "__Secure-ostiary_session=domain; x=y; __Host-ostiary_session=host; __Secure-ostiary_session=b";
    expect(of("https://a.example/", { cookie })).toEqual({
      kind: "cookie",
      pairs: ["__Host-ostiary_session=host", "__Secure-ostiary_session=domain", "__Secure-ostiary_session=b"],
    });
  });

  test("is none of more than four cookies but that of the host itself", () => {
    const four = [1, 2, 3, 4].map((n) => `__Secure-ostiary_session=${n}`).join("; ");
    expect(of("https://a.example/", { cookie: four })).toMatchObject({ kind: "cookie" });
    expect(of("https://a.example/", { cookie: `${four}; __Secure-ostiary_session=5` })).toEqual({
      kind: "ambiguous",
    });
    expect(of("https://a.example/", { cookie: `${four}; __Host-ostiary_session=h` })).toEqual({
      kind: "cookie",
      pairs: ["__Host-ostiary_session=h"],
    });
  });

  test("is none of the cookies that no session token can be, and the others", () => {
    const wrong = [
      `__Secure-ostiary_session=${"x".repeat(513)}`,
      "__Secure-ostiary_session=",
      "__Secure-ostiary_session=a b",
    ];
    expect(of("https://a.example/", { cookie: wrong.join(";") })).toEqual({ kind: "malformed" });
    expect(of("https://a.example/", { cookie: `${wrong.join(";")};__Secure-ostiary_session=c` })).toEqual({
      kind: "cookie",
      pairs: ["__Secure-ostiary_session=c"],
    });
  });

  // Security rule (SR-SDK-8): a cookie that a sibling host could have set does not count on a real site.
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
    ["http://localhost:3000/", { origin: "null" }],
    ["http://localhost:3000/", { referer: "https://app.example/login" }],
    ["http://127.0.0.1:3000/", { "x-forwarded-host": "app.example" }],
    ["http://127.0.0.1:3000/", { "x-forwarded-host": "localhost, app.example" }],
    ["http://127.0.0.1:3000/", { "x-forwarded-for": "127.0.0.1" }],
    ["http://127.0.0.1:3000/", { "x-forwarded-ssl": "on" }],
    ["http://127.0.0.1:3000/", { "x-forwarded-scheme": "https" }],
    ["http://127.0.0.1:3000/", { "x-forwarded-port": "443" }],
    ["http://127.0.0.1:3000/", { forwarded: "for=192.0.2.1;host=app.example" }],
    ["http://127.0.0.1:3000/", { via: "1.1 proxy" }],
    ["http://127.0.0.1:3000/", { "x-real-ip": "192.0.2.1" }],
    ["http://127.0.0.1:3000/", { "front-end-https": "on" }],
    ["http://127.0.0.1:3000/", { "cf-visitor": '{"scheme":"https"}' }],
  ])("does not come from the cookie without a prefix at %s with %j", (url, headers) => {
    const cookie = "ostiary_session=c";
    expect(of(url, { ...headers, cookie })).toEqual({ kind: "missing", ignoredCookie: "ostiary_session" });
    expect(of(url, { ...headers, cookie }, { allowInsecureCookies: true })).toEqual(plain);
  });

  test("does not come from it over HTTP/1.0, which only proxies speak", () => {
    const headers = { host: "127.0.0.1:3000", cookie: "ostiary_session=c" };
    const kindAt = (httpVersion: string) =>
      credentialOf(headOfNode({ method: "GET", httpVersion, headers }), rulesWith({})).kind;
    expect([kindAt("1.0"), kindAt("1.1")]).toEqual(["missing", "cookie"]);
  });

  test.each(["http://localhost:3000/", "http://127.0.0.1/", "http://[::1]:8080/", "http://app.localhost/"])(
    "may come from the cookie without a prefix at %s",
    (url) => {
      const page = { origin: "http://localhost:5173", referer: "http://localhost:5173/page" };
      expect(of(url, { ...page, cookie: "ostiary_session=c" })).toEqual(plain);
      expect(of(url, { cookie: "ostiary_session=c" }, { allowInsecureCookies: false }).kind).toBe("missing");
    },
  );

  test("comes from the cookie of the configured name alone", () => {
    const cookie = "__Host-ostiary_session=a; __Host-acme_session=b";
    expect(of("https://a.example/", { cookie }, { cookieName: "acme_session" })).toEqual({
      kind: "cookie",
      pairs: ["__Host-acme_session=b"],
    });
    expect(of("https://a.example/", { cookie }, { cookieName: "other" }).kind).toBe("missing");
  });

  test("is missing without headers, and in cookies that only resemble the session's", () => {
    expect(of("https://a.example/", {}).kind).toBe("missing");
    const cookie = "x__Host-ostiary_session=a; __host-ostiary_session=b; __Host-ostiary_session; =c";
    expect(of("https://a.example/", { cookie }).kind).toBe("missing");
  });

  // Security rule (SR-COOKIE-4): a browser keeps the names with a prefix to https and to one host; a name that only becomes one when it
  // is trimmed as a text, by more than the space and the tab of RFC 6265, is anybody's.
  test.each(["\u00a0", "\u2003", "\ufeff", "\v", "\f"])(
    "is not a cookie whose name has %j around it",
    (blank) => {
      const cookie = `${blank}__Host-ostiary_session=a; __Host-ostiary_session${blank}=b`;
      const head = headOfNode({ method: "GET", headers: { host: "a.example", cookie } });
      expect(credentialOf(head, rulesWith({})).kind).toBe("missing");
      const blanks = " \t__Host-ostiary_session\t = a ;";
      const trimmed = headOfNode({ method: "GET", headers: { host: "a.example", cookie: blanks } });
      expect(credentialOf(trimmed, rulesWith({}))).toEqual({
        kind: "cookie",
        pairs: ["__Host-ostiary_session=a"],
      });
    },
  );

  test("is found in the headers of node:http and of HTTP/2 alike", () => {
    const cookie = ["a=b", "ostiary_session=c"];
    const head = headOfNode({ method: "GET", headers: { ":authority": "localhost:3000", cookie } });
    expect(credentialOf(head, rulesWith({}))).toEqual(plain);
  });
});

const plain = { kind: "cookie", pairs: ["ostiary_session=c"] };

function of(url: string, headers: Record<string, string>, rules: Partial<CookieRules> = {}) {
  return credentialOf(headOfFetch({ method: "GET", url, headers: new Headers(headers) }), rulesWith(rules));
}

function rulesWith(rules: Partial<CookieRules>): CookieRules {
  return { cookieName: "ostiary_session", allowInsecureCookies: undefined, ...rules };
}
