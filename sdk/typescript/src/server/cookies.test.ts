// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { CookieJar } from "./cookie-jar.ts";
import { cookieNameOf, cookieValues, ownCookieNames } from "./cookies.ts";
import { credentialOf } from "./credential.ts";
import { headOfFetch } from "./request-head.ts";

describe("the values of cookies", () => {
  test("are distinct, in their order, of the wanted names alone", () => {
    const header = 'a=1; b=x; a=2;a = 1 ; c=3; =4; a; \ta\t=\t"5"; ba=6; ab=7';
    expect([...cookieValues(header, ["a", "ab"], 4)]).toEqual([
      ["a", ["1", "2", '"5"']],
      ["ab", ["7"]],
    ]);
  });

  test("are no more than are asked for", () => {
    expect(cookieValues("a=1; a=2; a=3", ["a"], 2).get("a")).toEqual(["1", "2"]);
  });

  test("are not looked for in a header of more than 32 KiB", () => {
    expect(cookieValues(`a=1; b=${"x".repeat(32 * 1024)}`, ["a"], 4).size).toBe(0);
  });

  // Security rule (SR-COOKIE-4): the Cookie header is a stranger's and is read before any credential, so its cost is bounded, whatever is in
  // it. Cookies of one name once took quadratic time: 3 s for 64 KB.
  test.each([
    ["of one foreign name", "a=;"],
    ["of the wanted name", "__Host-ostiary_session=;"],
    ["of the wanted name, each with a value", (n: number) => `ostiary_session=${n};`],
    ["of names of their own", (n: number) => `${n}ostiary_session=;`],
    ["that are blanks", " ;"],
    ["that are blanks around a name", "          __Host-ostiary_session          ;"],
    ["that are equals signs", "="],
    ["that are semicolons", ";"],
  ])("cost little for 64 KB and for 128 KB %s", (_name, part) => {
    for (const size of [31_000, 64_000, 128_000]) {
      const header = filled(size, part);
      const cost = medianCpuMs(() => {
        const head = headOfFetch({
          method: "GET",
          url: "http://localhost/",
          headers: new Headers({ cookie: header }),
        });
        credentialOf(head, { cookieName: "ostiary_session", allowInsecureCookies: undefined });
        new CookieJar(header, "ostiary_session").header?.toString();
      });
      // A few milliseconds on an idle machine; the old code took seconds.
      expect(cost).toBeLessThan(50);
    }
  });
});

describe("the names of cookies", () => {
  test("follow the server's session.cookie.name", () => {
    expect(ownCookieNames("acme_session")).toEqual([
      ...["__Host-acme_session", "__Secure-acme_session", "acme_session"],
      ...["__Host-acme_browser", "__Secure-acme_browser", "acme_browser"],
      ...["__Host-acme_device", "__Secure-acme_device", "acme_device"],
      ...["__Host-acme_provider", "__Secure-acme_provider", "acme_provider"],
    ]);
    expect(ownCookieNames("sid")).toContain("__Host-sid_browser");
    expect(cookieNameOf(undefined)).toBe("ostiary_session");
  });

  test.each(["", "__Host-a", "a b", "a;", "a=b", "1a", "a".repeat(65)])("are never %j", (name) => {
    expect(() => cookieNameOf(name)).toThrow(TypeError);
  });
});

function filled(size: number, part: string | ((n: number) => string)): string {
  if (typeof part === "string") return part.repeat(size / part.length);
  let text = "";
  for (let n = 0; text.length < size; n++) text += part(n);
  return text;
}

/** Of five runs: other work of the machine may hit one of them. */
function medianCpuMs(work: () => void): number {
  const costs = Array.from({ length: 5 }, () => {
    const before = process.threadCpuUsage();
    work();
    const { user, system } = process.threadCpuUsage(before);
    return (user + system) / 1000;
  });
  return costs.sort((a, b) => a - b)[2] ?? 0;
}
