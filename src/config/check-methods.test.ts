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
    const config = loadConfig({ environment, flags: {} });
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

  // Security rule (SR-HOLD-5): a recovery that waits protects nothing where its reader signs in by the same mailbox.
  test("is refused with recoveries that wait where a code or link signs in, and says what to set (SR-HOLD-5)", () => {
    const hold = { FLOWS_RECOVERY_HOLD: "72h" };
    const noCode = { ...hold, CODE_LOGIN: "false" };
    const courier = {
      COURIER_EMAIL_SMTP_URL: "smtp://localhost:1025",
      COURIER_FROM_ADDRESS: "id@example.com",
    };
    for (const sends of [{}, { ...elsewhere, CODE_LOGIN: "true", ...courier }]) {
      expect(refusal({ ...hold, ...sends })).toMatch(
        /^ConfigError: tenant_defaults\.flows\.recovery\.hold .*a code.* signs in as well: set tenant_defaults\.code\.login: false, or hold: 0s/,
      );
    }
    expect(refusal(hold)).toContain("by default");
    expect(refusal(noCode)).toBe("");
    expect(refusal({ ...noCode, LINK_ENABLED: "true" })).toMatch(
      /recovery\.hold .*link\.login: false, or hold: 0s/,
    );
    expect(refusal({ ...noCode, LINK_ENABLED: "true", LINK_LOGIN: "false" })).toBe("");
    // Where nothing waits, nothing is asked of them.
    expect(refusal({ FLOWS_RECOVERY_HOLD: "0s", LINK_ENABLED: "true" })).toBe("");
    expect(refusal({ ...hold, FLOWS_RECOVERY_ENABLED: "false" })).toBe("");
  });

  test("signs nobody in by a link where those only recover and verify", () => {
    const alone = { ...elsewhere, ...noPassword, ...noPasskey, CODE_LOGIN: "false", LINK_ENABLED: "true" };
    expect(refusal({ ...alone, LINK_LOGIN: "false" })).toContain("nobody could sign in");
    const environment = { [`${prefix}LINK_ENABLED`]: "true", [`${prefix}LINK_LOGIN`]: "false" };
    const config = loadConfig({ environment, flags: {} });
    expect([...toTenantSettings(config, 4433).link.enabledFor]).toEqual([
      ...["registration", "verification", "recovery"],
    ]);
  });

  test("has roles by their names", () => {
    expect(refusal({ PASSKEY_USE_AS: "third" })).toContain("tenant_defaults.passkey.use_as");
  });
});
