import { describe, expect, test } from "vitest";
import { courierModeOf, mayServeMailbox } from "./check-courier.ts";
import { loadConfig } from "./load-config.ts";

const secret = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;

function load(environment: Record<string, string>) {
  return loadConfig({ environment, flags: {} });
}

function refusal(environment: Record<string, string>): string {
  try {
    load(environment);
  } catch (error) {
    return String(error);
  }
  return "";
}

const smtp = {
  OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_SMTP_URL: "smtp://user:hunter2@mail.example.com:587",
  OSTIARY_TENANT_DEFAULTS_COURIER_FROM_ADDRESS: "no-reply@example.com",
};

describe("where messages go", () => {
  const elsewhere = { OSTIARY_TENANT_DEFAULTS_PUBLIC_URL: "https://id.example.com" };
  const external = { OSTIARY_DATABASE_URL: "postgresql://db.example.com/ostiary?sslmode=verify-full" };
  const sealing = { OSTIARY_SECRETS_SEALING: JSON.stringify(["s".repeat(32)]) };
  test.each([
    ["nothing is configured", {}, "mailbox", true],
    ["a public URL elsewhere", elsewhere, "none", false],
    ["a listener beyond loopback", { ...elsewhere, OSTIARY_SERVER_PUBLIC_HOST: "0.0.0.0" }, "none", false],
    ["an external database", { ...external, ...sealing }, "none", false],
    ["an external database in development", { ...external, OSTIARY_DEV: "true" }, "mailbox", true],
    ["a public URL elsewhere in development", { ...elsewhere, OSTIARY_DEV: "true" }, "mailbox", false],
    ["an SMTP server", smtp, "providers", false],
  ] as const)("%s", (_name, environment, mode, page) => {
    const { config } = load(environment);
    expect(courierModeOf(config)).toBe(mode);
    expect(mayServeMailbox(config)).toBe(page);
  });
});

describe("with nothing to send with", () => {
  const elsewhere = { OSTIARY_TENANT_DEFAULTS_PUBLIC_URL: "https://id.example.com" };
  const onlySms = {
    OSTIARY_TENANT_DEFAULTS_COURIER_SMS_HTTP_URL: "https://sms.example.com",
    OSTIARY_TENANT_DEFAULTS_COURIER_SMS_COUNTRIES: "DE",
    OSTIARY_TENANT_DEFAULTS_COURIER_SMS_HTTP_SIGNING_SECRETS: JSON.stringify([secret]),
  };
  const off = {
    OSTIARY_TENANT_DEFAULTS_FLOWS_VERIFICATION_ENABLED: "false",
    OSTIARY_TENANT_DEFAULTS_FLOWS_RECOVERY_ENABLED: "false",
    OSTIARY_TENANT_DEFAULTS_CODE_LOGIN: "false",
    OSTIARY_TENANT_DEFAULTS_CODE_REGISTRATION: "false",
  };
  test.each([
    ["without anything to send with", elsewhere, ["switched off"]],
    ["with text messages alone", { ...elsewhere, ...onlySms }, ["mail waits"]],
    ["with all of them off", { ...elsewhere, ...off }, []],
    ["with the mailbox", {}, []],
    ["with an SMTP server", { ...elsewhere, ...smtp }, []],
  ] as const)("the operator is told what that means: %s", (_name, environment, said) => {
    const told = load(environment).warnings.filter((line) => line.includes("tenant_defaults.courier"));
    expect(told).toEqual(said.map((words) => expect.stringContaining(words)));
  });

  test.each([
    ["FLOWS_VERIFICATION_ENABLED", "flows.verification.enabled", "true"],
    ["FLOWS_RECOVERY_ENABLED", "flows.recovery.enabled", "true"],
    ["FLOWS_REGISTRATION_ADDRESS_PROOF", "flows.registration.address_proof", "before_session"],
    ["CODE_LOGIN", "code.login", "true"],
    ["CODE_REGISTRATION", "code.registration", "true"],
    ["LINK_ENABLED", "link.enabled", "true"],
  ])("%s is refused when it is switched on", (variable, key, value) => {
    const wish = { [`OSTIARY_TENANT_DEFAULTS_${variable}`]: value };
    const place = `tenant_defaults.${key} (OSTIARY_TENANT_DEFAULTS_${variable}): sends messages`;
    expect(refusal({ ...elsewhere, ...wish })).toContain(place);
    expect(refusal({ ...elsewhere, ...wish, ...smtp })).toBe("");
    expect(refusal(wish)).toBe("");
  });
});

describe("refused is", () => {
  const http = {
    OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_HTTP_URL: "https://mail.example.com/send",
    OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_HTTP_SIGNING_SECRETS: JSON.stringify([secret]),
  };
  test.each([
    ["mail by two ways", { ...smtp, ...http }, "courier.email.http (OSTIARY_"],
    ["mail without a sender", http, "courier.from_address"],
    [
      "a sender's name that begins another header (SR-MAIL-1)",
      { ...smtp, OSTIARY_TENANT_DEFAULTS_BRANDING_NAME: "Us\r\nBcc: x@example.com" },
      "branding.name",
    ],
    [
      "an endpoint without encryption beyond this machine",
      {
        ...http,
        OSTIARY_TENANT_DEFAULTS_COURIER_FROM_ADDRESS: "a@example.com",
        OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_HTTP_URL: "http://mail.example.com",
      },
      "courier.email.http.url",
    ],
    [
      "a signing secret of another form",
      { ...http, OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_HTTP_SIGNING_SECRETS: JSON.stringify(["short"]) },
      "courier.email.http.signing_secrets[0]",
    ],
    [
      "an SMTP URL of another form",
      { ...smtp, OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_SMTP_URL: "mail.example.com:25" },
      "courier.email.smtp.url",
    ],
    [
      "an SMTP server that is named twice",
      { ...smtp, OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_SMTP_HOST: "mail.example.com" },
      "courier.email.smtp.host (OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_SMTP_HOST): must not be there together with",
    ],
    [
      "reports of mail where none is sent",
      {
        OSTIARY_TENANT_DEFAULTS_COURIER_REPORTS_SES_TOPIC_ARNS: JSON.stringify([
          "arn:aws:sns:eu-central-1:123456789012:mail",
        ]),
      },
      "courier.reports",
    ],
    [
      "a topic that is none",
      { ...smtp, OSTIARY_TENANT_DEFAULTS_COURIER_REPORTS_SES_TOPIC_ARNS: JSON.stringify(["mail"]) },
      "courier.reports.ses.topic_arns[0]",
    ],
    [
      "a verification key that is none",
      { ...smtp, OSTIARY_TENANT_DEFAULTS_COURIER_REPORTS_SENDGRID_PUBLIC_KEY: "AAAA" },
      "courier.reports.sendgrid.public_key",
    ],
    [
      "reports of Postmark without a password",
      { ...smtp, OSTIARY_TENANT_DEFAULTS_COURIER_REPORTS_POSTMARK_USER: "postmark" },
      "courier.reports.postmark.password",
    ],
    [
      "a password of reports that can be guessed (SR-MAIL-9)",
      {
        ...smtp,
        OSTIARY_TENANT_DEFAULTS_COURIER_REPORTS_POSTMARK_USER: "postmark",
        OSTIARY_TENANT_DEFAULTS_COURIER_REPORTS_POSTMARK_PASSWORD: "short",
      },
      "courier.reports.postmark.password",
    ],
    [
      "a password beside the URL",
      { ...smtp, OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_SMTP_PASSWORD: "hunter2" },
      "courier.email.smtp.password",
    ],
    [
      "implicit TLS beside the URL",
      { ...smtp, OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_SMTP_IMPLICIT_TLS: "false" },
      "courier.email.smtp.implicit_tls",
    ],
    [
      "an SMTP server without a name",
      { OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_SMTP_PORT: "25" },
      "needs url or host",
    ],
    [
      "an SMTP server with its port in the name",
      { OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_SMTP_HOST: "mail.example.com:25" },
      "courier.email.smtp.host",
    ],
    [
      "a user without a password",
      {
        OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_SMTP_HOST: "mail.example.com",
        OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_SMTP_USER: "courier",
      },
      "courier.email.smtp.user (OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_SMTP_USER): needs",
    ],
    [
      "a password without a user",
      {
        OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_SMTP_HOST: "mail.example.com",
        OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_SMTP_PASSWORD: "hunter2",
      },
      "courier.email.smtp.password (OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_SMTP_PASSWORD): needs",
    ],
    [
      "a password that is a stray percent sign in the URL",
      { ...smtp, OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_SMTP_URL: "smtp://user:100%sure@127.0.0.1:2599" },
      "courier.email.smtp.url (OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_SMTP_URL): has characters",
    ],
    [
      "a template folder that is not there",
      { OSTIARY_TENANT_DEFAULTS_COURIER_TEMPLATE_DIRECTORY: "/nowhere" },
      "courier.template_directory",
    ],
  ] as const)("%s", (_name, environment, key) => {
    expect(refusal(environment)).toContain(key);
  });
});

describe("the SMTP server by its own keys", () => {
  const prefix = "OSTIARY_TENANT_DEFAULTS_COURIER_";
  const password = "100%s/u#r?e@,[p+w";
  test.each([
    ["", "", 587, false],
    ["465", "", 465, true],
    ["", "true", 465, true],
    ["465", "false", 465, false],
    ["2525", "", 2525, false],
    ["2525", "true", 2525, true],
  ] as const)("port %j and implicit_tls %j", (givenPort, givenTls, port, implicitTls) => {
    const { secrets } = load({
      [`${prefix}FROM_ADDRESS`]: "no-reply@example.com",
      [`${prefix}EMAIL_SMTP_HOST`]: "mail.example.com",
      [`${prefix}EMAIL_SMTP_PORT`]: givenPort,
      [`${prefix}EMAIL_SMTP_IMPLICIT_TLS`]: givenTls,
      [`${prefix}EMAIL_SMTP_USER`]: "us@er%",
      [`${prefix}EMAIL_SMTP_PASSWORD`]: password,
    });
    expect(secrets.smtpServer()).toMatchObject({ host: "mail.example.com", port, implicitTls });
    expect(secrets.smtpServer()?.login?.user).toBe("us@er%");
    expect(secrets.smtpServer()?.login?.password.reveal()).toBe(password);
  });
});

// Security rule (SR-SECRET-1): the objects that are printed and passed around hold no password.
test("the SMTP server's password is in no configuration that is passed around", () => {
  const { config, secrets } = load(smtp);
  expect(
    JSON.stringify(config, (_, value) => (typeof value === "bigint" ? `${value}` : value)),
  ).not.toContain("hunter2");
  expect(secrets.smtpServer()?.login?.password.reveal()).toBe("hunter2");
});

// Security rule (SR-SMS-3): text messages go nowhere unless the configuration says so.
describe("text messages (SR-SMS-3)", () => {
  const provider = {
    OSTIARY_TENANT_DEFAULTS_COURIER_SMS_HTTP_URL: "https://sms.example.com",
    OSTIARY_TENANT_DEFAULTS_COURIER_SMS_HTTP_SIGNING_SECRETS: JSON.stringify([secret]),
  };
  const countries = { OSTIARY_TENANT_DEFAULTS_COURIER_SMS_COUNTRIES: "DE,AT" };
  const factor = { OSTIARY_TENANT_DEFAULTS_SMS_FACTOR_ENABLED: "true" };
  const elsewhere = { OSTIARY_TENANT_DEFAULTS_PUBLIC_URL: "https://id.example.com" };

  test("need a list of countries where a provider sends them", () => {
    expect(refusal(provider)).toContain("tenant_defaults.courier.sms.countries");
    expect(refusal({ ...provider, ...countries })).toBe("");
    expect(refusal({ ...provider, OSTIARY_TENANT_DEFAULTS_COURIER_SMS_COUNTRIES: "germany" })).toContain(
      "tenant_defaults.courier.sms.countries",
    );
  });

  test("as second factor need something that sends them", () => {
    expect(refusal({ ...elsewhere, ...factor })).toContain("tenant_defaults.sms_factor.enabled");
    expect(refusal({ ...smtp, ...factor })).toContain("tenant_defaults.sms_factor.enabled");
    expect(refusal({ ...elsewhere, ...provider, ...countries, ...factor })).toBe("");
    expect(refusal(factor)).toBe("");
  });
});
