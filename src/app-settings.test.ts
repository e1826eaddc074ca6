import { describe, expect, test } from "vitest";
import { otherLoopbackAddress, pagesWanted, toTenantSettings } from "./app-settings.ts";
import { loadConfig } from "./config/load-config.ts";

function settingsOf(environment: Record<string, string>, port = 4433) {
  return toTenantSettings(loadConfig({ environment, flags: {} }), port);
}

const noColors = { primary: "", onPrimary: "", background: "", text: "" };

describe("the settings of the tenant", () => {
  test("have the addresses of the branding in full, and its colours in lower case", () => {
    const prefix = "OSTIARY_TENANT_DEFAULTS_";
    const { branding } = settingsOf({
      [`${prefix}PUBLIC_URL`]: "https://id.example.com",
      [`${prefix}BRANDING_LOGO_URL`]: "/logo.svg",
      [`${prefix}BRANDING_TERMS_URL`]: "https://example.com/terms",
      [`${prefix}BRANDING_COLORS_PRIMARY`]: "#1A56DB",
    });
    expect(branding).toMatchObject({
      logoUrl: "https://id.example.com/logo.svg",
      termsUrl: "https://example.com/terms",
      colors: { ...noColors, primary: "#1a56db" },
    });
  });

  test.each<[string, Record<string, string>, string]>([
    ["with nothing configured", {}, "http://localhost:5000/mailbox"],
    [
      "behind something else on this machine, past that",
      { TENANT_DEFAULTS_PUBLIC_URL: "http://localhost:3000" },
      "http://127.0.0.1:5000/mailbox",
    ],
    ["with a public URL", { TENANT_DEFAULTS_PUBLIC_URL: "https://id.example.com", DEV: "true" }, ""],
    [
      "with a mail server",
      {
        TENANT_DEFAULTS_COURIER_EMAIL_SMTP_URL: "smtp://127.0.0.1:25",
        TENANT_DEFAULTS_COURIER_FROM_ADDRESS: "a@example.com",
        DEV: "true",
      },
      "",
    ],
    [
      "with a database of its own",
      {
        DATABASE_URL: "postgres://127.0.0.1/ostiary",
        SECRETS_SEALING: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      },
      "",
    ],
  ])("have the development mailbox's address where there is one (SR-MAIL-5): %s", (_, values, expected) => {
    const environment = Object.entries(values).map(([key, value]) => [`OSTIARY_${key}`, value]);
    expect(settingsOf(Object.fromEntries(environment), 5000).mailboxUrl).toBe(expected);
  });

  test("are those of the configuration, in milliseconds", () => {
    expect(settingsOf({})).toEqual({
      publicUrl: "http://localhost:4433",
      allowedOrigins: new Set(["http://localhost:4433"]),
      protectedHosts: [],
      nativeOrigins: new Set(),
      allowedReturnUrls: new Set(),
      defaultReturnUrl: undefined,
      branding: {
        ...{ name: "Ostiary", logoUrl: "", logoDarkUrl: "", faviconUrl: "" },
        ...{ colors: noColors, darkColors: noColors },
        ...{ termsUrl: "", privacyUrl: "", supportUrl: "", supportEmail: "" },
      },
      mailboxUrl: "http://localhost:4433/mailbox",
      uiUrls: {
        login: undefined,
        registration: undefined,
        verification: undefined,
        recovery: undefined,
        settings: undefined,
      },
      login: { lifetimeMs: 3_600_000, style: "one_step", newDeviceNotice: true },
      registration: {
        lifetimeMs: 3_600_000,
        mode: "open",
        addressProof: "none",
        style: "one_step",
        invitationLifetimeMs: 604_800_000,
      },
      verification: { lifetimeMs: 3_600_000, enabled: true, afterRegistration: true },
      recovery: { lifetimeMs: 3_600_000, enabled: true, sessionAtOnce: false, holdMs: 0 },
      settings: {
        lifetimeMs: 3_600_000,
        privilegedMs: 900_000,
        accountDeletion: { enabled: false, graceMs: 2_592_000_000 },
      },
      code: {
        enabledFor: new Set(["login", "registration", "verification", "recovery", "settings"]),
        length: 6,
        lifetimeMs: 600_000,
        maxTries: 5,
        resendAfterMs: 30_000,
      },
      link: { enabledFor: new Set(), lifetimeMs: 600_000 },
      secondFactor: { policy: "required_if_enrolled", graceMs: 0 },
      terms: [],
      totp: { enabled: true },
      providers: [],
      nativeReturnUrls: new Set(),
      postLogoutRedirectUrls: [],
      backupCode: { enabled: true, count: 12 },
      smsFactor: { enabled: false, countsAsAal2: false },
      // The mailbox sends nothing, so it takes all.
      sms: { countries: undefined, dailyBudget: 1000 },
      passkey: {
        ...{
          enabled: true,
          rpId: "localhost",
          rpName: "Ostiary",
          userVerification: "preferred",
          useAs: "either",
        },
        offerAfterLogin: true,
        ...{ origins: ["http://localhost:4433"], relatedOrigins: [], appleApps: [], androidApps: [] },
      },
      session: {
        lifetimeMs: 86_400_000,
        maxLifetimeMs: 2_592_000_000,
        idleTimeoutMs: 0,
        aal2: { maxLifetimeMs: 86_400_000, idleTimeoutMs: 3_600_000 },
        maxParallel: 50,
        cookie: { name: "ostiary_session", domain: undefined, persistent: true },
      },
      signedTokens: {
        audiences: [],
        issuer: "http://localhost:4433",
        lifetimeMs: 300_000,
        algorithm: "ES256",
        keyRotationMs: 720 * 3_600_000,
        templates: new Map(),
      },
      password: {
        enabled: true,
        minLength: 8,
        maxLength: 256,
        argon2: { memoryKib: 19_456, iterations: 2, parallelism: 1 },
        breachCheck: { enabled: false, minCount: 1, atLogin: "before_session", whenUnavailable: "accept" },
      },
      enumerationSafe: true,
      throttle: {
        enabled: true,
        deviceLifetimeMs: 180 * 86_400_000,
        unlistedProxyFactor: 10,
        limits: {
          account: { count: 10, periodMs: 600_000 },
          account_daily: { count: 100, periodMs: 86_400_000 },
          device: { count: 10, periodMs: 600_000 },
          device_daily: { count: 100, periodMs: 86_400_000 },
          address: { count: 100, periodMs: 600_000 },
          flow: { count: 30, periodMs: 600_000 },
          registration: { count: 100, periodMs: 3_600_000 },
          identity_daily: { count: 100, periodMs: 86_400_000 },
          recipient: { count: 5, periodMs: 600_000 },
          recipient_daily: { count: 30, periodMs: 86_400_000 },
          recipient_total: { count: 100, periodMs: 86_400_000 },
          own_recipient: { count: 5, periodMs: 600_000 },
          own_recipient_daily: { count: 30, periodMs: 86_400_000 },
          own_recipient_total: { count: 100, periodMs: 86_400_000 },
          holder_messages: { count: 30, periodMs: 86_400_000 },
          own_messages: { count: 30, periodMs: 86_400_000 },
          mailbox: { count: 100, periodMs: 86_400_000 },
          registration_mailbox: { count: 30, periodMs: 86_400_000 },
          sending: { count: 60, periodMs: 3_600_000 },
          wrong_codes: { count: 100, periodMs: 365 * 86_400_000 },
          own_wrong_codes: { count: 100, periodMs: 365 * 86_400_000 },
          flow_create: { count: 300, periodMs: 60_000 },
          flow_submit: { count: 600, periodMs: 60_000 },
          self_service: { count: 600, periodMs: 60_000 },
          failed_authentication: { count: 1000, periodMs: 60_000 },
        },
      },
      defaultSchemaId: "default",
      selfServiceSchemaIds: new Set(["default"]),
      defaultCountry: "",
    });
  });

  const external = {
    OSTIARY_DATABASE_URL: "postgresql://db.internal/ostiary?sslmode=verify-full",
    OSTIARY_SECRETS_SEALING: "s".repeat(32),
  };

  test.each([
    [{}, "http://localhost:5555"],
    [{ OSTIARY_SERVER_PUBLIC_HOST: "::1" }, "http://localhost:5555"],
    [external, "http://127.0.0.1:5555"],
    [{ ...external, OSTIARY_SERVER_PUBLIC_HOST: "::1" }, "http://[::1]:5555"],
    [{ OSTIARY_SERVER_PUBLIC_HOST: "0.0.0.0", OSTIARY_DEV: "true" }, "http://127.0.0.1:5555"],
    [{ OSTIARY_TENANT_DEFAULTS_PUBLIC_URL: "https://auth.example.com/" }, "https://auth.example.com"],
  ])("with %o the public URL is %s", (environment, expected) => {
    expect(settingsOf(environment, 5555).publicUrl).toBe(expected);
  });

  test.each([
    [{}, "::1"],
    [{ OSTIARY_SERVER_PUBLIC_HOST: "127.0.0.2" }, "::1"],
    [{ OSTIARY_SERVER_PUBLIC_HOST: "::1" }, "127.0.0.1"],
    [{ OSTIARY_SERVER_PUBLIC_HOST: "localhost" }, undefined],
    [{ OSTIARY_TENANT_DEFAULTS_PUBLIC_URL: "http://localhost:4433" }, undefined],
    [external, undefined],
  ])("with %o the listener has %s as well", (environment, expected) => {
    expect(otherLoopbackAddress(loadConfig({ environment, flags: {} }).config)).toBe(expected);
  });

  const breachCheck = "OSTIARY_TENANT_DEFAULTS_PASSWORD_BREACH_CHECK";

  test.each<[string, Record<string, string>, boolean]>([
    ["nothing configured", {}, false],
    ["development mode", { ...external, OSTIARY_DEV: "true" }, false],
    ["an external database", external, true],
    ["a public URL", { OSTIARY_TENANT_DEFAULTS_PUBLIC_URL: "https://auth.example.com" }, true],
    ["a URL on this machine", { OSTIARY_TENANT_DEFAULTS_PUBLIC_URL: "http://localhost:4433" }, false],
    [
      "an open listener",
      { OSTIARY_SERVER_PUBLIC_HOST: "::", OSTIARY_TENANT_DEFAULTS_PUBLIC_URL: "https://a.test" },
      true,
    ],
    ["nothing but the wish for it", { [`${breachCheck}_ENABLED`]: "true" }, true],
    [
      "an external database and the wish against it",
      { ...external, [`${breachCheck}_ENABLED`]: "false" },
      false,
    ],
  ])("with %s, whether breached passwords are looked up is %s", (_name, environment, expected) => {
    expect(settingsOf(environment).password.breachCheck.enabled).toBe(expected);
  });

  const courier = {
    OSTIARY_TENANT_DEFAULTS_COURIER_FROM_ADDRESS: "no-reply@example.com",
    OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_SMTP_URL: "smtps://mail.example.com",
  };
  const all = ["login", "recovery", "registration", "settings", "verification"];
  test.each<[string, Record<string, string>, boolean, readonly string[]]>([
    ["the development mailbox", {}, true, all],
    ["an external database and no courier", external, false, []],
    ["an external database and a courier", { ...external, ...courier }, true, all],
    [
      "a courier and codes for signing in switched off",
      { ...external, ...courier, OSTIARY_TENANT_DEFAULTS_CODE_LOGIN: "false" },
      true,
      all.filter((flow) => flow !== "login"),
    ],
  ])("with %s, what sends is offered accordingly", (_name, environment, isOn, flows) => {
    const { verification, recovery, code } = settingsOf(environment);
    expect([verification.enabled, recovery.enabled]).toEqual([isOn, isOn]);
    expect([...code.enabledFor].sort()).toEqual(flows);
  });

  test("say what happens to passwords that cannot be looked up", () => {
    const environment = { [`${breachCheck}_WHEN_UNAVAILABLE`]: "refuse", [`${breachCheck}_MIN_COUNT`]: "10" };
    expect(settingsOf(environment).password.breachCheck).toMatchObject({
      minCount: 10,
      whenUnavailable: "refuse",
    });
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

describe("the server's own pages", () => {
  const external = {
    OSTIARY_DATABASE_URL: "postgresql://localhost/ostiary",
    OSTIARY_SECRETS_SEALING: "s".repeat(32),
  };

  test.each([
    ["nothing configured", {}, "if_built"],
    ["an external database", external, "never"],
    ["an external database in development mode", { ...external, OSTIARY_DEV: "true" }, "if_built"],
    [
      "a listener that others reach",
      {
        OSTIARY_SERVER_PUBLIC_HOST: "0.0.0.0",
        OSTIARY_TENANT_DEFAULTS_PUBLIC_URL: "https://auth.example.com",
      },
      "never",
    ],
    ["an external database and the key", { ...external, OSTIARY_SERVER_UI_ENABLED: "true" }, "always"],
    ["the key switched off", { OSTIARY_SERVER_UI_ENABLED: "false" }, "never"],
  ])("with %s are wanted: %s %s", (_, environment, expected) => {
    expect(pagesWanted(loadConfig({ environment, flags: {} }).config)).toBe(expected);
  });

  test("draw the flows that have no ui_url", () => {
    const environment = { OSTIARY_TENANT_DEFAULTS_FLOWS_LOGIN_UI_URL: "https://app.example.com/login" };
    const settings = toTenantSettings(loadConfig({ environment, flags: {} }), 4433, true);
    expect(settings.uiUrls.login).toBe("https://app.example.com/login");
    expect(settings.uiUrls.registration).toBe("http://localhost:4433/ui/registration");
  });
});
