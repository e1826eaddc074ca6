import { describe, expect, test } from "vitest";
import { toTenantSettings } from "./app-settings.ts";
import { loadConfig } from "./config/load-config.ts";

function settingsOf(environment: Record<string, string>, port = 4433) {
  return toTenantSettings(loadConfig({ environment, flags: {} }).config, port);
}

describe("the settings of the tenant", () => {
  test("are those of the configuration, in milliseconds", () => {
    expect(settingsOf({})).toEqual({
      publicUrl: "http://127.0.0.1:4433",
      allowedOrigins: new Set(["http://127.0.0.1:4433"]),
      allowedReturnUrls: new Set(),
      defaultReturnUrl: undefined,
      uiUrls: {
        login: undefined,
        registration: undefined,
        verification: undefined,
        recovery: undefined,
        settings: undefined,
      },
      login: { lifetimeMs: 3_600_000 },
      registration: { lifetimeMs: 3_600_000, enabled: true, addressProof: "none" },
      verification: { lifetimeMs: 3_600_000, enabled: true, afterRegistration: true },
      recovery: { lifetimeMs: 3_600_000, enabled: true, sessionAtOnce: false },
      settings: { lifetimeMs: 3_600_000, privilegedMs: 900_000 },
      code: {
        enabledFor: new Set(["login", "registration", "verification", "recovery", "settings"]),
        length: 6,
        lifetimeMs: 600_000,
        maxTries: 5,
        resendAfterMs: 30_000,
      },
      link: { enabledFor: new Set(), lifetimeMs: 600_000 },
      session: {
        lifetimeMs: 86_400_000,
        maxLifetimeMs: 2_592_000_000,
        idleTimeoutMs: 0,
        maxParallel: 50,
        cookie: { domain: undefined, persistent: true },
      },
      password: {
        minLength: 8,
        maxLength: 256,
        argon2: { memoryKib: 19_456, iterations: 2, parallelism: 1 },
      },
      defaultSchemaId: "default",
      selfServiceSchemaIds: new Set(["default"]),
    });
  });

  test.each([
    [{}, "http://127.0.0.1:5555"],
    [{ OSTIARY_SERVER_PUBLIC_HOST: "::1" }, "http://[::1]:5555"],
    [{ OSTIARY_SERVER_PUBLIC_HOST: "0.0.0.0", OSTIARY_DEV: "true" }, "http://127.0.0.1:5555"],
    [{ OSTIARY_TENANT_DEFAULTS_PUBLIC_URL: "https://auth.example.com/" }, "https://auth.example.com"],
  ])("with %o the public URL is %s", (environment, expected) => {
    expect(settingsOf(environment, 5555).publicUrl).toBe(expected);
  });

  test("allow the origins of the public URL and of the pages beside those that are listed", () => {
    const { allowedOrigins } = settingsOf({
      OSTIARY_TENANT_DEFAULTS_PUBLIC_URL: "https://auth.example.com",
      OSTIARY_TENANT_DEFAULTS_FLOWS_LOGIN_UI_URL: "https://app.example.com/login?x=1",
      OSTIARY_TENANT_DEFAULTS_ALLOWED_ORIGINS: "https://Other.example.com:443/,http://localhost:3000",
    });
    expect([...allowedOrigins].sort()).toEqual([
      "http://localhost:3000",
      "https://app.example.com",
      "https://auth.example.com",
      "https://other.example.com",
    ]);
  });

  test("name the first schema the default one, and those that people can choose", () => {
    const schemas = [
      { id: "staff", document: {}, self_service: false },
      { id: "customer", document: {} },
    ];
    const environment = { OSTIARY_TENANT_DEFAULTS_IDENTITY_SCHEMAS: JSON.stringify(schemas) };
    expect(settingsOf(environment)).toMatchObject({
      defaultSchemaId: "staff",
      selfServiceSchemaIds: new Set(["customer"]),
    });
  });
});
