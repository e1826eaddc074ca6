import { describe, expect, test } from "vitest";
import { toTenantSettings } from "../app-settings.ts";
import { loadConfig } from "./load-config.ts";

const prefix = "OSTIARY_TENANT_DEFAULTS_";

function refusal(given: Record<string, string>): string {
  const environment = Object.fromEntries(Object.entries(given).map(([key, value]) => [prefix + key, value]));
  try {
    loadConfig({ environment, flags: {} });
  } catch (error) {
    return String(error);
  }
  return "";
}

const elsewhere = { PUBLIC_URL: "https://id.example.com" };
const address = { PUBLIC_URL: "http://127.0.0.1:4433" };
const noPassword = { PASSWORD_ENABLED: "false" };
const noPasskey = { PASSKEY_ENABLED: "false" };
const secondOnly = { PASSKEY_USE_AS: "second" };

// Security rule (SR-ROLE-1): a configuration in which nobody can sign in is refused at the start.
describe("a configuration of methods (SR-ROLE-1)", () => {
  test.each([
    ["neither passwords nor passkeys nor codes", { ...elsewhere, ...noPassword, ...noPasskey }],
    ["passkeys as second factor alone", { ...elsewhere, ...noPassword, ...secondOnly }],
    [
      "passkeys at an IP address, for which browsers make none",
      { ...noPassword, ...address, CODE_LOGIN: "false" },
    ],
    ["codes that do not sign in", { ...noPassword, ...noPasskey, CODE_LOGIN: "false" }],
  ])("is refused where nobody could sign in: %s", (_name, given) => {
    expect(refusal(given)).toMatch(/^ConfigError: tenant_defaults.password.enabled .*: nobody could sign in/);
  });

  test.each([
    ["passwords", elsewhere],
    ["passkeys", { ...elsewhere, ...noPassword }],
    ["codes, in a trial", { ...noPassword }],
    ["passkeys, in a trial", { ...noPassword, CODE_LOGIN: "false" }],
    ["codes", { ...noPassword, ...noPasskey }],
    ["passwords and passkeys as second factor", { ...elsewhere, ...secondOnly }],
  ])("is taken with %s", (_name, given) => {
    expect(refusal(given)).toBe("");
  });

  test("is refused where nobody could register, unless nobody is to", () => {
    const codes = { ...noPassword, ...noPasskey, CODE_REGISTRATION: "false" };
    expect(refusal(codes)).toMatch(/registration\.mode.*: nobody could register/);
    expect(refusal({ ...codes, FLOWS_REGISTRATION_MODE: "closed" })).toBe("");
  });

  test("is refused with a recovery that has no secret to end with; by default there is none", () => {
    const codes = { ...noPassword, ...noPasskey };
    expect(refusal({ ...codes, FLOWS_RECOVERY_ENABLED: "true" })).toMatch(
      /recovery\.enabled.*: ends with a new/,
    );
    const environment = Object.fromEntries(
      Object.entries(codes).map(([key, value]) => [prefix + key, value]),
    );
    const { config } = loadConfig({ environment, flags: {} });
    expect(toTenantSettings(config, 4433).recovery.enabled).toBe(false);
  });

  test("is refused with a policy for second factors that nobody can meet", () => {
    const policy = { ...elsewhere, SECOND_FACTOR_POLICY: "required", TOTP_ENABLED: "false" };
    expect(refusal(policy)).toBe("");
    const lacking: readonly Record<string, string>[] = [noPasskey, { PASSKEY_USE_AS: "first" }, address];
    for (const without of lacking) {
      expect(refusal({ ...policy, ...without })).toMatch(/second_factor\.policy.*: cannot be met/);
    }
  });

  test("has roles by their names", () => {
    expect(refusal({ PASSKEY_USE_AS: "third" })).toContain("tenant_defaults.passkey.use_as");
  });
});
