import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createSealer } from "../../src/crypto/sealer.ts";
import { DomainError } from "../../src/domain/errors.ts";
import type { CredentialId, IdentityId } from "../../src/domain/ids.ts";
import { KeptTokens } from "../../src/domain/method/oidc/kept-tokens.ts";
import { linkOf, openTokens, sealTokens } from "../../src/domain/method/oidc/provider-credential.ts";
import type { Provider } from "../../src/domain/provider/provider.ts";
import { Secret } from "../../src/domain/secret.ts";
import type { Tenant } from "../../src/domain/tenant/tenant.ts";
import { createGuardedFetch, type GuardedFetch } from "../../src/outbound/guarded-fetch.ts";
import { createProviderClient } from "../../src/outbound/oidc/provider-client.ts";
import { openTwoTenants, type TwoTenants } from "../storage/two-tenants.ts";
import { TestClock } from "../support/clock.ts";
import { silentLogger } from "../support/postgres.ts";
import { anIdentity, origin, someSettings } from "../support/records.ts";
import { type HostileProvider, startHostileProvider } from "../support/upstream/hostile-provider.ts";
import { testProvider } from "../support/upstream/provider-records.ts";

/* Several servers with the same database, and a provider that takes each refresh token once. */

let tenants: TwoTenants;
let acme: HostileProvider;
let http: GuardedFetch;
let provider: Provider;
const clock = new TestClock();
const sealer = createSealer(() => [new Secret("a".repeat(64))]);

beforeAll(async () => {
  tenants = await openTwoTenants();
  acme = await startHostileProvider({ clock });
  http = createGuardedFetch({ allowedPrivateHosts: [acme.host], extraPorts: [] });
  provider = testProvider({ issuer: acme.url, clientId: "c", clientSecret: "s", keepTokens: true });
});
afterAll(async () => {
  await http.close();
  await acme.stop();
  await tenants.storage.close();
});
beforeEach(() => acme.reset());

/** One server. */
function aServer(): KeptTokens {
  return new KeptTokens({
    identities: tenants.storage.identities,
    events: tenants.storage.events,
    providers: createProviderClient({ http, clock, logger: silentLogger }),
    sealer,
    clock,
    logger: silentLogger,
  });
}

const tenantWith = (change: Partial<Provider> = {}): Tenant => ({
  ...tenants.scope,
  name: "default",
  settings: someSettings({ providers: [{ ...provider, ...change }] }),
});

/** Somebody whose access token has expired. */
async function expired(change: object = {}): Promise<{ id: IdentityId; credentialId: CredentialId }> {
  const identity = anIdentity();
  const tokens = {
    ...{ accessToken: "old", refreshToken: "refresh-1", idToken: undefined, scope: "openid" },
    expiresAt: new Date(clock.now().getTime() - 1),
    ...change,
  };
  const link = linkOf(provider, { issuer: acme.url, subject: identity.id, account: "" });
  const { identities } = tenants.storage;
  await identities.create(tenants.scope, identity, [{ ...link, secret: sealTokens(sealer, tokens) }], []);
  const [credential] = await identities.credentialsOf(tenants.scope, identity.id);
  return { id: identity.id, credentialId: credential?.id as CredentialId };
}

/** Has the provider take each refresh token once, and give another one; not before `until`. */
function rotate(until: Promise<void> = Promise.resolve()): void {
  const used = new Set<string>();
  let count = 1;
  acme.answer("token", async (_request, response) => {
    await until;
    const token = new URLSearchParams(acme.lastRequest("token").body).get("refresh_token") ?? "";
    const isReused = used.has(token);
    used.add(token);
    count++;
    const tokens = {
      ...{ access_token: `access-${count}`, token_type: "Bearer", expires_in: 600 },
      refresh_token: `refresh-${count}`,
    };
    response
      .writeHead(isReused ? 400 : 200, { "content-type": "application/json" })
      .end(JSON.stringify(isReused ? { error: "invalid_grant" } : tokens));
  });
}

describe("tokens that have expired", () => {
  test("are renewed once by several servers at once (SR-OIDC-26)", async () => {
    rotate();
    const who = await expired();
    const servers = Array.from({ length: 4 }, aServer);
    const answers = await Promise.all(
      [...servers, ...servers].map((server) => server.get(tenantWith(), origin, who)),
    );
    expect(answers.map(({ accessToken }) => accessToken)).toEqual(Array(8).fill("access-2"));
    expect(acme.count("token")).toBe(1);
    expect(answers[0]?.scope).toBe("openid");
    clock.advance(600_000);
    expect((await aServer().get(tenantWith(), origin, who)).accessToken).toBe("access-3");
  });

  test("are renewed by another server where one has stopped in the middle of it", async () => {
    rotate();
    const renewedUntil = new Date(clock.now().getTime() + 10_000);
    const who = await expired({ renewedUntil });
    clock.advance(10_000);
    expect((await aServer().get(tenantWith(), origin, who)).accessToken).toBe("access-2");
  });

  test("are left to the server that renews them for as long as its requests may take (SR-OIDC-26)", async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    rotate(held);
    const who = await expired();
    const first = aServer().get(tenantWith(), origin, who);
    await vi.waitFor(() => expect(acme.count("token")).toBe(1), { timeout: 30_000 });
    const [stored] = await tenants.storage.identities.secretsOf(tenants.scope, who.id, "oidc");
    const { renewedUntil } = openTokens(sealer, stored?.secret ?? "") ?? {};
    // Discovery, tokens, keys, and keys once more.
    const least = clock.now().getTime() + 4 * provider.timeoutMs;
    expect(renewedUntil?.getTime()).toBeGreaterThan(least);
    release();
    expect((await first).accessToken).toBe("access-2");
  });

  test("and that the provider does not renew any more are not asked for again (SR-OIDC-26)", async () => {
    acme.answer("token", (_request, response) => {
      response.writeHead(400, { "content-type": "application/json" }).end('{"error":"invalid_grant"}');
    });
    const who = await expired();
    const ended = { reason: "PROVIDER_TOKENS_EXPIRED" };
    await expect(aServer().get(tenantWith(), origin, who)).rejects.toMatchObject(ended);
    await expect(aServer().get(tenantWith(), origin, who)).rejects.toMatchObject(ended);
    expect(acme.count("token")).toBe(1);
  });

  test("and that a provider that is down could not renew are asked for again", async () => {
    acme.answer("token", (_request, response) => response.writeHead(503).end());
    const who = await expired();
    const away = { reason: "PROVIDER_UNAVAILABLE" };
    await expect(aServer().get(tenantWith(), origin, who)).rejects.toMatchObject(away);
    rotate();
    expect((await aServer().get(tenantWith(), origin, who)).accessToken).toBe("access-2");
  });

  test("are not sent to another issuer that has the same name by now (SR-OIDC-24)", async () => {
    const who = await expired();
    const moved = tenantWith({ issuer: "https://evil.example" });
    await expect(aServer().get(moved, origin, who)).rejects.toMatchObject({ reason: "PROVIDER_NOT_FOUND" });
    (await aServer().prepare(moved, who.id))();
    expect(acme.count("token")).toBe(0);
  });

  test("are not handed out where the operator wants none kept any more", async () => {
    const who = await expired();
    const refused = aServer().get(tenantWith({ keepTokens: false }), origin, who);
    await expect(refused).rejects.toMatchObject({ reason: "PROVIDER_TOKENS_NOT_KEPT" });
    expect(acme.count("token")).toBe(0);
  });

  test("and cannot be renewed are not handed out", async () => {
    const who = await expired({ refreshToken: undefined });
    const refused = await aServer()
      .get(tenantWith(), origin, who)
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(DomainError);
    expect(refused).toMatchObject({ reason: "PROVIDER_TOKENS_EXPIRED" });
  });
});

describe("a login by the account", () => {
  const tokens = { accessToken: "a", idToken: undefined, scope: undefined, expiresAt: undefined };
  const sealed = (change: object) => sealTokens(sealer, { ...tokens, refreshToken: undefined, ...change });
  const facts = () => linkOf(provider, { issuer: acme.url, subject: "s", account: "" }).facts;
  const tokensAfter = (former: string, secret: string, tenant = tenantWith()) => {
    const kept = aServer().secretAfterLogin(tenant, { facts: facts(), secret: former }, secret);
    const { accessToken, refreshToken } = openTokens(sealer, kept) ?? {};
    return { accessToken, refreshToken };
  };
  const former = () => sealed({ accessToken: "old", refreshToken: "refresh-1" });

  test("puts its tokens in the place of those before", () => {
    const both = { accessToken: "new", refreshToken: "refresh-2" };
    expect(tokensAfter(former(), sealed(both))).toEqual(both);
  });

  test("keeps the refresh token, where it brings none", () => {
    expect(tokensAfter(former(), sealed({ accessToken: "new" }))).toEqual({
      ...{ accessToken: "new", refreshToken: "refresh-1" },
    });
  });

  test("keeps them all, where an app shows an ID token alone", () => {
    expect(tokensAfter(former(), "")).toEqual({ accessToken: "old", refreshToken: "refresh-1" });
  });

  test("keeps none where the operator wants none kept any more (SR-OIDC-24)", () => {
    const none = { accessToken: undefined, refreshToken: undefined };
    expect(tokensAfter(former(), "", tenantWith({ keepTokens: false }))).toEqual(none);
    expect(tokensAfter(former(), "", tenantWith({ issuer: "https://evil.example" }))).toEqual(none);
  });
});
