import { describe, expect, test } from "vitest";
import { loadConfig } from "./load-config.ts";
import { ConfigError } from "./problems.ts";

const prefix = "OSTIARY_TENANT_DEFAULTS_";

/** What is wrong with a list of native origins. */
function problemsOf(origins: string, others: Record<string, string> = {}): readonly string[] {
  const environment = { OSTIARY_DEV: "true", OSTIARY_SERVER_NATIVE_ORIGINS: origins, ...others };
  try {
    loadConfig({ environment, flags: {} });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

describe("a native origin", () => {
  test.each([
    "capacitor://localhost",
    "ionic://localhost",
    "tauri://localhost",
    "app://-",
    "com.example.app://localhost:8080",
    "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    "moz-extension://0b7c0bd3-3c9f-4e0c-b4c2-7a3f6f1c0b1d",
    "safari-web-extension://0B7C0BD3-3C9F-4E0C-B4C2-7A3F6F1C0B1D",
    "http://localhost",
    "https://localhost",
    "http://tauri.localhost",
    "https://my-app.tauri.localhost",
  ])("%s is taken as it is", (origin) => {
    expect(problemsOf(origin)).toEqual([]);
    const { config } = loadConfig({
      environment: { OSTIARY_SERVER_NATIVE_ORIGINS: origin },
      flags: {},
    });
    expect(config.server.nativeOrigins).toEqual([origin]);
  });

  // Security rule (SR-ORIGIN-2): it is the origin of no page that somebody else can have.
  test.each([
    ["https://app.example.com", ".localhost"],
    ["http://app.example.com", ".localhost"],
    ["http://127.0.0.1", ".localhost"],
    ["http://[::1]", ".localhost"],
    ["http://localhost:3000", "must have no port"],
    ["http://localhost:80", "must have no port"],
    ["https://localhost:", "must have no port"],
    ["http://app.localhost:5173", "must have no port"],
    ["http://localhost.example.com", ".localhost"],
    ["http://localhost.", ".localhost"],
    ["http://.localhost", ".localhost"],
    ["http://a..localhost", ".localhost"],
    ["http://evil.example#.localhost", "without a path"],
    ["http://LOCALHOST", ".localhost"],
    ["HTTP://localhost", "lower case"],
    ["Capacitor://localhost", "lower case"],
    ["capacitor://localhost/", "without a slash"],
    ["capacitor://localhost/index.html", "without a path"],
    ["capacitor://localhost?x", "without a path"],
    ["capacitor://", "must be an origin"],
    ["capacitor:localhost", "must be an origin"],
    ["capacitor://user@localhost", "user name"],
    ["capacitor://*", "wildcards"],
    ["chrome-extension://*", "wildcards"],
    ["capacitor://local host", "blanks"],
    ["capacitor:\\\\localhost", "backslash"],
    ["localhost", "must be an absolute URL such as capacitor://localhost"],
    ["null", "must not be null"],
    ["file://", "must be an origin"],
    ["file://localhost", "must be an origin"],
    ["data:text/html,x", "must be an origin"],
    ["javascript://localhost", "must be an origin"],
    ["blob:https://app.example.com/x", "must be an origin"],
    ["ws://localhost", "must be an origin"],
    ["ftp://localhost", "must be an origin"],
  ])("%j is refused", (origin, message) => {
    // As an element of a YAML list, since a comma parts the elements of a variable.
    const problems = problemsOf(JSON.stringify([origin]));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain("server.native_origins[0]");
    expect(problems[0]).toContain(message);
  });

  // Security rule (SR-ORIGIN-2): what such a page sends counts as sent by an app, so none is an origin of pages with cookies.
  test.each<[string, string, Record<string, string>]>([
    ["allowed_origins[0]", "http://localhost", { [`${prefix}ALLOWED_ORIGINS`]: "http://localhost" }],
    ["allowed_origins[0]", "http://localhost", { [`${prefix}ALLOWED_ORIGINS`]: "http://localhost:80/" }],
    ["public_url", "https://id.localhost", { [`${prefix}PUBLIC_URL`]: "https://id.localhost" }],
    [
      "flows.recovery.ui_url",
      "http://app.localhost",
      { [`${prefix}FLOWS_RECOVERY_UI_URL`]: "http://app.localhost/x" },
    ],
    [
      "server.public",
      "http://localhost",
      { OSTIARY_SERVER_PUBLIC_HOST: "localhost", OSTIARY_SERVER_PUBLIC_PORT: "80" },
    ],
  ])("that is the one of %s is refused", (key, origin, others) => {
    const problems = problemsOf(origin, others);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain("server.native_origins[0]");
    expect(problems[0]).toContain(key);
  });
});
