import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { loadConfig } from "./load-config.ts";
import { ConfigError } from "./problems.ts";

const directory = mkdtempSync(join(tmpdir(), "ostiary-checks-"));
const file = join(directory, "ostiary.yaml");
const sealing = "s".repeat(32);
const databaseUrl = "postgresql://ostiary:hunter2@db.internal/ostiary?sslmode=verify-full";

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function outcome(config: object): { problems: readonly string[]; warnings: readonly string[] } {
  writeFileSync(file, stringify(config));
  try {
    const { warnings } = loadConfig({ file, environment: {}, flags: {}, workingDirectory: directory });
    return { problems: [], warnings };
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems, warnings: [] };
    throw error;
  }
}

const addressProof = "tenant_defaults.flows.registration.address_proof";

/** What is missing to send mail with is none of it, nor who may register. */
function isAboutSecurity(warning: string): boolean {
  return !warning.startsWith("tenant_defaults.courier:") && !warning.startsWith(addressProof);
}

const publicUrl = { public_url: "https://auth.example.com" };
const settings = (tenantDefaults: object) => ({ tenant_defaults: tenantDefaults });
const oauth2 = (provider: object) => settings({ ...publicUrl, oauth2_provider: provider });
const atOAuth2 = { admin_url: "https://admin.example.com", public_url: "https://oauth2.example.com" };
const argon2 = (memory: number, iterations: number) =>
  settings({ password: { argon2: { memory_kib: memory, iterations } } });

describe("security rule (SR-CONFIG-1): insecure combinations are refused, and are warnings in development mode", () => {
  test.each<[string, object, string]>([
    ["an open admin listener in plain text", { server: { admin: { host: "0.0.0.0" } } }, "server.admin.host"],
    ["an open admin listener on IPv6", { server: { admin: { host: "::" } } }, "server.admin.host"],
    [
      "an open public listener without public_url",
      { server: { public: { host: "0.0.0.0" } } },
      "server.public.host",
    ],
    [
      "an admin API without TLS",
      oauth2({ ...atOAuth2, admin_url: "http://hydra:4445" }),
      "tenant_defaults.oauth2_provider.admin_url",
    ],
    [
      "public_url without TLS",
      settings({ public_url: "http://auth.example.com" }),
      "tenant_defaults.public_url",
    ],
    [
      "an origin without TLS",
      settings({ allowed_origins: ["http://app.example.com"] }),
      "tenant_defaults.allowed_origins[0]",
    ],
    [
      "an origin that only looks like this machine",
      settings({ allowed_origins: ["http://localhost.example.com"] }),
      "tenant_defaults.allowed_origins[0]",
    ],
    [
      "a page without TLS",
      settings({ flows: { login: { ui_url: "http://app.example.com/login" } } }),
      "tenant_defaults.flows.login.ui_url",
    ],
    [
      "a return address without TLS",
      settings({ allowed_return_urls: ["http://app.example.com/"] }),
      "tenant_defaults.allowed_return_urls[0]",
    ],
    [
      "a service for breached passwords without TLS",
      { server: { outbound: { breached_passwords: { url: "http://pwned.internal" } } } },
      "server.outbound.breached_passwords.url",
    ],
    ["short passwords", settings({ password: { min_length: 7 } }), "tenant_defaults.password.min_length"],
    [
      "argon2 with too little memory for 1 pass",
      argon2(47_103, 1),
      "tenant_defaults.password.argon2.memory_kib",
    ],
    ["argon2 with too little memory for 2", argon2(19_455, 2), "tenant_defaults.password.argon2.memory_kib"],
    ["argon2 with too little memory for 3", argon2(12_287, 3), "tenant_defaults.password.argon2.memory_kib"],
    ["argon2 with too little memory for 4", argon2(9215, 4), "tenant_defaults.password.argon2.memory_kib"],
    ["argon2 with too little memory for 9", argon2(7167, 9), "tenant_defaults.password.argon2.memory_kib"],
    ["a short sealing secret", { secrets: { sealing: [sealing, "s".repeat(31)] } }, "secrets.sealing[1]"],
    [
      "a database beyond this machine without TLS",
      {
        database: { url: "postgresql://ostiary:hunter2@db.internal/ostiary" },
        secrets: { sealing: [sealing] },
      },
      "database.url",
    ],
    [
      "a database beyond this machine whose certificate nobody checks",
      {
        database: { url: "postgresql://ostiary:hunter2@db.internal/ostiary?sslmode=no-verify" },
        secrets: { sealing: [sealing] },
      },
      "database.url",
    ],
    ["an external database without sealing secrets", { database: { url: databaseUrl } }, "secrets.sealing"],
  ])("%s", (_, config, key) => {
    const { problems } = outcome(config);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${key.replace(/[[\]]/g, "\\$&")}( \\(|:)`));
    const dev = outcome({ ...config, dev: true });
    expect(dev.problems).toEqual([]);
    expect(dev.warnings.filter(isAboutSecurity)).toEqual(problems);
  });

  test.each<[string, object]>([
    ["argon2 47104/1", argon2(47_104, 1)],
    ["argon2 19456/2", argon2(19_456, 2)],
    ["argon2 12288/3", argon2(12_288, 3)],
    ["argon2 9216/4", argon2(9216, 4)],
    ["argon2 7168/5", argon2(7168, 5)],
    [
      "an open admin listener that somebody takes responsibility for",
      { server: { admin: { host: "0.0.0.0", allow_plain_text_beyond_loopback: true } } },
    ],
    [
      "an open public listener with public_url",
      { server: { public: { host: "::" } }, ...settings(publicUrl) },
    ],
    [
      "plain http on this machine",
      settings({
        public_url: "http://localhost:4433",
        allowed_origins: ["http://127.0.0.1:3000", "http://[::1]:3000", "http://app.localhost"],
      }),
    ],
    [
      "a mirror for breached passwords on this machine",
      {
        server: {
          outbound: {
            allowed_private_hosts: ["localhost:8080", "10.1.2.3", "[::1]:80"],
            extra_ports: [8443],
            breached_passwords: { url: "http://localhost:8080/mirror" },
          },
        },
      },
    ],
    [
      "a database in plain text that somebody takes responsibility for",
      {
        database: {
          url: "postgresql://ostiary:hunter2@db.internal/ostiary",
          allow_plain_text_beyond_loopback: true,
        },
        secrets: { sealing: [sealing] },
      },
    ],
    [
      "a database on this machine",
      {
        database: { url: "postgresql://ostiary:hunter2@localhost/ostiary" },
        secrets: { sealing: [sealing] },
      },
    ],
    [
      "an external database with a secret",
      { database: { url: databaseUrl }, secrets: { sealing: [sealing] } },
    ],
    [
      "addresses of an app",
      settings({ allowed_return_urls: ["com.example.app:/done", "https://app.example.com/a?b=c#d"] }),
    ],
    [
      "a cookie for sibling hosts",
      settings({ ...publicUrl, session: { cookie: { domain: "example.com" } } }),
    ],
  ])("%s is accepted", (_, config) => {
    const { problems, warnings } = outcome(config);
    expect({ problems, warnings: warnings.filter(isAboutSecurity) }).toEqual({ problems: [], warnings: [] });
  });
});

describe("security rule (SR-OWNER-5): a registration that is open to strangers without a proof of the address", () => {
  const told = (tenantDefaults: object) =>
    outcome(settings(tenantDefaults)).warnings.filter((warning) => warning.startsWith(addressProof));
  const courier = {
    email: { smtp: { url: "smtps://mail.example.com" } },
    from_address: "no-reply@example.com",
  };

  test.each([
    ["with nothing else configured", publicUrl],
    ["with the default spelled out", { ...publicUrl, flows: { registration: { address_proof: "none" } } }],
    ["in a network of its own", { public_url: "https://10.0.0.7" }],
  ])("is a warning that names the key on a public URL, %s", (_, tenantDefaults) => {
    expect(told(tenantDefaults)).toEqual([expect.stringContaining("is not before_session")]);
  });

  test.each([
    ["this machine", { public_url: "http://localhost:4433" }],
    ["no public URL", {}],
    [
      "a proof before the session",
      { ...publicUrl, courier, flows: { registration: { address_proof: "before_session" } } },
    ],
    ["registration switched off", { ...publicUrl, flows: { registration: { mode: "closed" } } }],
    ["invitations alone", { ...publicUrl, flows: { registration: { mode: "invitation" } } }],
  ])("is none with %s", (_, tenantDefaults) => {
    expect(outcome(settings(tenantDefaults)).problems).toEqual([]);
    expect(told(tenantDefaults)).toEqual([]);
  });
});

describe("security rule (SR-CONFIG-1): what means no single place is refused in any mode", () => {
  test.each(["login", "registration", "verification", "recovery", "settings"])(
    "the page of %s flows, which links in messages lead to",
    (flow) => {
      const page = settings({ flows: { [flow]: { ui_url: "https://app.example.com/#/page" } } });
      expect(outcome({ dev: true, ...page }).problems).toEqual([
        expect.stringContaining(`tenant_defaults.flows.${flow}.ui_url`),
      ]);
    },
  );

  test.each([
    ["*", "wildcards are not supported"],
    ["https://*.example.com", "wildcards are not supported"],
    ["null", "must not be null"],
    ["https://app.example.com/path", "without a path"],
    ["https://app.example.com?x", "without a path"],
    ["https://user@app.example.com", "must not contain a user name"],
    ["https://app.example.com\\@evil.example", "backslash"],
    ["app.example.com", "must be an absolute URL"],
    ["ftp://app.example.com", "must start with https://"],
    ["", "must not be empty"],
    ["capacitor://localhost", "server.native_origins"],
  ])("the origin %j", (origin, message) => {
    const { problems } = outcome({ dev: true, ...settings({ allowed_origins: [origin] }) });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(message);
  });

  test.each([
    "//app.example.com/",
    "/welcome",
    "https://app.example.com/*",
    "https://@evil.example/",
    "https://app.example.com@evil.example/",
    "https:\\\\evil.example",
    "https:evil.example",
    "https://app.example.com/\r\nX: y",
    "https://app.example.com/\tx",
    "https://app.example.com/\u202egpj",
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "null",
  ])("the return address %j", (url) => {
    expect(outcome({ dev: true, ...settings({ allowed_return_urls: [url] }) }).problems).toHaveLength(1);
    expect(outcome({ dev: true, ...settings({ default_return_url: url }) }).problems.length).toBeGreaterThan(
      0,
    );
  });

  test.each([
    ["com", "top-level"],
    [".example.com", "must be a domain"],
    ["Example.com", "must be a domain"],
    ["127.0.0.1", "must be a domain"],
    ["other.com", "must be auth.example.com"],
    ["h.example.com", "must be auth.example.com"],
    ["xample.com", "must be auth.example.com"],
  ])("the cookie domain %j", (domain, message) => {
    const config = settings({ ...publicUrl, session: { cookie: { domain } } });
    expect(outcome({ dev: true, ...config }).problems[0]).toContain(message);
  });
});

describe("the name of the session cookie", () => {
  test.each([
    "",
    "__Host-acme",
    "__secure-acme",
    "acme session",
    "acme;",
    "acme=",
    "acmé",
    "1a",
    "a".repeat(65),
  ])("is not %j", (name) => {
    const { problems } = outcome({ dev: true, ...settings({ session: { cookie: { name } } }) });
    expect(problems[0]).toContain("tenant_defaults.session.cookie.name");
  });

  test.each(["acme_session", "SID", "a-1"])("may be %j", (name) => {
    expect(outcome({ dev: true, ...settings({ session: { cookie: { name } } }) }).problems).toEqual([]);
  });
});

describe("what cannot work is refused in any mode", () => {
  test.each<[string, object, string]>([
    ["one port for two", { server: { public: { port: 1 }, admin: { port: 1 } } }, "server.admin.port"],
    [
      "a request that has no room in an empty budget",
      { server: { max_request_bytes: 2_000_000, budgets: { request_bytes: 3_999_999 } } },
      "server.budgets.request_bytes",
    ],
    [
      "client certificates that nobody checks",
      { access: { client_certificates: [{ name: "a", subject_alternative_name: "b", scopes: ["*"] }] } },
      "access.client_certificates",
    ],
    [
      "an OAuth2 server without the address of its admin API",
      oauth2({ public_url: "https://oauth2.example.com" }),
      "tenant_defaults.oauth2_provider.public_url",
    ],
    [
      "an OAuth2 server without its origin",
      oauth2({ admin_url: "https://admin.example.com" }),
      "tenant_defaults.oauth2_provider.admin_url",
    ],
    [
      "an OAuth2 server at a path",
      oauth2({ ...atOAuth2, public_url: "https://oauth2.example.com/hydra" }),
      "tenant_defaults.oauth2_provider.public_url",
    ],
    [
      "an admin API with a query",
      oauth2({ ...atOAuth2, admin_url: "https://admin.example.com/?a=b" }),
      "tenant_defaults.oauth2_provider.admin_url",
    ],
    [
      "an API key of two lines",
      oauth2({ ...atOAuth2, api_key: "one\ntwo" }),
      "tenant_defaults.oauth2_provider.api_key",
    ],
    ["a proxy that is none", { server: { trusted_proxies: ["10.0.0.0/33"] } }, "server.trusted_proxies[0]"],
    ...[
      "*",
      "*.internal",
      "http://hooks.internal",
      "10.0.0.0/8",
      "hooks.internal:0",
      "hooks:99999",
      "::1",
    ].map((host): [string, object, string] => [
      `the private host ${host}`,
      { server: { outbound: { allowed_private_hosts: [host] } } },
      "server.outbound.allowed_private_hosts[0]",
    ]),
    ["a port that is none", { server: { outbound: { extra_ports: [0] } } }, "server.outbound.extra_ports[0]"],
    [
      "a service for breached passwords with a query",
      { server: { outbound: { breached_passwords: { url: "https://pwned.example.com/?a=b" } } } },
      "server.outbound.breached_passwords.url",
    ],
    [
      "a session beyond its end",
      settings({ session: { lifetime: "31d" } }),
      "tenant_defaults.session.lifetime",
    ],
    [
      "a password that must be longer than it may",
      settings({ password: { min_length: 100, max_length: 99 } }),
      "tenant_defaults.password.min_length",
    ],
    [
      "lanes without memory",
      settings({ password: { argon2: { memory_kib: 8, parallelism: 2 } } }),
      "tenant_defaults.password.argon2.memory_kib",
    ],
    [
      "two schemas of one name",
      settings({
        identity: {
          schemas: [
            { id: "a", document: {} },
            { id: "a", document: {} },
          ],
        },
      }),
      "tenant_defaults.identity.schemas[1].id",
    ],
    [
      "a default schema that is not there",
      settings({ identity: { default_schema: "b", schemas: [{ id: "a", document: {} }] } }),
      "tenant_defaults.identity.default_schema",
    ],
    [
      "a country that has no telephone numbers",
      settings({ identity: { default_country: "XX" } }),
      "tenant_defaults.identity.default_country",
    ],
    [
      "a schema from a file that is not there",
      settings({ identity: { schemas: [{ id: "a", file: "none.json" }] } }),
      "tenant_defaults.identity.schemas[0].file",
    ],
    [
      "a certificate that is not there",
      { server: { public: { tls: { certificate_file: "none.pem", key_file: "none.key" } } } },
      "server.public.tls.certificate_file",
    ],
    [
      "a client authority without TLS",
      { server: { admin: { client_ca_file: "ca.pem" } } },
      "server.admin.client_ca_file",
    ],
    ["another database's URL", { database: { url: "mysql://a:hunter2@b/c" } }, "database.url"],
    ["a secret variable that is not set", { secrets: { sealing: [{ env: "NONE" }] } }, "secrets.sealing[0]"],
    ["a secret file that is not there", { secrets: { sealing: [{ file: "none" }] } }, "secrets.sealing[0]"],
    ["a secret without a place", { secrets: { sealing: [{}] } }, "secrets.sealing[0].source"],
  ])("%s", (_, config, key) => {
    const { problems } = outcome({ dev: true, ...config });
    expect(problems.map((line) => line.split(" ")[0])).toContain(key);
    expect(problems.join()).not.toContain("hunter2");
  });

  /** @see everit-org/json-schema#157: found only once a database had been made, without file or pointer. */
  test.each<[string, object, string]>([
    [
      "a look-ahead",
      { properties: { handle: { type: "string", pattern: "^(?!.*\\.\\.)[a-z0-9.]{3,20}$" } } },
      "/properties/handle/pattern: the pattern",
    ],
    [
      "a look-ahead where a form never looks",
      { $defs: { unused: { patternProperties: { "(?=a)b": {} } } } },
      "/$defs/unused/patternProperties: the pattern",
    ],
    ["a pattern that is none", { properties: { handle: { pattern: "(" } } }, "/properties/handle/pattern: "],
    [
      "draft-04",
      { $schema: "http://json-schema.org/draft-04/schema#" },
      "/$schema must name draft-07 or 2020-12",
    ],
    ["2019-09", { $schema: "https://json-schema.org/draft/2019-09/schema" }, "/$schema must name"],
    [
      "a reference to elsewhere",
      { properties: { a: { $ref: "https://x.example/y" } } },
      "/properties/a/$ref: only",
    ],
    [
      "a reference to nothing",
      { properties: { a: { $ref: "#/$defs/b" } } },
      "/properties/a/$ref: the reference",
    ],
    ["a type that is none", { properties: { a: { type: "text" } } }, "/properties/a/type must be"],
    [
      "required of draft-04",
      { properties: { a: { required: true } } },
      "/properties/a/required must be array",
    ],
    [
      "required among the properties",
      { properties: { a: {}, required: ["a"] } },
      "/properties/required must be",
    ],
    [
      "an annotation that is none",
      { properties: { a: { ostiary: { identifer: "email" } } } },
      "/properties/a/ostiary",
    ],
  ])("an identity schema with %s: file and pointer are named", (_, document, pointer) => {
    const path = join(directory, "person.json");
    writeFileSync(path, JSON.stringify(document));
    const key = "tenant_defaults.identity.schemas[0]";
    const inFile = outcome(settings({ identity: { schemas: [{ id: "person", file: "person.json" }] } }));
    expect(inFile.problems).toHaveLength(1);
    expect(inFile.problems[0]).toContain(`${key}.file (ostiary.yaml:`);
    expect(inFile.problems[0]).toContain(`the file ${path}: identity schema "person": ${pointer}`);
    const inline = outcome(settings({ identity: { schemas: [{ id: "person", document }] } }));
    expect(inline.problems[0]).toContain(`${key}.document (ostiary.yaml:`);
    expect(inline.problems[0]).toContain(`identity schema "person": ${pointer}`);
  });

  test("what is odd in an identity schema is a warning with its key", () => {
    const schemas = [{ id: "anonymous", document: { type: "object" } }];
    expect(outcome(settings({ identity: { schemas } })).warnings).toEqual([
      expect.stringMatching(
        /^tenant_defaults\.identity\.schemas\[0\]\.document \(ostiary\.yaml:\d+\): identity schema "anonymous": no trait is an identifier/,
      ),
    ]);
  });

  test("a certificate that is no certificate says so in one line", () => {
    for (const name of ["a.pem", "a.key"]) writeFileSync(join(directory, name), "nonsense", { mode: 0o600 });
    const { problems } = outcome({
      server: { public: { tls: { certificate_file: "a.pem", key_file: "a.key" } } },
    });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain("the certificate and the key cannot be used");
  });
});
