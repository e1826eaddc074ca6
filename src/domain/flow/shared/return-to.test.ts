import { describe, expect, test } from "vitest";
import { DomainError } from "../../errors.ts";
import type { TenantSettings } from "../../tenant/tenant.ts";
import { resolveReturnTo } from "./return-to.ts";

const settings = {
  allowedReturnUrls: new Set(["https://app.example.com/welcome"]),
  defaultReturnUrl: "https://app.example.com/",
  protectedHosts: [],
} as unknown as TenantSettings;

describe("return_to", () => {
  test("is the configured default when nothing is asked for", () => {
    expect(resolveReturnTo(undefined, settings)).toBe("https://app.example.com/");
    expect(resolveReturnTo("", settings)).toBe("https://app.example.com/");
  });

  test("may be an allowed address, exactly", () => {
    expect(resolveReturnTo("https://app.example.com/welcome", settings)).toBe(
      "https://app.example.com/welcome",
    );
  });

  test("may be the default, which need not be on the list", () => {
    expect(resolveReturnTo("https://app.example.com/", settings)).toBe("https://app.example.com/");
  });

  test("is named in the refusal, cut short", () => {
    const address = `https://evil.example/${"a".repeat(200)}`;
    expect(() => resolveReturnTo(address, settings)).toThrow(
      expect.objectContaining({ metadata: { returnTo: address.slice(0, 200) } }),
    );
  });

  test.each([
    ["a longer path", "https://app.example.com/welcome/x"],
    ["a query", "https://app.example.com/welcome?next=//evil.example"],
    ["another scheme", "http://app.example.com/welcome"],
    ["a scheme-relative address", "//app.example.com/welcome"],
    ["a relative address", "/welcome"],
    ["a backslash", "https:\\\\app.example.com\\welcome"],
    ["user info", "https://app.example.com@evil.example/welcome"],
    ["a subdomain", "https://evil.app.example.com/welcome"],
    ["a look-alike suffix", "https://app.example.com.evil.example/welcome"],
    ["line breaks", "https://app.example.com/welcome\r\nSet-Cookie: a=b"],
    ["an encoded line break", "https://app.example.com/welcome%0d%0aSet-Cookie:a=b"],
    ["a script", "javascript:alert(1)"],
    ["upper case", "HTTPS://APP.EXAMPLE.COM/welcome"],
    ["a trailing dot", "https://app.example.com./welcome"],
    ["a space in front", " https://app.example.com/welcome"],
  ])("refuses %s (ASVS V3.7.2)", (_name, address) => {
    expect(() => resolveReturnTo(address, settings)).toThrow(DomainError);
  });
});
