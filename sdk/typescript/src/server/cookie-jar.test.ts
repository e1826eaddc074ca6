// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { CookieJar } from "./cookie-jar.ts";

describe("the cookies of a user's request", () => {
  // Security rule (SR-SDK-8): the app's own cookies are none of Ostiary's business.
  test("go to Ostiary only if they are its own", () => {
    const jar = jarOf("app=1; __Host-ostiary_session=2; ostiary_browser=3; my_ostiary_session=4");
    expect(jar.header).toBe("__Host-ostiary_session=2; ostiary_browser=3");
  });

  // Security rule (SR-SDK-8): forwarding must not turn a name that anybody could set into one that only the host itself can.
  test("are left out if their names only look like its own", () => {
    expect(jarOf("\u00a0__Host-ostiary_session=1; \u2003__Secure-ostiary_session=2").header).toBeUndefined();
  });

  test("go to Ostiary by the name that is configured there", () => {
    const jar = new CookieJar("__Host-acme_session=1; acme_browser=2; ostiary_session=3", "acme_session");
    jar.accept(setCookies("__Host-acme_session=4; Path=/; Secure", "ostiary_session=5"));
    expect(jar.header).toBe("__Host-acme_session=4; acme_browser=2");
    expect(jar.setCookies).toEqual(["__Host-acme_session=4; Path=/; Secure"]);
  });

  test("are changed once where Ostiary removes a cookie everywhere and sets it anew", () => {
    const jar = jarOf("__Secure-ostiary_session=old; __Secure-ostiary_session=new");
    const headers = [
      "__Secure-ostiary_session=; Path=/; Secure; Max-Age=0",
      "__Secure-ostiary_session=; Path=/; Domain=id.example.com; Secure; Max-Age=0",
      "__Secure-ostiary_session=new; Path=/; Domain=example.com; Secure",
    ];
    jar.accept(setCookies(...headers));
    expect(jar.header).toBe("__Secure-ostiary_session=new");
    expect(jar.setCookies).toEqual(headers);
  });

  test("go on as often as they came, up to five, for Ostiary decides which of them counts", () => {
    const many = [1, 2, 3, 4, 5].map((n) => `ostiary_session=${n}`).join("; ");
    expect(jarOf(`${many}; ostiary_session=6`).header).toBe(many);
    expect(jarOf("ostiary_session=1; ostiary_session=2").header).toBe("ostiary_session=1; ostiary_session=2");
  });

  test("are not sent at all where there are none", () => {
    expect(jarOf(undefined).header).toBeUndefined();
    expect(jarOf("app=1").header).toBeUndefined();
  });

  test("are changed by what Ostiary sets, within the same request", () => {
    const jar = jarOf("ostiary_session=old; ostiary_browser=1");
    jar.accept(setCookies("ostiary_session=new; Path=/; HttpOnly"));
    expect(jar.header).toBe("ostiary_session=new; ostiary_browser=1");
    expect(jar.setCookies).toEqual(["ostiary_session=new; Path=/; HttpOnly"]);
  });

  test.each([
    "ostiary_session=; Max-Age=0",
    "ostiary_session=x; max-age=-1",
    "ostiary_session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
  ])("lose what %j removes, and the browser is told", (header) => {
    const jar = jarOf("ostiary_session=old");
    jar.accept(setCookies(header));
    expect(jar.header).toBeUndefined();
    expect(jar.setCookies).toEqual([header]);
  });

  test("keep what has both an end in the past and a lifetime, for the lifetime counts", () => {
    const jar = jarOf(undefined);
    jar.accept(setCookies("ostiary_session=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60"));
    expect(jar.header).toBe("ostiary_session=x");
  });

  test("are handed on once each: the last of those that set the same cookie", () => {
    const jar = jarOf(undefined);
    jar.accept(setCookies("ostiary_session=1; Path=/", "ostiary_browser=2; Path=/"));
    jar.accept(setCookies("ostiary_session=3; Path=/", "ostiary_session=4; Path=/; Domain=example.com"));
    expect(jar.setCookies).toEqual([
      "ostiary_session=3; Path=/",
      "ostiary_browser=2; Path=/",
      "ostiary_session=4; Path=/; Domain=example.com",
    ]);
  });

  test("never include a cookie of another name that came with an answer", () => {
    const jar = jarOf(undefined);
    jar.accept(setCookies("proxy=1; Path=/", "broken"));
    expect(jar.setCookies).toEqual([]);
  });
});

function jarOf(header: string | undefined): CookieJar {
  return new CookieJar(header, "ostiary_session");
}

function setCookies(...values: string[]): Headers {
  return new Headers(values.map((value): [string, string] => ["set-cookie", value]));
}
