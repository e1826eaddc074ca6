import { describe, expect, test } from "vitest";
import { someSettings } from "../../../test/support/records.ts";
import type { TenantId } from "../../domain/ids.ts";
import type { Tenant } from "../../domain/tenant/tenant.ts";
import {
  browserCookieName,
  cookieValues,
  deviceCookieName,
  findCookie,
  providerCookie,
  sessionCookieName,
} from "./cookies.ts";
import { removeSessionCookie, shownSessionCookies } from "./session-cookies.ts";

const name = "__Host-ostiary_session";

describe("findCookie", () => {
  test("takes the blanks of RFC 6265 off a name and its value", () => {
    expect(findCookie(`a=b; \t${name} =\t1 ;c=d`, name)).toEqual({ kind: "value", value: "1" });
  });

  // Security rule (SR-COOKIE-4): a browser keeps names with a prefix to https and to one host. A name that only becomes one when it is
  // trimmed by more than space and tab could come from any sibling host.
  test.each(["\u00a0", "\v", "\f", "\ufeff"])(
    "does not take a name with %j around it for the name",
    (blank) => {
      expect(findCookie(`${blank}${name}=1; ${name}${blank}=2`, name)).toEqual({ kind: "absent" });
    },
  );
});

describe("cookieValues", () => {
  test("gives the distinct values of each name in their order, and no more than are asked for", () => {
    const header = 'a=1; b=2; a=3; a=1; a="4"; a=5; c=6';
    expect([...cookieValues(header, ["a", "b"], 3)]).toEqual([
      ["a", ["1", "3", "4"]],
      ["b", ["2"]],
    ]);
  });

  // Security rule (SR-COOKIE-4): the Cookie header is a stranger's and is read before any credential, so its cost is bounded.
  test.each([
    ["of one foreign name", "a=;"],
    ["of the wanted name", "ostiary_session=;"],
    ["of blanks", "ostiary_session          ;"],
  ])("costs little for a header of 64 KB %s", (_name, part) => {
    const header = part.repeat(64_000 / part.length);
    const costs = Array.from({ length: 5 }, () => {
      const before = process.threadCpuUsage();
      shownSessionCookies(header, tenantAt("https://id.example.com"), 4);
      const { user, system } = process.threadCpuUsage(before);
      return (user + system) / 1000;
    });
    expect(costs.sort((a, b) => a - b)[2]).toBeLessThan(50);
  });
});

describe("the cookies of a configured name", () => {
  test("are named after it", () => {
    const tenant = tenantAt("https://id.example.com", { name: "acme_session" });
    expect([sessionCookieName(tenant), browserCookieName(tenant), deviceCookieName(tenant)]).toEqual([
      "__Host-acme_session",
      "__Host-acme_browser",
      "__Host-acme_device",
    ]);
    expect(providerCookie(tenant, "acme")).toBe(
      "__Host-acme_provider=acme; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=31536000",
    );
    expect(browserCookieName(tenantAt("http://localhost", { name: "sid" }))).toBe("sid_browser");
  });
});

describe("removeSessionCookie", () => {
  const at = (url: string, cookie: Partial<Cookie>, name: string) =>
    removeSessionCookie(tenantAt(url, cookie), name, "/a.Service/Call", "remove_own");

  test.each(["http://127.0.0.1:4433", "http://localhost:4433", "http://[::1]:4433"])(
    "names no domain at %s, which has none to share",
    (url) => {
      const headers = at(url, {}, "ostiary_session");
      expect(headers.filter((header) => header.includes("Domain="))).toEqual([]);
      expect(headers.map((header) => /Path=([^;]*)/.exec(header)?.[1])).toEqual([
        "/",
        "/a.Service",
        "/a.Service/",
        "/a.Service/Call",
      ]);
    },
  );

  test("is one header for a cookie of the host alone", () => {
    expect(at("https://id.example.com", {}, "__Host-ostiary_session")).toHaveLength(1);
    expect(at("https://id.example.com", { domain: "example.com" }, "__Host-ostiary_session")).toHaveLength(1);
  });
});

type Cookie = Tenant["settings"]["session"]["cookie"];

function tenantAt(publicUrl: string, cookie: Partial<Cookie> = {}): Tenant {
  const settings = someSettings({ publicUrl });
  const { session } = settings;
  return {
    tenantId: "tenant" as TenantId,
    name: "default",
    settings: { ...settings, session: { ...session, cookie: { ...session.cookie, ...cookie } } },
  };
}
