import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { loadConfig } from "./load-config.ts";
import { ConfigError } from "./problems.ts";

const directory = mkdtempSync(join(tmpdir(), "ostiary-providers-"));
const file = join(directory, "ostiary.yaml");

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function problemsOf(config: object): readonly string[] {
  writeFileSync(file, stringify(config, { aliasDuplicateObjects: false }));
  try {
    loadConfig({ file, environment: {}, flags: {}, workingDirectory: directory });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

function privateKey(namedCurve: string): string {
  const { privateKey: key } = generateKeyPairSync("ec", { namedCurve });
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

const settings = (oidc: object, others: object = {}) => ({ tenant_defaults: { oidc, ...others } });
const issuer = "https://idp.example.com";
/** A whole provider, changed. */
const one = (change: object = {}) => ({ id: "one", issuer, client_id: "c", client_secret: "s", ...change });
/** The same of a preset, which has its issuer. */
const preset = (name: string, change: object = {}) => one({ issuer: undefined, preset: name, ...change });
const pem = privateKey("P-256");
const apple = (change: object = {}) =>
  preset("apple", {
    ...{ client_secret: undefined, client_key: pem, client_key_id: "K", team_id: "T" },
    ...change,
  });
const endpoints = {
  authorization_url: `${issuer}/authorize`,
  token_url: `${issuer}/token`,
  userinfo_url: `${issuer}/user`,
};
const oauth2 = (change: object = {}) => one({ preset: "oauth2", ...endpoints, ...change });

describe("a configuration of providers", () => {
  test.each<[string, readonly object[], string, string]>([
    ["an id twice", [one(), one({ issuer: "https://b.example.com" })], "providers[1].id", "is there twice"],
    ["a preset with a typing mistake", [preset("gogle")], "providers[0].preset", "did you mean google?"],
    ["an unknown preset", [preset("facebook")], "providers[0].preset", "there is apple, "],
    ["no issuer", [one({ issuer: undefined })], "providers[0].issuer", "must be set"],
    ["no issuer without discovery", [oauth2({ issuer: "" })], "providers[0].issuer", "must be set"],
    ["an issuer without TLS", [one({ issuer: "http://idp.example.com" })], "providers[0].issuer", "https://"],
    ["an issuer with a query", [one({ issuer: `${issuer}?a=b` })], "providers[0].issuer", "no query"],
    [
      "an issuer with a user",
      [one({ issuer: "https://a@b.example.com" })],
      "providers[0].issuer",
      "user name",
    ],
    [
      "an issuer with a wildcard",
      [one({ issuer: "https://*.example.com" })],
      "providers[0].issuer",
      "wildcards",
    ],
    ["an issuer that is none", [one({ issuer: "idp.example.com" })], "providers[0].issuer", "absolute URL"],
    ["no domain", [preset("okta")], "providers[0].domain", "must be set: it is a part of the issuer"],
    [
      "a domain with its scheme",
      [preset("okta", { domain: "https://a.okta.com" })],
      "providers[0].domain",
      "host",
    ],
    ["a domain in capitals", [preset("okta", { domain: "A.okta.com" })], "providers[0].domain", "lower case"],
    ["a domain with a query", [preset("okta", { domain: "a.okta.com?b" })], "providers[0].domain", "host"],
    ["a domain with a user", [preset("okta", { domain: "a@b.okta.com" })], "providers[0].domain", "host"],
    ["a domain that goes up", [preset("okta", { domain: "a.okta.com/../b" })], "providers[0].domain", "host"],
    [
      "a domain beside an issuer",
      [preset("okta", { domain: "a.okta.com", issuer })],
      "[0].domain",
      "no effect",
    ],
    [
      "a domain without a place",
      [preset("google", { domain: "a.com" })],
      "[0].domain",
      "no place in the preset",
    ],
    [
      "a tenant by its name",
      [preset("microsoft", { domain: "a.com" })],
      "providers[0].domain",
      "id of the tenant",
    ],
    [
      "no endpoint",
      [oauth2({ token_url: "" })],
      "providers[0].token_url",
      "must be set with the preset oauth2",
    ],
    ["an endpoint without TLS", [oauth2({ userinfo_url: "http://a.com" })], "[0].userinfo_url", "https://"],
    ["an endpoint with a fragment", [oauth2({ token_url: `${issuer}#a` })], "[0].token_url", "fragment"],
    ["an endpoint beside discovery", [one({ token_url: issuer })], "providers[0].token_url", "by discovery"],
    [
      "a field beside discovery",
      [one({ subject_field: "id" })],
      "providers[0].subject_field",
      "by discovery",
    ],
    [
      "a secret and a key",
      [one({ client_key: pem, client_key_id: "K" })],
      "providers[0].client_key",
      "cannot be set together with client_secret",
    ],
    [
      "a key without its id",
      [one({ client_secret: undefined, client_key: pem })],
      "[0].client_key_id",
      "must be set",
    ],
    ["the id of no key", [one({ client_key_id: "K" })], "providers[0].client_key_id", "needs client_key"],
    ["a team", [one({ team_id: "T" })], "providers[0].team_id", "for the preset apple alone"],
    [
      "Apple's secret",
      [apple({ client_secret: "s" })],
      "providers[0].client_secret",
      "is made from client_key",
    ],
    ["Apple without a key", [apple({ client_key: undefined })], "providers[0].client_key", "must be set"],
    [
      "Apple without the key's id",
      [apple({ client_key_id: "" })],
      "providers[0].client_key_id",
      "must be set",
    ],
    ["Apple without a team", [apple({ team_id: "" })], "providers[0].team_id", "must be set"],
    ["Apple with another curve", [apple({ client_key: privateKey("P-384") })], "[0].client_key", "P-256"],
    [
      "one client twice",
      [one(), one({ id: "two" })],
      "providers[1].client_id",
      "same client at the same issuer",
    ],
    ["no openid scope", [one({ scopes: ["email"] })], "providers[0].scopes", "must have openid"],
    ["two scopes in one", [one({ scopes: ["openid", "a b"] })], "providers[0].scopes[1]", "one scope"],
    ["an empty acr", [one({ aal2_acr: [""] })], "providers[0].aal2_acr[0]", "1 to 512"],
    ["an empty amr", [one({ aal2_amr: [""] })], "providers[0].aal2_amr[0]", "1 to 512"],
    [
      "an empty client id of an app",
      [one({ native_client_ids: [""] })],
      "[0].native_client_ids[0]",
      "1 to 512",
    ],
    ["acr without ID tokens", [oauth2({ aal2_acr: ["a"] })], "providers[0].aal2_acr", "needs ID tokens"],
    [
      "apps without ID tokens",
      [oauth2({ native_client_ids: ["a"] })],
      "[0].native_client_ids",
      "needs ID tokens",
    ],
    [
      "claims of no ID token",
      [oauth2({ claims_source: "id_token" })],
      "[0].claims_source",
      "needs ID tokens",
    ],
    [
      "a logout without discovery",
      [oauth2({ logout_at_provider: true })],
      "providers[0].logout_at_provider",
      "needs discovery",
    ],
    ["a logo that is a path", [one({ logo: "../../a" })], "providers[0].logo", "pattern"],
    ["an id with a slash", [one({ id: "a/b" })], "providers[0].id", "pattern"],
    [
      "a mapping that names nothing",
      [one({ mapping: { traits: { name: "claims.name", email: "cliams.x" } } })],
      "providers[0].mapping.traits.email (ostiary.yaml:11)",
      "claims",
    ],
  ])("with %s is refused", (_, providers, key, message) => {
    const problems = problemsOf(settings({ providers }));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(key.startsWith("[") ? `tenant_defaults.oidc.providers${key}` : key);
    expect(problems[0]).toContain(message);
    expect(problems[0]).toMatch(/^tenant_defaults\.oidc\.providers\[\d\]\.\S+ \(ostiary\.yaml:\d+\): /);
  });

  test.each<[string, readonly object[]]>([
    [
      "one client whose pages differ",
      [one(), one({ id: "two", authorization_parameters: { kc_idp_hint: "a" } })],
    ],
    ["two clients at one issuer", [one(), one({ id: "two", client_id: "d" })]],
    ["an issuer on this machine", [one({ issuer: "http://localhost:9000" })]],
    ["an issuer with a path and a slash", [one({ issuer: `${issuer}/a/` })]],
    ["a domain with a port and a path", [preset("keycloak", { domain: "a.example.com:8443/realms/A_b.c" })]],
    ["a tenant by its id", [preset("microsoft", { domain: "9188040d-6c67-4c5b-b112-36a304b66dad" })]],
    ["no secret but PKCE", [one({ client_secret: undefined })]],
    ["no PKCE but a secret", [one({ pkce: "off" })]],
    [
      "no PKCE but a key",
      [one({ pkce: "off", client_secret: undefined, client_key: pem, client_key_id: "K" })],
    ],
    ["an OAuth 2 server", [oauth2({ scopes: ["user:email"], subject_field: "id" })]],
    ["Apple", [apple()]],
  ])("with %s is taken", (_, providers) => {
    expect(problemsOf(settings({ providers }))).toEqual([]);
  });

  test("with a mapping of several lines says which of them is meant", () => {
    const traits = { email: "claims.email +\ncliams.x" };
    const [problem] = problemsOf(settings({ providers: [one({ mapping: { traits } })] }));
    expect(problem).toMatch(
      /mapping\.traits\.email \(ostiary\.yaml:10\): in line 2 of the expression: .*cliams/,
    );
  });

  test("without TLS elsewhere is a warning in development mode", () => {
    const providers = [
      one({ issuer: "http://idp.example.com" }),
      oauth2({ id: "b", token_url: "http://a.com" }),
    ];
    expect(problemsOf({ dev: true, ...settings({ providers }) })).toEqual([]);
  });

  test("needs a public URL with TLS, or on this machine", () => {
    const at = (public_url: string) => problemsOf(settings({ providers: [one()] }, { public_url }));
    expect(at("http://id.example.com").join()).toContain("tenant_defaults.public_url");
    expect(at("http://localhost:4433")).toEqual([]);
    expect(at("https://id.example.com")).toEqual([]);
  });

  test("is a way to sign in and to register by itself", () => {
    const others = { password: { enabled: false }, passkey: { enabled: false } };
    const noCodes = { ...others, code: { login: false, registration: false } };
    expect(problemsOf(settings({}, noCodes)).join()).toMatch(/nobody could sign in.*nobody could register/);
    expect(problemsOf(settings({ providers: [one()] }, noCodes))).toEqual([]);
  });
});

// Security rule (SR-PROVIDER-1): a code is bound to the login by PKCE, or nobody else can exchange it, or both.
test("a client without PKCE and without a secret is refused (SR-PROVIDER-1)", () => {
  const problems = problemsOf(settings({ providers: [one({ client_secret: undefined, pkce: "off" })] }));
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain("providers[0].pkce (ostiary.yaml:7): must not be off without client_secret");
});

// Security rule (SR-PROVIDER-2): an authorisation request has no parameter of the configuration but those of the list.
describe("parameters of the authorisation request (SR-PROVIDER-2)", () => {
  const problemsWith = (authorization_parameters: object) =>
    problemsOf(settings({ providers: [one({ authorization_parameters })] }));

  test.each([
    ...[
      "redirect_uri",
      "state",
      "scope",
      "nonce",
      "login_hint",
      "response_type",
      "response_mode",
      "client_id",
    ],
    ...[
      "code_challenge",
      "code_challenge_method",
      "request",
      "request_uri",
      "id_token_hint",
      "claims",
      "resource",
    ],
    ...["Prompt", "__proto__", "constructor"],
  ])("%s cannot be set", (name) => {
    const problems = problemsWith(Object.fromEntries([[name, "a"]]));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(`authorization_parameters.${name} (ostiary.yaml:9): cannot be set`);
  });

  test.each<[string, unknown, string]>([
    ["max_age", 300, "put it in quotes"],
    ["max_age", "5m", "number of seconds"],
    ["prompt", ["login"], "must be text"],
    ["prompt", "login none", "nobody could sign in"],
    ["hd", "", "1 to 512 characters"],
    ["hd", "a".repeat(513), "1 to 512 characters"],
    ["hd", "a\nb", "control characters"],
  ])("%s cannot be %j", (name, value, message) => {
    const problems = problemsWith({ [name]: value });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(message);
  });

  test("those of the list can", () => {
    const names = [
      "prompt",
      "hd",
      "audience",
      "acr_values",
      "ui_locales",
      "display",
      "domain_hint",
      "access_type",
    ];
    const values = Object.fromEntries([...names, "kc_idp_hint"].map((name) => [name, "a b"]));
    expect(problemsWith({ ...values, max_age: "300" })).toEqual([]);
  });
});

// Security rule (SR-PROVIDER-3): a provider decides alone about the addresses of a domain only where all of them are its own.
describe("domains that a provider decides about alone (SR-PROVIDER-3)", () => {
  const problemsWith = (domain: string, provider: object = one()) =>
    problemsOf(settings({ providers: [{ ...provider, authoritative_domains: ["example.org", domain] }] }));

  test.each([
    "",
    "Example.com",
    "*.example.com",
    "@example.com",
    "com",
    "192.0.2.1",
    "example.com.",
    "a b.com",
    "ä.de",
  ])("%j is none", (domain) => {
    const problems = problemsWith(domain);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain("authoritative_domains[1]");
  });

  test.each([
    ["gmail.com", one()],
    ["yahoo.com", one()],
    ["gmx.de", preset("google")],
    ["outlook.com", preset("google")],
    ["icloud.com", preset("google")],
    // Any company's tenant could say that it has such an address.
    ["outlook.com", preset("microsoft")],
    ["outlook.com", preset("microsoft", { domain: "0ffe5f49-7a25-4a5e-8e2c-7a2f3a1c9d10" })],
  ])("%s is a mail service's, which another runs", (domain, provider) => {
    expect(problemsWith(domain, provider)).toEqual([
      expect.stringContaining("is a mail service's domain, where anybody can have an address"),
    ]);
  });

  test.each([
    ["example.com", one()],
    ["mail.xn--bcher-kva.example", one()],
    ["gmail.com", preset("google")],
    ["icloud.com", apple()],
    ["outlook.com", preset("microsoft", { domain: "9188040d-6c67-4c5b-b112-36a304b66dad" })],
  ])("%s is taken", (domain, provider) => {
    expect(problemsWith(domain, provider)).toEqual([]);
  });
});

// Security rule (SR-PROVIDER-4): the code that a native app exchanges goes to an app of this machine alone.
describe("return URLs of native apps (SR-PROVIDER-4)", () => {
  const problemsWith = (url: string) => problemsOf(settings({ native_return_urls: [url] }));

  test.each([
    ...["", "callback", "/callback", "com.example.app", "https:/app.example.com", "https:app.example.com"],
    ...[
      "http://app.example.com/callback",
      "http://127.0.0.1",
      "http://127.0.0.1/",
      "http://127.0.0.1:8080/a",
    ],
    ...[
      "http://127.0.0.1:/a",
      "http://localhost/callback",
      "http://127.0.0.2.example.com/a",
      "http://[::2]/a",
    ],
    ...["http://2130706433/callback", "http://0/callback", "http:127.0.0.1/a"],
    ...["https://app.example.com/a#b", "https://user@app.example.com/", "https://*.example.com/"],
    ...[
      "javascript:alert(1)",
      "data:text/html,a",
      "file:///etc/passwd",
      "blob:https://a.com/b",
      "about:blank",
    ],
    ...["myapp:/callback", "myapp://callback", "com.example.app:callback", "com.example.app://callback"],
    ...["Com.Example.App:/callback", "com.example.app:/", "com.example.app:/a b", "com.example.app:/a\\b"],
  ])("%s is refused", (url) => {
    const problems = problemsWith(url);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(
      /^tenant_defaults\.oidc\.native_return_urls\[0\] \(ostiary\.yaml:4\): (must|is compared exactly)/,
    );
  });

  test.each([
    ["http://app.example.com/callback", "must start with https://"],
    ["http://localhost/callback", "must have the host 127.0.0.1 or [::1]"],
    ["http://127.0.0.1:8080/callback", "must have no port"],
    ["http://127.0.0.1", "must have a path"],
    ["myapp:/callback", "with a dot"],
  ])("%s is refused with what is meant instead", (url, message) => {
    expect(problemsWith(url).join()).toContain(message);
  });

  test.each([
    ...["com.example.app:/callback", "com.example.app:/oauth2/callback?a=b", "com.example-2.app:/callback"],
    ...["http://127.0.0.1/callback", "http://[::1]/callback", "https://app.example.com/callback?a=b"],
  ])("%s is taken", (url) => {
    expect(problemsWith(url)).toEqual([]);
  });
});
