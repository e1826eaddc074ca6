// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { CookieJar } from "./cookie-jar.ts";

describe("the cookies of a user's request", () => {
  // Security rule: the app's own cookies are none of Ostiary's business.
  test("go to Ostiary only if they are its own", () => {
    const jar = new CookieJar("app=1; __Host-ostiary_session=2; ostiary_browser=3; my_ostiary_session=4");
    expect(jar.header).toBe("__Host-ostiary_session=2; ostiary_browser=3");
  });

  // Security rule: forwarding must not turn a name that anybody could set into one that only the host itself can.
  test("are left out if their names only look like its own", () => {
    expect(
      new CookieJar("\u00a0__Host-ostiary_session=1; \u2003__Secure-ostiary_session=2").header,
    ).toBeUndefined();
  });

  test("go on as often as they came, for Ostiary refuses a name with two values", () => {
    expect(new CookieJar("ostiary_session=1; ostiary_session=2").header).toBe(
      "ostiary_session=1; ostiary_session=2",
    );
  });

  test("are not sent at all where there are none", () => {
    expect(new CookieJar(undefined).header).toBeUndefined();
    expect(new CookieJar("app=1").header).toBeUndefined();
  });

  test("are changed by what Ostiary sets, within the same request", () => {
    const jar = new CookieJar("ostiary_session=old; ostiary_browser=1");
    jar.accept(setCookies("ostiary_session=new; Path=/; HttpOnly"));
    expect(jar.header).toBe("ostiary_session=new; ostiary_browser=1");
    expect(jar.setCookies).toEqual(["ostiary_session=new; Path=/; HttpOnly"]);
  });

  test.each([
    "ostiary_session=; Max-Age=0",
    "ostiary_session=x; max-age=-1",
    "ostiary_session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
  ])("lose what %j removes, and the browser is told", (header) => {
    const jar = new CookieJar("ostiary_session=old");
    jar.accept(setCookies(header));
    expect(jar.header).toBeUndefined();
    expect(jar.setCookies).toEqual([header]);
  });

  test("keep what has both an end in the past and a lifetime, for the lifetime counts", () => {
    const jar = new CookieJar(undefined);
    jar.accept(setCookies("ostiary_session=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60"));
    expect(jar.header).toBe("ostiary_session=x");
  });

  test("are handed on once each: the last of those that set the same cookie", () => {
    const jar = new CookieJar(undefined);
    jar.accept(setCookies("ostiary_session=1; Path=/", "ostiary_browser=2; Path=/"));
    jar.accept(setCookies("ostiary_session=3; Path=/", "ostiary_session=4; Path=/; Domain=example.com"));
    expect(jar.setCookies).toEqual([
      "ostiary_session=3; Path=/",
      "ostiary_browser=2; Path=/",
      "ostiary_session=4; Path=/; Domain=example.com",
    ]);
  });

  test("never include a cookie of another name that came with an answer", () => {
    const jar = new CookieJar(undefined);
    jar.accept(setCookies("proxy=1; Path=/", "broken"));
    expect(jar.setCookies).toEqual([]);
  });
});

function setCookies(...values: string[]): Headers {
  return new Headers(values.map((value): [string, string] => ["set-cookie", value]));
}
