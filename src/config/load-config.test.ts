import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DescMessage, getOption } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigSchema, optional_section, SecretSchema } from "../../gen/ostiary/config/v1/config_pb.js";
import type { FlagValues } from "./flags.ts";
import { type LoadedConfig, loadConfig } from "./load-config.ts";
import { ConfigError } from "./problems.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "ostiary-config-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

interface Given {
  readonly yaml?: string;
  readonly environment?: Record<string, string>;
  readonly flags?: FlagValues;
}

function load({ yaml, environment = {}, flags = {} }: Given): LoadedConfig {
  if (yaml !== undefined) writeFileSync(join(directory, "ostiary.yaml"), yaml);
  const file = yaml === undefined ? undefined : "ostiary.yaml";
  return loadConfig({ file, environment, flags, workingDirectory: directory });
}

function problemsOf(given: Given): readonly string[] {
  try {
    load(given);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("loading", () => {
  test("works with nothing configured", () => {
    const { config, embedded, warnings } = load({});
    expect(embedded).toBe(true);
    expect(warnings).toEqual([]);
    expect(config.server.public).toMatchObject({ host: "127.0.0.1", port: 4433 });
    expect(config.server.public.tls).toBeUndefined();
    expect(config.database.dataDirectory).toBe(join(directory, ".ostiary"));
    expect(durationMs(config.tenantDefaults.session.maxLifetime)).toBe(30 * 24 * 3600 * 1000);
  });

  test("an empty file is as good as none", () => {
    expect(load({ yaml: "" }).config).toEqual(load({}).config);
    expect(load({ yaml: "server:\n" }).config).toEqual(load({}).config);
  });

  test("leaves no section out, and gives every duration a value", () => {
    const { config } = load({});
    const missing: string[] = [];
    const walk = (schema: DescMessage, value: unknown, path: string) => {
      for (const field of schema.fields) {
        if (field.fieldKind !== "message" || field.oneof !== undefined) continue;
        if (getOption(field, optional_section) || field.message.typeName === SecretSchema.typeName) continue;
        const part = (value as Record<string, unknown>)[field.localName];
        if (part === undefined) missing.push(`${path}.${field.name}`);
        else if (field.message.typeName.startsWith("ostiary."))
          walk(field.message, part, `${path}.${field.name}`);
      }
    };
    walk(ConfigSchema, config, "");
    expect(missing).toEqual([]);
  });

  test("a later place wins, key by key: defaults, file, variable, flag", () => {
    const yaml = "server:\n  public: {port: 1001}\n  admin: {port: 1002}\nlog: {level: warn}";
    const environment = { OSTIARY_SERVER_ADMIN_PORT: "2002", OSTIARY_LOG_LEVEL: "error" };
    const { config, sources } = load({ yaml, environment, flags: { "log.level": "debug" } });
    expect(config.server.public.port).toBe(1001);
    expect(config.server.admin.port).toBe(2002);
    expect(config.log.level).toBe(1);
    expect(config.hashing.queueLimit).toBe(100);
    expect(sources.get("server.public.port")).toEqual({ kind: "file", file: "ostiary.yaml", line: 2 });
    expect(sources.get("server.admin.port")).toEqual({ kind: "variable", name: "OSTIARY_SERVER_ADMIN_PORT" });
    expect(sources.get("log.level")).toEqual({ kind: "flag", name: "--log-level" });
  });

  test("a variable of a section comes before those of its keys", () => {
    const environment = {
      OSTIARY_SERVER_PUBLIC: "{port: 1, host: localhost}",
      OSTIARY_SERVER_PUBLIC_PORT: "2",
    };
    expect(load({ environment }).config.server.public).toMatchObject({ host: "localhost", port: 2 });
  });

  test("an empty variable counts as unset", () => {
    expect(load({ environment: { OSTIARY_SERVER_PUBLIC_PORT: "" } }).config.server.public.port).toBe(4433);
  });

  test("paths start at the file's directory, or at the working directory", () => {
    mkdirSync(join(directory, "etc"));
    const file = join(directory, "etc/ostiary.yaml");
    writeFileSync(file, "database: {data_directory: data}");
    const inFile = loadConfig({ file, environment: {}, flags: {}, workingDirectory: directory });
    expect(inFile.config.database.dataDirectory).toBe(join(directory, "etc/data"));
    expect(inFile.directory).toBe(join(directory, "etc"));
    const environment = { OSTIARY_DATABASE_DATA_DIRECTORY: "data" };
    const inVariable = loadConfig({ file, environment, flags: {}, workingDirectory: directory });
    expect(inVariable.config.database.dataDirectory).toBe(join(directory, "data"));
  });

  test("fills in the defaults of messages within lists", () => {
    const { config } = load({
      yaml: "tenant_defaults: {identity: {schemas: [{id: a, document: {type: object}}]}}",
    });
    expect(config.tenantDefaults.identity.schemas).toMatchObject([
      { id: "a", selfService: true, source: { case: "document", value: { type: "object" } } },
    ]);
  });

  test("freezes everything", () => {
    const { config } = load({
      yaml: "tenant_defaults: {identity: {schemas: [{id: a, document: {b: [c]}}]}}",
    });
    const thawed: string[] = [];
    const walk = (value: unknown, path: string) => {
      if (typeof value !== "object" || value === null) return;
      if (!Object.isFrozen(value)) thawed.push(path);
      for (const [name, part] of Object.entries(value)) walk(part, `${path}.${name}`);
    };
    walk(config, "config");
    expect(thawed).toEqual([]);
    expect(() => Object.assign(config.server.public, { port: 1 })).toThrow(TypeError);
  });
});

describe("a key of an earlier version", () => {
  const prefix = "tenant_defaults";
  test.each([
    [
      "flows: {registration: {enabled: false}}",
      "flows.registration.enabled",
      "flows.registration.mode (open, invitation, closed)",
    ],
    [
      "flows: {registration: {invitation_required: true}}",
      "flows.registration.invitation_required",
      "flows.registration.mode (open, invitation, closed)",
    ],
    ['courier: {smtp: {url: "smtp://127.0.0.1:1"}}', "courier.smtp", "courier.email.smtp"],
    ["courier: {http: {timeout: 1s}}", "courier.http", "courier.email.http"],
    ["courier: {sms: {timeout: 1s}}", "courier.sms.timeout", "courier.sms.http.timeout"],
    ["courier: {from_name: Example}", "courier.from_name", "branding.name"],
  ])("is refused with the one that says it now: %s", (yaml, key, now) => {
    expect(problemsOf({ yaml: `${prefix}: {${yaml}}` })).toEqual([
      `${prefix}.${key} (ostiary.yaml:1): unknown key; did you mean ${prefix}.${now}?`,
    ]);
  });

  test.each([
    ["FLOWS_REGISTRATION_ENABLED", "FLOWS_REGISTRATION_MODE"],
    ["COURIER_SMTP_URL", "COURIER_EMAIL_SMTP_URL"],
    ["COURIER_HTTP_SIGNING_SECRETS", "COURIER_EMAIL_HTTP_SIGNING_SECRETS"],
    ["COURIER_FROM_NAME", "BRANDING_NAME"],
  ])("is refused as a variable as well: %s", (before, now) => {
    const name = `OSTIARY_TENANT_DEFAULTS_${before}`;
    expect(problemsOf({ environment: { [name]: "x" } })).toEqual([
      `${name}: unknown variable; did you mean OSTIARY_TENANT_DEFAULTS_${now}?`,
    ]);
  });
});

test("alternatives exclude each other, also where each comes from another place", () => {
  const yaml = "tenant_defaults: {courier: {from_address: a@example.com, email: {smtp: {host: 127.0.0.1}}}}";
  const environment = { OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_HTTP_TIMEOUT: "1s" };
  expect(load({ yaml }).config.tenantDefaults.courier.email.provider.case).toBe("smtp");
  expect(problemsOf({ yaml, environment })).toEqual([
    "tenant_defaults.courier.email.http (OSTIARY_TENANT_DEFAULTS_COURIER_EMAIL_HTTP_TIMEOUT): must not be there together with tenant_defaults.courier.email.smtp",
  ]);
});

test("an endpoint needs its address", () => {
  const environment = { OSTIARY_TENANT_DEFAULTS_COURIER_SMS_HTTP_TIMEOUT: "1s" };
  expect(problemsOf({ environment })).toContain("tenant_defaults.courier.sms.http.url: must be set");
});

describe("branding", () => {
  const branding = (value: object) => ({ yaml: JSON.stringify({ tenant_defaults: { branding: value } }) });
  test("has a name without any configuration, and takes addresses, paths and colours", () => {
    expect(load({}).config.tenantDefaults.branding.name).toBe("Ostiary");
    const whole = {
      ...{ name: "Acme", logo_url: "/logo.svg", logo_dark_url: "https://cdn.example.com/dark.svg" },
      ...{ favicon_url: "/favicon.ico", colors: { primary: "#1A56db" }, dark_colors: { primary: "#8CB4ff" } },
      ...{ terms_url: "https://example.com/terms", privacy_url: "http://localhost/privacy" },
      ...{ support_url: "/help?from=login", support_email: "help@example.com" },
    };
    expect(problemsOf(branding(whole))).toEqual([]);
  });

  test.each<[object, string]>([
    [{ name: "" }, "name"],
    [{ logo_url: "javascript:alert(1)" }, "logo_url"],
    [{ logo_url: "data:image/svg+xml,x" }, "logo_url"],
    [{ logo_dark_url: "//evil.example.com/logo.svg" }, "logo_dark_url"],
    [{ logo_dark_url: "/\\evil.example.com/logo.svg" }, "logo_dark_url"],
    [{ favicon_url: "favicon.ico" }, "favicon_url"],
    [{ terms_url: "http://example.com/terms" }, "terms_url"],
    [{ privacy_url: "https://user:password@example.com" }, "privacy_url"],
    [{ support_url: "mailto:help@example.com" }, "support_url"],
    [{ support_email: "help" }, "support_email"],
    [{ colors: { primary: "red" } }, "colors.primary"],
    [{ colors: { on_primary: "#fff" } }, "colors.on_primary"],
    [{ colors: { background: "#ffffff;} body{display:none" } }, "colors.background"],
    [{ dark_colors: { text: "rgb(0,0,0)" } }, "dark_colors.text"],
  ])("security rule (SR-PAGES-3): shows nothing but places and colours, not %j", (value, key) => {
    expect(problemsOf(branding(value))).toEqual([
      expect.stringContaining(`tenant_defaults.branding.${key} (ostiary.yaml:1): `),
    ]);
  });
});

describe("what is refused", () => {
  test.each<[string, Given, readonly string[]]>([
    [
      "an unknown key, with the one that was meant",
      { yaml: "log:\n  levle: debug" },
      ["log.levle (ostiary.yaml:2): unknown key; did you mean log.level?"],
    ],
    [
      "a key in camel case",
      { yaml: "tenant_defaults: {publicUrl: x}" },
      ["tenant_defaults.publicUrl (ostiary.yaml:1): unknown key; did you mean tenant_defaults.public_url?"],
    ],
    [
      "a key that belongs elsewhere",
      { yaml: "\npublic_url: x" },
      ["public_url (ostiary.yaml:2): unknown key; did you mean tenant_defaults.public_url?"],
    ],
    [
      "an unknown key within a list",
      { yaml: "secrets:\n  sealing:\n    - {fiel: x}" },
      ["secrets.sealing[0].fiel (ostiary.yaml:3): unknown key; did you mean secrets.sealing[0].file?"],
    ],
    [
      "an unknown variable",
      { environment: { OSTIARY_SERVER_PUBLIC_PROT: "1" } },
      ["OSTIARY_SERVER_PUBLIC_PROT: unknown variable; did you mean OSTIARY_SERVER_PUBLIC_PORT?"],
    ],
    [
      "a value of the wrong type in the file",
      { yaml: 'server: {public: {port: "4433"}}\ndev: 1\nlog: debug\ndatabase: {retention: 60}' },
      [
        "server.public.port (ostiary.yaml:1): must be a whole number",
        "dev (ostiary.yaml:2): must be true or false",
        "log (ostiary.yaml:3): must be a map of keys",
        "database.retention (ostiary.yaml:4): must be a duration such as 500ms, 15m, 1h30m or 7d",
      ],
    ],
    [
      "a value of the wrong type in a variable or a flag",
      { environment: { OSTIARY_DEV: "yes" }, flags: { "server.public.port": "-1" } },
      [
        "dev (OSTIARY_DEV): must be true or false",
        "server.public.port (--public-port): must be a whole number from 0 to 4294967295",
      ],
    ],
    [
      "a value beyond its limits",
      { yaml: "server:\n  public:\n    port: 65536\n    host: a b" },
      [
        "server.public.host (ostiary.yaml:4): must be an IP address or a host name",
        "server.public.port (ostiary.yaml:3): must be less than or equal to 65535",
      ],
    ],
    [
      "an empty section where it would switch TLS on",
      { yaml: "server:\n  public:\n    tls: {}" },
      [
        "server.public.tls.certificate_file (ostiary.yaml:3): must not be empty",
        "server.public.tls.key_file (ostiary.yaml:3): must not be empty",
      ],
    ],
    ["a list at the top", { yaml: "- a" }, ["ostiary.yaml:1: must be a map of keys"]],
    [
      "a level that is none",
      { yaml: "log: {level: trace}" },
      ["log.level (ostiary.yaml:1): must be one of debug, info, warn, error"],
    ],
  ])("%s", (_, given, expected) => {
    expect(problemsOf(given)).toEqual(expected);
  });

  test("a file that is missing, a directory, or not text", () => {
    const open = (file: string) => () =>
      loadConfig({ file, environment: {}, flags: {}, workingDirectory: directory });
    expect(open("none.yaml")).toThrow("none.yaml: the configuration file does not exist");
    mkdirSync(join(directory, "folder"));
    expect(open("folder")).toThrow("folder: the configuration file is a directory");
    writeFileSync(join(directory, "binary.yaml"), Buffer.from([0x61, 0xff, 0xfe]));
    expect(open("binary.yaml")).toThrow("binary.yaml: the configuration file is not UTF-8 text");
  });

  test("a value cannot forge a second line of output", () => {
    const problems = problemsOf({ yaml: '"a\\nb: everything is fine": 1' });
    expect(problems).toHaveLength(1);
    expect(problems[0]).not.toContain("\n");
  });

  test("but not the variables of the test suite, of Kubernetes services, or those a secret refers to", () => {
    const environment = {
      OSTIARY_TEST_ANYTHING: "1",
      OSTIARY_CONFIG: "elsewhere",
      OSTIARY_SERVICE_HOST: "10.0.0.1",
      OSTIARY_SERVICE_PORT: "4433",
      OSTIARY_SERVICE_PORT_HTTP: "4433",
      OSTIARY_PORT: "tcp://10.0.0.1:4433",
      OSTIARY_PORT_4433_TCP: "tcp://10.0.0.1:4433",
      OSTIARY_PORT_4433_TCP_ADDR: "10.0.0.1",
      OSTIARY_SEAL: "s".repeat(32),
    };
    expect(problemsOf({ yaml: "secrets: {sealing: [{env: OSTIARY_SEAL}]}", environment })).toEqual([]);
    expect(problemsOf({ environment: { OSTIARY_PORT: "4433" } })).toHaveLength(1);
  });
});

describe("hostile YAML", () => {
  test.each([
    [
      "a duplicate key",
      "log: {level: info}\nlog: {level: debug}",
      "ostiary.yaml:2: the key log is there twice",
    ],
    ["a tab as indentation", "log:\n\tlevel: info", "ostiary.yaml:2: tabs cannot indent in YAML: use spaces"],
    ["two documents", "dev: false\n---\ndev: true", "ostiary.yaml:2: must be a single YAML document"],
    ["a tag", "dev: !!js/function 'x'", "ostiary.yaml:1: tags (`!name`) are not supported"],
    ["a key that is no text", "? [a]\n: b", "ostiary.yaml:1: keys must be plain text"],
    ["an alias", "log: &a {level: info}\nserver: *a", "ostiary.yaml:2: aliases (`*name`) are not supported"],
  ])("%s is refused with its line", (_, yaml, expected) => {
    const [problem] = problemsOf({ yaml });
    expect(problem).toContain(expected);
  });

  test("a billion laughs are refused before anybody laughs", () => {
    const lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"];
    for (let level = 1; level < 20; level++) {
      lines.push(`a${level}: &a${level} [${`*a${level - 1}, `.repeat(9)}]`);
    }
    expect(problemsOf({ yaml: lines.join("\n") })[0]).toContain("aliases");
  });

  test.each(["[", "{a: ", "- "])("deep nesting with %j is refused", (opening) => {
    expect(problemsOf({ yaml: opening.repeat(20_000) })).toEqual(["ostiary.yaml:1: is nested too deeply"]);
  });

  test("a huge file is refused without being read", () => {
    expect(problemsOf({ yaml: `#${"x".repeat(2 ** 20)}` })).toEqual([
      "ostiary.yaml: is larger than 1048576 bytes",
    ]);
  });

  test("keys that JavaScript gives a meaning are unknown keys", () => {
    expect(problemsOf({ yaml: "__proto__: {dev: true}" })[0]).toContain(
      "__proto__ (ostiary.yaml:1): unknown key",
    );
    expect(problemsOf({ yaml: "constructor: 1" })[0]).toContain("unknown key");
    expect(({} as { dev?: boolean }).dev).toBeUndefined();
  });
});
