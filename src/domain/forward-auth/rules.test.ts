import { expect, test } from "vitest";
import { type ForwardAuthRule, ForwardAuthRules } from "./rules.ts";
import { readTarget } from "./target.ts";

const anyone = { kind: "anyone" } as const;
const session = { kind: "session", demands: [], audience: "app", template: "" } as const;

function rule(host: string, pathPrefix: string, access: ForwardAuthRule["access"]): ForwardAuthRule {
  return { host, pathPrefix, access };
}

function found(rules: readonly ForwardAuthRule[], host: string, uri: string): string {
  const target = readTarget({ method: "GET", scheme: "https", host, uri });
  if (typeof target === "string") return target;
  const of = new ForwardAuthRules(rules).find(target);
  return of === undefined ? "none" : `${of.host}${of.pathPrefix}`;
}

const rules = [
  rule("app.example.com", "/public", anyone),
  rule("app.example.com", "/public/mine", session),
  rule("app.example.com", "/", session),
  rule("*.example.com", "/", session),
  rule("*.deep.example.com", "/open", anyone),
];

test.each([
  ["app.example.com", "/", "app.example.com/"],
  ["app.example.com", "/public", "app.example.com/public"],
  ["app.example.com", "/public/", "app.example.com/public"],
  ["app.example.com", "/public/a", "app.example.com/public"],
  ["app.example.com", "/publicity", "app.example.com/"],
  ["app.example.com", "/public/mine/a", "app.example.com/public/mine"],
  ["app.example.com", "/%70ublic", "app.example.com/public"],
  ["other.example.com", "/", "*.example.com/"],
  ["a.deep.example.com", "/open", "*.deep.example.com/open"],
  // The nearest host has no rule for it.
  ["a.deep.example.com", "/", "none"],
  ["example.com", "/", "none"],
  ["app.example.com:8443", "/", "none"],
  ["app.example.org", "/", "none"],
])("the rule of %s%s is %s", (host, uri, expected) => {
  expect(found(rules, host, uri)).toBe(expected);
});

test("without rules nobody is let through", () => {
  expect(found([], "app.example.com", "/")).toBe("none");
});

// Security rule (SR-FORWARD-3)
test("capitals lead past no rule that asks for a session, and open nothing", () => {
  expect(found(rules, "app.example.com", "/PUBLIC/a")).toBe("app.example.com/");
  expect(found(rules, "app.example.com", "/public/MINE")).toBe("app.example.com/public/mine");
});
