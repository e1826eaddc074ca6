import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { toTenantSettings } from "../app-settings.ts";
import type { Provider } from "../domain/provider/provider.ts";
import { type LoadedConfig, loadConfig } from "./load-config.ts";

const directory = mkdtempSync(join(tmpdir(), "ostiary-providers-"));
const file = join(directory, "ostiary.yaml");

afterAll(() => rmSync(directory, { recursive: true, force: true }));

const applesKey = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();

function load(providers: readonly object[], others: object = {}): LoadedConfig {
  writeFileSync(file, stringify({ tenant_defaults: { oidc: { providers }, ...others } }));
  return loadConfig({ file, environment: {}, flags: {}, workingDirectory: directory });
}

/** The one provider of a configuration. */
function providerOf(given: object, others: object = {}): Provider {
  const [provider] = load([{ id: "one", client_id: "c", client_secret: "s", ...given }], others).providers;
  if (provider === undefined) throw new Error("there is no provider");
  return provider;
}

const issuer = "https://idp.example.com";

describe("a provider of the configuration", () => {
  test("is each of the presets by its id, with the operator's own part of it", () => {
    const client = { client_id: "c", client_secret: "s" };
    const { providers, warnings } = load([
      { id: "google", ...client },
      { id: "github", ...client },
      { id: "microsoft", ...client },
      { id: "apple", client_id: "c", client_key: applesKey, client_key_id: "KEY", team_id: "TEAM" },
      { id: "gitlab", ...client },
      { id: "discord", ...client },
      { id: "okta", ...client, domain: "dev-1.okta.com" },
      { id: "keycloak", ...client, domain: "id.example.com/realms/main" },
    ]);
    expect(warnings).toEqual([]);
    const rows = providers.map(({ preset, name, issuer: known, endpoints }) => [
      preset,
      name,
      known,
      endpoints.kind,
    ]);
    expect(rows).toEqual([
      ["google", "Google", "https://accounts.google.com", "discovery"],
      ["github", "GitHub", "https://github.com", "fixed"],
      ["microsoft", "Microsoft", "https://login.microsoftonline.com/{tenantid}/v2.0", "discovery"],
      ["apple", "Apple", "https://appleid.apple.com", "discovery"],
      ["gitlab", "GitLab", "https://gitlab.com", "discovery"],
      ["discord", "Discord", "https://discord.com", "fixed"],
      ["okta", "Okta", "https://dev-1.okta.com", "discovery"],
      ["keycloak", "Keycloak", "https://id.example.com/realms/main", "discovery"],
    ]);
    for (const provider of providers) expect(provider.scopes.length, provider.id).toBeGreaterThan(0);
  });

  test("has defaults where neither its preset nor the operator says anything", () => {
    const { mapping, authentication, ...provider } = providerOf({ issuer });
    expect(provider).toEqual({
      ...{ id: "one", preset: "oidc", name: "one", logo: "", issuer, endpoints: { kind: "discovery" } },
      ...{ clientId: "c", scopes: ["openid", "profile", "email"], pkce: true, parameters: {} },
      ...{ claimsSource: "userinfo", quirks: new Set(), updateOnLogin: "never" },
      ...{ authoritativeDomains: new Set(), aal2: { acr: new Set(), amr: new Set() } },
      ...{ keepTokens: false, logoutAtProvider: false, nativeClientIds: new Set(), timeoutMs: 5000 },
    });
    expect(authentication.kind === "secret" && authentication.secret().reveal()).toBe("s");
  });

  test("has what the operator says in place of the preset's", () => {
    const { mapping, authentication, ...provider } = providerOf({
      ...{
        preset: "google",
        name: "Company",
        logo: "company",
        issuer,
        scopes: ["openid", "hr"],
        pkce: "off",
      },
      ...{
        authorization_parameters: { hd: "example.com", prompt: "select_account" },
        claims_source: "userinfo",
      },
      ...{ update_on_login: "missing", authoritative_domains: ["example.com"], aal2_acr: ["high"] },
      ...{ aal2_amr: ["mfa"], keep_tokens: true, native_client_ids: ["ios", "android"], timeout: "2s" },
      logout_at_provider: true,
    });
    expect(provider).toEqual({
      ...{
        id: "one",
        preset: "google",
        name: "Company",
        logo: "company",
        issuer,
        clientId: "c",
        pkce: false,
      },
      ...{ endpoints: { kind: "discovery" }, scopes: ["openid", "hr"], claimsSource: "userinfo" },
      ...{ parameters: { hd: "example.com", prompt: "select_account" }, quirks: new Set() },
      ...{ updateOnLogin: "missing", authoritativeDomains: new Set(["example.com"]), keepTokens: true },
      logoutAtProvider: true,
      aal2: { acr: new Set(["high"]), amr: new Set(["mfa"]) },
      ...{ nativeClientIds: new Set(["ios", "android"]), timeoutMs: 2000 },
    });
    expect(providerOf({ issuer, update_on_login: "always" }).updateOnLogin).toBe("always");
    expect(providerOf({ preset: "github", scopes: ["read:user"] }).scopes).toEqual(["read:user"]);
  });

  test("has endpoints of its own where there is no discovery", () => {
    const own = { authorization_url: `${issuer}/a`, token_url: `${issuer}/t`, userinfo_url: `${issuer}/u` };
    expect(providerOf({ preset: "oauth2", issuer, ...own })).toMatchObject({
      endpoints: {
        ...{ kind: "fixed", authorizationUrl: `${issuer}/a`, tokenUrl: `${issuer}/t` },
        ...{ userinfoUrl: `${issuer}/u`, subjectField: "sub" },
      },
      claimsSource: "userinfo",
    });
    const { endpoints } = providerOf({
      preset: "github",
      issuer,
      token_url: `${issuer}/t`,
      subject_field: "node",
    });
    expect(endpoints).toMatchObject({
      authorizationUrl: "https://github.com/login/oauth/authorize",
      ...{ tokenUrl: `${issuer}/t`, subjectField: "node" },
    });
  });

  test("has the tenant in the place that Microsoft's issuer has for it", () => {
    const tenant = "0ffe5f49-7a25-4a5e-8e2c-7a2f3a1c9d10";
    const one = providerOf({ preset: "microsoft", domain: tenant });
    expect(one.issuer).toBe(`https://login.microsoftonline.com/${tenant}/v2.0`);
    expect(one.quirks.has("tenant_in_issuer")).toBe(false);
    const several = providerOf({ preset: "microsoft", domain: "organizations" });
    expect(several.issuer).toBe("https://login.microsoftonline.com/{tenantid}/v2.0");
    expect(several.quirks.has("tenant_in_issuer")).toBe(true);
    expect(several.endpoints).toEqual({ kind: "discovery", tenant: "organizations" });
  });

  test("proves who the server is by a key, by a secret that a key signs, or by nothing", () => {
    const without = { client_secret: undefined };
    const key = { ...without, client_key: applesKey, client_key_id: "KEY" };
    const signed = providerOf({ preset: "apple", ...key, team_id: "TEAM" }).authentication;
    expect(signed).toMatchObject({ kind: "signed_secret", keyId: "KEY", teamId: "TEAM" });
    const byKey = providerOf({ issuer, ...key }).authentication;
    expect(byKey).toMatchObject({ kind: "private_key", keyId: "KEY" });
    expect(byKey.kind === "private_key" && byKey.key().reveal()).toBe(applesKey);
    expect(providerOf({ issuer, ...without }).authentication).toEqual({ kind: "none" });
  });

  test("has the secret as it is after a reload", () => {
    const secretFile = join(directory, "secret");
    writeFileSync(secretFile, "first", { mode: 0o600 });
    const loaded = load([{ id: "one", client_id: "c", issuer, client_secret: { file: secretFile } }]);
    const { authentication } = loaded.providers[0] ?? {};
    const secret = () => authentication?.kind === "secret" && authentication.secret().reveal();
    expect(secret()).toBe("first");
    writeFileSync(secretFile, "second");
    loaded.reload();
    expect(secret()).toBe("second");
  });

  test("is in the tenant's settings, with the return URLs of native apps", () => {
    const loaded = load([{ id: "one", client_id: "c", issuer }]);
    expect(toTenantSettings(loaded, 4433).providers).toBe(loaded.providers);
    const urls = [
      "com.example.app:/callback",
      "http://127.0.0.1/callback",
      "https://app.example.com/callback",
    ];
    writeFileSync(file, stringify({ tenant_defaults: { oidc: { native_return_urls: urls } } }));
    const settings = toTenantSettings(loadConfig({ file, environment: {}, flags: {} }), 4433);
    expect(settings.nativeReturnUrls).toEqual(new Set(urls));
  });

  test("leads those who sign out to exact URLs alone", () => {
    const postLogoutOf = (...urls: string[]) => {
      writeFileSync(file, stringify({ tenant_defaults: { oidc: { post_logout_redirect_urls: urls } } }));
      return toTenantSettings(loadConfig({ file, environment: {}, flags: {} }), 4433).postLogoutRedirectUrls;
    };
    const urls = ["https://app.example.com/bye", "com.example.app:/bye"];
    expect(postLogoutOf(...urls)).toEqual(urls);
    for (const url of [
      "https://*.example.com/bye",
      "http://app.example.com/bye",
      "javascript:alert(1)",
      "/bye",
    ]) {
      expect(() => postLogoutOf(url)).toThrow(/oidc\.post_logout_redirect_urls\[0\]/);
    }
  });
});

describe("the mapping of a provider", () => {
  const schema = (properties: object) => ({
    identity: { schemas: [{ id: "staff", document: { type: "object", properties } }] },
  });

  test("has the preset's traits that the default schema has as texts of people's own", () => {
    expect(Object.keys(providerOf({ issuer }).mapping.expressions.traits)).toEqual(["email", "name"]);
    const properties = {
      username: { type: "string" },
      name: { type: "number" },
      email: { type: "string", readOnly: true },
      other: { type: "string" },
    };
    const { traits } = providerOf({ issuer }, schema(properties)).mapping.expressions;
    expect(Object.keys(traits)).toEqual(["username"]);
  });

  test("has the operator's expressions for what they set, else the preset's", () => {
    const usual = providerOf({ issuer }).mapping.expressions;
    const own = { traits: { email: "claims.mail" }, verified_addresses: "[claims.mail]" };
    expect(providerOf({ issuer, mapping: own }).mapping.expressions).toEqual({
      ...{ traits: own.traits, verifiedAddresses: "[claims.mail]", publicMetadata: {}, adminMetadata: {} },
      account: usual.account,
    });
    const more = {
      ...{ account: "claims.login", public_metadata: { team: "claims.team" } },
      admin_metadata: { groups: "claims.groups" },
    };
    expect(providerOf({ issuer, mapping: more }).mapping.expressions).toEqual({
      ...{ traits: usual.traits, verifiedAddresses: usual.verifiedAddresses, account: "claims.login" },
      ...{ publicMetadata: more.public_metadata, adminMetadata: more.admin_metadata },
    });
  });
});
