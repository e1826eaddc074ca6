// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { removePlantedCookies } from "./planted-cookies.ts";
import { headOfNode } from "./request-head.ts";

describe("the removal of cookies that were planted on an app's paths", () => {
  test("names each path below / and each domain that the request can have them from", () => {
    const scopes = ["", "; Domain=shop.example.com", "; Domain=example.com"];
    const paths = ["/app", "/app/", "/app/page"];
    expect(
      removed("/app/page?x=/y", "__Secure-ostiary_session=1; __Secure-ostiary_session=2").sort(),
    ).toEqual(
      paths
        .flatMap((path) =>
          scopes.map((scope) => `__Secure-ostiary_session=; Path=${path}${scope}; Secure; Max-Age=0`),
        )
        .sort(),
    );
  });

  test("leaves alone what lies on /, which Ostiary sees itself, and what no other host can set", () => {
    expect(removed("/", "__Secure-ostiary_session=1")).toEqual([]);
    expect(removed("/app", "__Host-ostiary_session=1; other=2")).toEqual([]);
  });

  // Security rule (SR-SDK-6): what a stranger puts into a link neither adds attributes nor makes the answer longer than proxies take.
  test.each([`/a;Domain=evil.example/b`, "/a b/c", `/${"x/".repeat(2000)}`, `/${"x".repeat(9000)}`, "", "*"])(
    "is short and plain for the path %j",
    (path) => {
      const headers = removed(path, "__Secure-ostiary_session=1");
      expect(headers.join("\r\n").length).toBeLessThan(4000);
      for (const header of headers) expect(header).not.toMatch(/evil|a b/);
    },
  );
});

function removed(url: string, cookie: string): string[] {
  const head = headOfNode({ method: "GET", url, headers: { host: "shop.example.com:8443", cookie } });
  return [...removePlantedCookies(head, "ostiary_session")];
}
