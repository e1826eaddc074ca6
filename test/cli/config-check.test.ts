import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runInProcess, runOstiary } from "./run-ostiary.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "ostiary-check-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const settings = "OSTIARY_TENANT_DEFAULTS_";
const sender = { [`${settings}COURIER_FROM_ADDRESS`]: "no-reply@example.com" };
const signing = (channel: string) => ({
  [`${settings}COURIER_${channel}_SIGNING_SECRETS`]: `whsec_${Buffer.alloc(24, 7).toString("base64")}`,
});

const providers = (given: object) => ({
  [`${settings}OIDC_PROVIDERS`]: JSON.stringify([
    { id: "one", client_id: "c", client_secret: "hunter2", ...given },
  ]),
});

/** What `config check` once called OK, while `serve` refused it, ended by it or did something else. */
const lies: readonly (readonly [string, Record<string, string>, string])[] = [
  [
    "an SMTP URL with a stray percent sign",
    { ...sender, [`${settings}COURIER_EMAIL_SMTP_URL`]: "smtp://user:100%hunter2@127.0.0.1:2599" },
    "tenant_defaults.courier.email.smtp.url",
  ],
  [
    "a database URL with an authority that is not there",
    {
      OSTIARY_DATABASE_URL:
        "postgresql://u:hunter2@127.0.0.1:1/db?sslmode=verify-full&sslrootcert=/nowhere/ca.crt",
      OSTIARY_SECRETS_SEALING: "s".repeat(32),
    },
    "database.url",
  ],
  [
    "a misspelt parameter of the database URL",
    {
      OSTIARY_DATABASE_URL: "postgresql://u:hunter2@127.0.0.1:1/db?sslmod=verify-full",
      OSTIARY_SECRETS_SEALING: "s".repeat(32),
    },
    "database.url",
  ],
  [
    "a template that is none",
    { [`${settings}COURIER_TEMPLATE_DIRECTORY`]: "mails" },
    "tenant_defaults.courier.template_directory",
  ],
  [
    "a language without templates",
    { [`${settings}COURIER_DEFAULT_LANGUAGE`]: "fr" },
    "tenant_defaults.courier.default_language",
  ],
  [
    "a data directory that is a file",
    { OSTIARY_DATABASE_DATA_DIRECTORY: "file/data" },
    "database.data_directory",
  ],
  ["an exporter that is none", { OTEL_TRACES_EXPORTER: "zipkin" }, "OTEL_TRACES_EXPORTER"],
  [
    "a collector that is no URL",
    { OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318:x" },
    "OTEL_EXPORTER_OTLP_ENDPOINT",
  ],
  [
    "a provider at a port that is never called",
    {
      ...sender,
      ...signing("EMAIL_HTTP"),
      [`${settings}COURIER_EMAIL_HTTP_URL`]: "https://mail.example.com:8443/send",
    },
    "tenant_defaults.courier.email.http.url",
  ],
  [
    "a provider on a private network that is never called",
    {
      ...signing("SMS_HTTP"),
      [`${settings}COURIER_SMS_HTTP_URL`]: "https://10.1.2.3/send",
      [`${settings}COURIER_SMS_COUNTRIES`]: "DE",
    },
    "tenant_defaults.courier.sms.http.url",
  ],
  [
    "an OAuth2 server on a private network that is never called",
    {
      [`${settings}OAUTH2_PROVIDER_ADMIN_URL`]: "https://10.1.2.3:4445",
      [`${settings}OAUTH2_PROVIDER_PUBLIC_URL`]: "https://oauth2.example.com",
    },
    "tenant_defaults.oauth2_provider.admin_url",
  ],
  [
    "a service for breached passwords that is never called",
    {
      [`${settings}PASSWORD_BREACH_CHECK_ENABLED`]: "true",
      OSTIARY_SERVER_OUTBOUND_BREACHED_PASSWORDS_URL: "http://localhost/",
    },
    "server.outbound.breached_passwords.url",
  ],
  [
    "an issuer on this machine that is never called",
    providers({ issuer: "http://localhost/" }),
    "tenant_defaults.oidc.providers[0].issuer (OSTIARY_TENANT_DEFAULTS_OIDC_PROVIDERS): localhost is not public: list it in server.outbound.allowed_private_hosts",
  ],
  [
    "an issuer on a private network that is never called",
    providers({ preset: "keycloak", domain: "10.1.2.3/realms/main" }),
    "tenant_defaults.oidc.providers[0].issuer (OSTIARY_TENANT_DEFAULTS_OIDC_PROVIDERS): 10.1.2.3 is not public",
  ],
  [
    "an issuer at a port that is never called",
    providers({ issuer: "https://idp.example.com:8443" }),
    "port 8443 of idp.example.com is not called: list it in server.outbound.extra_ports",
  ],
  [
    "a token endpoint that is never called",
    providers({ preset: "github", token_url: "https://10.1.2.3/token" }),
    "tenant_defaults.oidc.providers[0].token_url",
  ],
  [
    "an account of a provider that is never read",
    providers({ preset: "github", userinfo_url: "https://10.1.2.3/user" }),
    "tenant_defaults.oidc.providers[0].userinfo_url",
  ],
  [
    "an identity schema with a look-ahead",
    { [`${settings}IDENTITY_SCHEMAS`]: "[{id: person, file: person.json}]" },
    "tenant_defaults.identity.schemas[0].file",
  ],
  [
    "a time-out that Node cannot count",
    { OSTIARY_DATABASE_ACQUIRE_TIMEOUT: "30d" },
    "database.acquire_timeout",
  ],
  [
    "a first pause beyond the longest one",
    { [`${settings}COURIER_RETRY_FIRST_DELAY`]: "1h", [`${settings}COURIER_RETRY_MAX_DELAY`]: "1s" },
    "tenant_defaults.courier.retry.first_delay",
  ],
];

describe("what config check says is what serve says, before anything is made", () => {
  test.each(lies)("%s", async (_, environment, key) => {
    mkdirSync(join(directory, "mails/en"), { recursive: true });
    writeFileSync(join(directory, "mails/en/login_code.text.liquid"), "{% if %}");
    writeFileSync(join(directory, "file"), "");
    writeFileSync(
      join(directory, "person.json"),
      JSON.stringify({ properties: { a: { pattern: "(?=a)" } } }),
    );
    const before = readdirSync(directory);
    const check = await runInProcess(["config", "check"], { directory, environment });
    expect(check).toMatchObject({ code: 1, stdout: "" });
    expect(check.stderr).toMatch(/^ostiary: [^\n]+\n$/);
    expect(check.stderr).toContain(key);
    expect(check.stderr).not.toContain("hunter2");
    expect(await runInProcess(["serve"], { directory, environment })).toEqual(check);
    expect(readdirSync(directory)).toEqual(before);
  });

  test("also in processes of their own, where nothing is logged either", async () => {
    const environment = { OTEL_TRACES_EXPORTER: "zipkin" };
    const [check, serve] = await Promise.all(
      [["config", "check"], ["serve"]].map((words) => runOstiary(words, { directory, environment })),
    );
    expect(check).toMatchObject({ code: 1, stdout: "" });
    expect(check?.stderr).toMatch(/^ostiary: [^\n]*OTEL_TRACES_EXPORTER[^\n]*\n$/);
    expect(serve).toEqual(check);
  });
});

test("several problems of files and URLs are all named", async () => {
  const environment = { OTEL_TRACES_EXPORTER: "zipkin", [`${settings}COURIER_DEFAULT_LANGUAGE`]: "fr" };
  const { stderr } = await runInProcess(["config", "check"], { directory, environment });
  expect(stderr.trimEnd().split("\n")).toHaveLength(2);
});
