import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { loadConfig } from "./load-config.ts";
import { ConfigError } from "./problems.ts";

const directory = mkdtempSync(join(tmpdir(), "ostiary-checks-"));
const file = join(directory, "ostiary.yaml");
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const listener = { peers: ["127.0.0.1"] };
const rule = { host: "app.example.com", session: {} };

function outcome(
  forwardAuth: object | undefined,
  rules: readonly object[],
  tenant: object = {},
): { problems: readonly string[]; warnings: readonly string[] } {
  const server = forwardAuth === undefined ? {} : { server: { forward_auth: forwardAuth } };
  // Each a copy, or YAML names one by the other.
  const tenantDefaults = {
    public_url: "https://login.example.com",
    ...tenant,
    forward_auth: { rules: rules.map((each) => structuredClone(each)) },
  };
  writeFileSync(file, stringify({ ...server, tenant_defaults: tenantDefaults }));
  try {
    const { warnings } = loadConfig({ file, environment: {}, flags: {}, workingDirectory: directory });
    return { problems: [], warnings: warnings.filter((warning) => warning.includes("forward_auth")) };
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems, warnings: [] };
    throw error;
  }
}

test("a listener with proxies and rules is taken", () => {
  const cookie = { session: { cookie: { domain: "example.com" } } };
  const rules = [rule, { ...rule, path_prefix: "/a b" }, { host: "*.example.com", anyone: {} }];
  expect(outcome(listener, rules, cookie)).toEqual({ problems: [], warnings: [] });
});

// Security rule (SR-FORWARD-4): who may ask is named, and is not everybody.
describe("of the listener", () => {
  test.each<[string, object | undefined, string]>([
    ["no listener", undefined, "tenant_defaults.forward_auth.rules"],
    ["nobody who may ask", {}, "server.forward_auth.peers"],
    ["everybody", { peers: ["0.0.0.0/0"] }, "server.forward_auth.peers[0]"],
    ["everybody by IPv6", { peers: ["127.0.0.1", "::/0"] }, "server.forward_auth.peers[1]"],
    ["a name", { peers: ["proxy.internal"] }, "server.forward_auth.peers[0]"],
    [
      "authorities without TLS",
      { ...listener, client_ca_file: "ca.pem" },
      "server.forward_auth.client_ca_file",
    ],
    ["the port of another listener", { ...listener, port: 4433 }, "server.forward_auth.port"],
    ["plain text beyond loopback", { ...listener, host: "0.0.0.0" }, "server.forward_auth.host"],
  ])("%s is refused", (_what, forwardAuth, key) => {
    expect(outcome(forwardAuth, [rule]).problems.some((problem) => problem.startsWith(`${key} `))).toBe(true);
  });
});

describe("of the rules", () => {
  test.each<[string, object, string]>([
    ["a host with a scheme", { ...rule, host: "https://app.example.com" }, "host"],
    ["a host in capitals", { ...rule, host: "App.example.com" }, "host"],
    ["a host with the usual port", { ...rule, host: "app.example.com:443" }, "host"],
    ["a wildcard within a name", { host: "app*.example.com", anyone: {} }, "host"],
    ["a wildcard for everything", { host: "*", anyone: {} }, "host"],
    ["a path without a slash", { ...rule, path_prefix: "admin" }, "path_prefix"],
    ["a path that is encoded", { ...rule, path_prefix: "/a%20b" }, "path_prefix"],
    ["a path with dot segments", { ...rule, path_prefix: "/a/../b" }, "path_prefix"],
    ["a query", { ...rule, path_prefix: "/a?b" }, "path_prefix"],
    ["a wildcard without an audience", { host: "*.example.com", session: {} }, "session.audience"],
    ["a template that is not there", { ...rule, session: { template: "mail" } }, "session.template"],
  ])("%s is refused", (_what, wrong, key) => {
    const problems = outcome(listener, [wrong]).problems;
    expect(problems.map((problem) => problem.split(" ")[0])).toContain(
      `tenant_defaults.forward_auth.rules[0].${key}`,
    );
  });

  test("one that is there twice is refused, in other letters too", () => {
    for (const second of [rule, { ...rule, path_prefix: "/" }])
      expect(outcome(listener, [rule, second]).problems[0]).toContain("rules[1]");
    const letters = [
      { ...rule, path_prefix: "/a" },
      { ...rule, path_prefix: "/A" },
    ];
    expect(outcome(listener, letters).problems[0]).toContain("rules[1]");
  });

  test("a host that gets no session cookie is warned of", () => {
    expect(outcome(listener, [rule]).warnings[0]).toContain("session.cookie.domain");
    expect(outcome(listener, [{ host: "login.example.com", session: {} }]).warnings).toEqual([]);
    expect(outcome(listener, [{ host: "app.example.com", anyone: {} }]).warnings).toEqual([]);
  });
});
