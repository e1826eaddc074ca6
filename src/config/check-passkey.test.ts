import { describe, expect, test } from "vitest";
import { toTenantSettings } from "../app-settings.ts";
import { loadConfig } from "./load-config.ts";
import { ConfigError } from "./problems.ts";

const prefix = "OSTIARY_TENANT_DEFAULTS_";
const publicUrl = { [`${prefix}PUBLIC_URL`]: "https://id.example.com" };

/** Variables of the keys of passkeys. */
function keys(given: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(given).map(([key, value]) => [`${prefix}PASSKEY_${key}`, value]));
}

function settingsOf(environment: Readonly<Record<string, string>>) {
  return toTenantSettings(loadConfig({ environment, flags: {} }), 4433).passkey;
}

function problemsOf(
  given: Readonly<Record<string, string>>,
  others: Readonly<Record<string, string>> = publicUrl,
) {
  try {
    loadConfig({ environment: { ...others, ...keys(given) }, flags: {} });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

describe("passkeys", () => {
  test("are made for the host of the public URL, by its pages, if nothing else is said", () => {
    expect(settingsOf({ ...publicUrl, [`${prefix}BRANDING_NAME`]: "Acme" })).toEqual({
      ...{
        enabled: true,
        rpId: "id.example.com",
        rpName: "Acme",
        userVerification: "preferred",
        useAs: "either",
      },
      ...{ origins: ["https://id.example.com"], relatedOrigins: [], appleApps: [], androidApps: [] },
      offerAfterLogin: true,
    });
  });

  test("are made for a domain above the pages, and by pages at or below it alone", () => {
    const pages = {
      ...publicUrl,
      [`${prefix}FLOWS_LOGIN_UI_URL`]: "https://app.example.com/login",
      [`${prefix}FLOWS_SETTINGS_UI_URL`]: "https://elsewhere.example.net/settings",
    };
    const given = keys({
      ...{ RP_ID: "example.com", RP_NAME: "Example", USER_VERIFICATION: "required" },
      OFFER_AFTER_LOGIN: "false",
    });
    expect(settingsOf({ ...pages, ...given })).toEqual({
      ...{
        enabled: true,
        rpId: "example.com",
        rpName: "Example",
        userVerification: "required",
        useAs: "either",
      },
      ...{
        origins: ["https://id.example.com", "https://app.example.com"],
        relatedOrigins: [],
        appleApps: [],
        androidApps: [],
      },
      offerAfterLogin: false,
    });
    expect(settingsOf({ ...publicUrl, ...keys({ USER_VERIFICATION: "discouraged" }) }).userVerification).toBe(
      "discouraged",
    );
  });

  test("are off where they are switched off, and where browsers can make none", () => {
    expect(settingsOf({ ...publicUrl, ...keys({ ENABLED: "false" }) }).enabled).toBe(false);
    expect(settingsOf({ [`${prefix}PUBLIC_URL`]: "http://127.0.0.1:4433" }).enabled).toBe(false);
    expect(settingsOf({ [`${prefix}PUBLIC_URL`]: "http://localhost:4433" }).enabled).toBe(true);
    // Where nothing is configured.
    expect(settingsOf({})).toMatchObject({ enabled: true, rpId: "localhost" });
  });

  test("are made by the pages and apps that are listed, as they are written", () => {
    const app = `android:apk-key-hash:${"aB3-_".repeat(8)}abc`;
    const given = keys({ ORIGINS: `https://www.id.example.com,${app}` });
    expect(settingsOf({ ...publicUrl, ...given }).origins).toEqual(["https://www.id.example.com", app]);
  });

  test("are shown to related origins as well", () => {
    const given = keys({ RELATED_ORIGINS: "https://example.net,https://app.example.org:8443" });
    const related = ["https://example.net", "https://app.example.org:8443"];
    expect(settingsOf({ ...publicUrl, ...given })).toMatchObject({
      ...{ origins: ["https://id.example.com", ...related], relatedOrigins: related },
    });
  });

  test("are shown to Apple's apps by the origin of the domain", () => {
    const given = keys({ RP_ID: "example.com", APPLE_APPS: "ABCDE12345.com.example.app" });
    expect(settingsOf({ ...publicUrl, ...given })).toMatchObject({
      ...{ origins: ["https://id.example.com", "https://example.com"] },
      appleApps: ["ABCDE12345.com.example.app"],
    });
  });
});

// Security rule (SR-PASSKEY-2): an origin is compared exactly, and is at or below the domain that passkeys are made for.
describe("a configuration of passkeys (SR-PASSKEY-2)", () => {
  test.each<[string, Record<string, string>, string]>([
    ["an origin elsewhere", { ORIGINS: "https://example.net" }, "passkey.origins[0]"],
    ["an origin beside the domain", { ORIGINS: "https://app.example.com" }, "passkey.origins[0]"],
    ["an origin that only ends like it", { ORIGINS: "https://evilid.example.com" }, "passkey.origins[0]"],
    ["an origin without TLS", { ORIGINS: "http://id.example.com" }, "passkey.origins[0]"],
    ["an origin with a path", { ORIGINS: "https://id.example.com/login" }, "passkey.origins[0]"],
    ["an origin that browsers write otherwise", { ORIGINS: "https://ID.example.com" }, "passkey.origins[0]"],
    ["an origin with a wildcard", { ORIGINS: "https://*.example.com" }, "passkey.origins[0]"],
    ["a hash of an app that is none", { ORIGINS: "android:apk-key-hash:abc" }, "passkey.origins[0]"],
    ["another kind of app", { ORIGINS: "android:apk:abc" }, "passkey.origins[0]"],
    [
      "a related origin at the domain",
      { RELATED_ORIGINS: "https://id.example.com:8443" },
      "passkey.related_origins[0]",
    ],
    ["a related origin without TLS", { RELATED_ORIGINS: "http://example.net" }, "passkey.related_origins[0]"],
    [
      "a related origin with a path",
      { RELATED_ORIGINS: "https://example.net/" },
      "passkey.related_origins[0]",
    ],
    ["an Apple app without its team", { APPLE_APPS: "com.example.app" }, "passkey.apple_apps[0]"],
    ["a domain of nobody's pages", { RP_ID: "example.net" }, "passkey.rp_id"],
    ["a domain below the pages", { RP_ID: "www.id.example.com" }, "passkey.rp_id"],
    ["a top-level domain", { RP_ID: "com" }, "passkey.rp_id"],
    ["an origin as the domain", { RP_ID: "https://id.example.com" }, "passkey.rp_id"],
    ["an address as the domain", { RP_ID: "192.0.2.1" }, "passkey.rp_id"],
    ["a domain in capitals", { RP_ID: "Example.com" }, "passkey.rp_id"],
  ])("with %s is refused", (_name, given, key) => {
    const problems = problemsOf(given);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(`tenant_defaults.${key}`);
  });

  test.each<Record<string, string>>([
    { RP_ID: "example.com", ORIGINS: "https://app.example.com" },
    { RP_ID: "id.example.com", ORIGINS: "https://id.example.com,https://a.b.id.example.com:8443" },
    { RP_ID: "example.net", ENABLED: "false" },
  ])("with %o is taken", (given) => {
    expect(problemsOf(given)).toEqual([]);
  });
});
