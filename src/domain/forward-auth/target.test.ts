import { expect, test } from "vitest";
import { isAtProtectedHost } from "../tenant/protected-hosts.ts";
import { readTarget } from "./target.ts";

const read = (uri: string, change: { method?: string; scheme?: string; host?: string } = {}) =>
  readTarget({ method: "GET", scheme: "https", host: "app.example.com", uri, ...change });

test.each([
  ["/", "/"],
  ["/a/b", "/a/b"],
  ["/a/", "/a/"],
  ["/a.b/..c/...", "/a.b/..c/..."],
  ["/%61dmin", "/admin"],
  ["/caf%C3%A9?x=%2f..//;", "/café"],
  ["/100%25", "/100%"],
  ["/a+b,c|d", "/a+b,c|d"],
])("the path of %s is %s", (uri, path) => {
  expect(read(uri)).toMatchObject({ path });
});

// Security rule (SR-FORWARD-2): each of these is another path to some proxy or application.
test.each([
  "",
  "*",
  "admin",
  "//admin",
  "/a//b",
  "/a//",
  "/./admin",
  "/a/..",
  "/a/.",
  "/a/../admin",
  "/a/%2e%2e/admin",
  "/a/%2E./admin",
  "/a%2fadmin",
  "/a%2Fadmin",
  "/a%5cadmin",
  "/a\\admin",
  "/a;/admin",
  "/a/..;/admin",
  "/a%3b/admin",
  "/a%3fb",
  "/a%23b",
  "/a#b",
  "/a%00",
  "/a%0aadmin",
  "/a%7f",
  "/a\tb",
  "/a b",
  "/a\u0000",
  "/café",
  "/a%",
  "/a%zz",
  "/a%u002fadmin",
  "/a%252fadmin",
  "/a%25%32%66admin",
  "/%c0%afadmin",
  "/%c2%85admin",
  "https://other.example/admin",
])("a path that can be read in several ways is refused: %j", (uri) => {
  expect(read(uri)).toBe("the path");
});

test("a very long path is refused", () => {
  expect(read(`/${"a".repeat(20_000)}`)).toBe("the length of the path");
});

test.each([
  ["app.example.com", "https", "app.example.com"],
  ["APP.Example.com:443", "https", "app.example.com"],
  ["app.example.com:80", "http", "app.example.com"],
  ["app.example.com:80", "https", "app.example.com:80"],
  ["my_app:8080", "http", "my_app:8080"],
  ["[2001:db8::1]:8443", "https", "[2001:db8::1]:8443"],
])("the host of %s over %s is %s", (host, scheme, expected) => {
  expect(read("/", { host, scheme })).toMatchObject({ host: expected });
});

test.each([
  "",
  "a b",
  "a/b",
  "a@b",
  "app.example.com.",
  ".example.com",
  "a..b",
  "a,b",
  "é.example",
  "a:b",
  "*.example.com",
])("a host that is none is refused: %j", (host) => {
  expect(read("/", { host })).toBe("the host");
});

test("methods and schemes that are none are refused", () => {
  expect(read("/", { method: "GET /" })).toBe("the method");
  expect(read("/", { method: "get" })).toBe("the method");
  expect(read("/", { scheme: "javascript" })).toBe("the scheme");
});

test("the address to come back to has path and query as a browser writes them", () => {
  expect(read("/a?b=c&d=%2f")).toMatchObject({ url: "https://app.example.com/a?b=c&d=%2f" });
  expect(read('/a?b="c"')).toMatchObject({ url: "https://app.example.com/a?b=%22c%22" });
});

// Security rule (SR-FORWARD-6)
test.each(["https://app.example.com/", "https://app.example.com/a/b?c=d", "https://x.y.wild.example/"])(
  "a browser may come back to %s",
  (url) => {
    expect(isAtProtectedHost(url, ["app.example.com", "*.wild.example"], "https://login.example.com")).toBe(
      true,
    );
  },
);

test.each([
  "https://app.example.com",
  "http://app.example.com/",
  "https://app.example.com:8443/",
  "https://app.example.com.evil.example/",
  "https://evil.example/app.example.com/",
  "https://user@app.example.com/",
  "https://app.example.com@evil.example/",
  "https://app.example.com\\@evil.example/",
  "https:app.example.com/",
  "//app.example.com/",
  "/a",
  "https://APP.example.com/",
  "https://app.example.com/\n",
  "https://app.example.com/#flow=x",
  "https://wild.example/",
  "https://notwild.example/",
  "javascript:alert(1)//app.example.com/",
  "",
])("and not to %j", (url) => {
  expect(isAtProtectedHost(url, ["app.example.com", "*.wild.example"], "https://login.example.com")).toBe(
    false,
  );
});
