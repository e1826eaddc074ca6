import { describe, expect, test } from "vitest";
import { scopeAllows, scopesExceeding } from "./scopes.ts";

describe("scopeAllows", () => {
  test.each([
    [["identity:read"], "identity:read", true],
    [["*"], "identity:read", true],
    [["identity:*"], "identity:read", true],
    [["api_key:read", "identity:read"], "identity:read", true],
    [[], "identity:read", false],
    [["identity:read"], "identity:create", false],
    [["identity:*"], "identity_schema:read", false],
    [["identity"], "identity:read", false],
    [["identity:re"], "identity:read", false],
    [["identity:r*"], "identity:read", false],
    [["*:read"], "identity:read", false],
    [[":*"], "identity:read", false],
    [["IDENTITY:READ"], "identity:read", false],
    [[""], "identity:read", false],
  ])("of %j for %s is %s", (granted, needed, expected) => {
    expect(scopeAllows(granted, needed)).toBe(expected);
  });
});

describe("scopesExceeding", () => {
  // Security rule (SR-ACCESS-2): a key can only make keys of its own scopes or fewer.
  test.each([
    [["*"], ["*", "identity:*"], undefined],
    [["identity:*"], ["identity:read", "identity:*"], undefined],
    [["identity:*"], ["identity:read", "*"], "*"],
    [["identity:*"], ["identity_schema:read"], "identity_schema:read"],
    [["identity:read", "identity:create"], ["identity:*"], "identity:*"],
    [["identity:read"], [], undefined],
    [[], ["identity:read"], "identity:read"],
  ])("of %j asked for %j names %s", (granted, asked, expected) => {
    expect(scopesExceeding(granted, asked)).toBe(expected);
  });
});
