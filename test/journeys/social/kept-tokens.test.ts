import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { ApiKeyService } from "../../../gen/ostiary/access/v1/api_key_service_pb.js";
import { ClientKind } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../../gen/ostiary/flow/v1/login_service_pb.js";
import { IdentityService } from "../../../gen/ostiary/identity/v1/identity_service_pb.js";
import { refusal } from "../../support/errors.ts";
import { announceJob } from "../../support/jobs.ts";
import { administer } from "../../support/postgres.ts";
import {
  idTokenFor,
  type ProviderId,
  type SocialApp,
  somebody,
  startSocialApp,
  Visitor,
} from "../../support/social.ts";

/* Tokens of providers: kept, renewed, handed out, revoked. */

let app: SocialApp;

beforeAll(async () => {
  const offline = () => ({
    scopes: ["openid", "email", "profile", "offline_access"],
    authorization_parameters: { prompt: "consent" },
  });
  app = await startSocialApp({
    tenant: { flows: { settings: { account_deletion: { enabled: true, grace_period: "0s" } } } },
    providers: {
      first: { keep_tokens: true, ...offline() },
      second: offline(),
      github: { keep_tokens: true },
    },
  });
});
afterAll(() => app.stop());

const identities = () => app.client(IdentityService);

/** Somebody who has signed up by a provider. */
async function signUp(provider: ProviderId = "first", as = somebody()) {
  const visitor = new Visitor(app);
  await visitor.by(provider, as);
  const { identityId } = await visitor.session();
  const { credentials } = await identities().listCredentials({ identityId });
  return { visitor, as, identityId, credentialId: credentials[0]?.id ?? "" };
}

const tokensOf = ({ identityId, credentialId }: { identityId: string; credentialId: string }) =>
  identities().getProviderTokens({ identityId, credentialId });

/** Who the provider takes the holder of an access token for. */
async function subjectOf(accessToken: string): Promise<unknown> {
  const headers = { authorization: `Bearer ${accessToken}` };
  const answer = await fetch(`${app.upstream.first.url}/me`, { headers });
  return answer.status === 200 ? (await answer.json()).sub : answer.status;
}

async function advance(milliseconds: number): Promise<void> {
  app.clock.advance(milliseconds);
  await app.upstream.setTime();
}

const countOf = async (request: string) => (await app.upstream.first.countRequests())[request] ?? 0;

describe("the tokens of a provider", () => {
  test("are handed out to a key with a scope of its own, and that is recorded (SR-OIDC-25)", async () => {
    const person = await signUp();
    const { secret } = await app
      .client(ApiKeyService)
      .createApiKey({ name: "calendar", scopes: ["provider_tokens:read"] });
    const holder = app.client(IdentityService, { bearer: secret });
    const { identityId, credentialId } = person;
    const tokens = await holder.getProviderTokens({ identityId, credentialId });
    expect(await subjectOf(tokens.accessToken)).toBe(person.as.subject);
    expect(tokens.scopes.toSorted()).toEqual(["email", "offline_access", "openid", "profile"]);
    expect(Number(tokens.expireTime?.seconds) * 1000).toBe(app.clock.now().getTime() + 600_000);
    await administer(app.databaseUrl, async (query) => {
      const events = await query(`SELECT actor ->> 'kind' AS actor, data FROM ostiary.event
        WHERE identity_id = '${identityId}' AND type = 'credential.tokens_read'`);
      expect(events).toEqual([{ actor: "api_key", data: { kind: "oidc", credentialId, provider: "first" } }]);
    });
  });

  test("are for no key of another scope (SR-OIDC-25)", async () => {
    const person = await signUp();
    const { secret } = await app
      .client(ApiKeyService)
      .createApiKey({ name: "operator", scopes: ["identity:*", "session:*", "provider:read"] });
    const call = app.client(IdentityService, { bearer: secret }).getProviderTokens(person);
    expect(await refusal(call)).toMatchObject({
      reason: "API_KEY_SCOPE_MISSING",
      metadata: { scope: "provider_tokens:read" },
    });
  });

  test("are nowhere to be read in the database (SR-OIDC-24)", async () => {
    const person = await signUp();
    const { accessToken } = await tokensOf(person);
    await administer(app.databaseUrl, async (query) => {
      const rows = await query<{
        readonly text: string;
      }>(`SELECT c::text AS text FROM ostiary.identity_credential c
        UNION ALL SELECT f::text FROM ostiary.flow f UNION ALL SELECT e::text FROM ostiary.event e
        UNION ALL SELECT s::text FROM ostiary.session s`);
      expect(rows.length).toBeGreaterThan(3);
      expect(rows.filter(({ text }) => text.includes(accessToken))).toEqual([]);
    });
    expect(JSON.stringify(app.log)).not.toContain(accessToken);
  });

  test("stay where an app signs in by an ID token, which brings no others", async () => {
    const person = await signUp();
    const client = app.client(LoginService, { protocol: "gRPC" });
    const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
    const offers = flow?.stage.case === "chooseMethod" ? flow.stage.value.offers : [];
    const [nonce = ""] = offers.flatMap(({ method }) => (method.case === "oidc" ? [method.value.nonce] : []));
    const value = { provider: "first", idToken: await idTokenFor(app, nonce, person.as) };
    const step = { case: "oidc", value } as const;
    const { outcome } = await client.submitLoginFlow({ flowId: flow?.id ?? "", step });
    expect(outcome.case).toBe("completed");
    await advance(600_000);
    expect(await subjectOf((await tokensOf(person)).accessToken)).toBe(person.as.subject);
  });

  test("of one who has none kept are told as such", async () => {
    expect(await refusal(tokensOf(await signUp("second")))).toMatchObject({
      ...{ code: "FailedPrecondition", reason: "PROVIDER_TOKENS_NOT_KEPT" },
    });
  });

  test("are those of the identity alone", async () => {
    const [ada, bob] = [await signUp(), await signUp()];
    for (const [identityId, credentialId] of [
      [ada.identityId, bob.credentialId],
      [randomUUID(), bob.credentialId],
      [ada.identityId, randomUUID()],
    ] as const) {
      expect(await refusal(tokensOf({ identityId, credentialId }))).toMatchObject({
        ...{ code: "NotFound", reason: "CREDENTIAL_NOT_FOUND" },
      });
    }
  });
});

describe("tokens that have expired", () => {
  beforeEach(() => app.upstream.first.setDown(false));

  test("are renewed once for all who ask at once, and then good for their time", async () => {
    const person = await signUp();
    const before = await tokensOf(person);
    await advance(590_000);
    const asked = await countOf("POST /token");
    const answers = await Promise.all(Array.from({ length: 8 }, () => tokensOf(person)));
    expect(await countOf("POST /token")).toBe(asked + 1);
    const [accessToken = "", ...others] = [...new Set(answers.map((answer) => answer.accessToken))];
    expect(others).toEqual([]);
    expect(accessToken).not.toBe(before.accessToken);
    expect(await subjectOf(accessToken)).toBe(person.as.subject);
    expect((await tokensOf(person)).accessToken).toBe(accessToken);
    expect(await countOf("POST /token")).toBe(asked + 1);
    // By the refresh token that came with them.
    await advance(600_000);
    expect(await subjectOf((await tokensOf(person)).accessToken)).toBe(person.as.subject);
  });

  test("wait for a provider that is down", async () => {
    const person = await signUp();
    await advance(600_000);
    await app.upstream.first.setDown(true);
    expect(await refusal(tokensOf(person))).toMatchObject({
      ...{ code: "Unavailable", reason: "PROVIDER_UNAVAILABLE", metadata: { providerId: "first" } },
      retryAfterSeconds: 10,
    });
    await app.upstream.first.setDown(false);
    expect(await subjectOf((await tokensOf(person)).accessToken)).toBe(person.as.subject);
  });

  test("are not handed out once the provider renews them no more", async () => {
    const person = await signUp();
    await advance(3_700_000);
    const expired = { code: "FailedPrecondition", reason: "PROVIDER_TOKENS_EXPIRED" };
    expect(await refusal(tokensOf(person))).toMatchObject(expired);
    // Until their owner signs in there again.
    await new Visitor(app).by("first", person.as);
    expect(await subjectOf((await tokensOf(person)).accessToken)).toBe(person.as.subject);
  });
});

describe("an account that is not linked any more", () => {
  /** Until the provider has revoked the token. */
  const revoked = (accessToken: string) =>
    vi.waitFor(async () => expect(await subjectOf(accessToken)).toBe(401), { timeout: 30_000 });

  test("loses its tokens where its owner unlinks it (SR-OIDC-24)", async () => {
    const person = await signUp();
    const { accessToken } = await tokensOf(person);
    const { visitor, credentialId } = person;
    await visitor.begin("settings");
    await visitor.comeBack(await visitor.signIn("second", somebody()));
    const { body } = await visitor.submit({ removeCredential: { credentialId } });
    expect(body.saved).toBeDefined();
    await revoked(accessToken);
  });

  test("loses its tokens where an operator unlinks it", async () => {
    const person = await signUp();
    const kept = await signUp();
    const { accessToken } = await tokensOf(person);
    await identities().deleteCredential(person);
    await revoked(accessToken);
    expect(await subjectOf((await tokensOf(kept)).accessToken)).toBe(kept.as.subject);
  });

  test("loses its tokens with the identity", async () => {
    const person = await signUp();
    const { accessToken } = await tokensOf(person);
    await identities().deleteIdentity(person);
    await revoked(accessToken);
  });

  test("loses its tokens where the owner of the address says that somebody else has set it up", async () => {
    const person = await signUp("first", somebody({ verified: false }));
    const { accessToken } = await tokensOf(person);
    // Messages sort by their time, which stands still otherwise.
    app.clock.advance(1);
    const owner = await new Visitor(app).begin("recovery");
    await owner.submit({ sendCode: {} }, { address: person.as.email });
    const sent = (await app.messages(person.as.email)).findLast(({ code }) => code !== "");
    await owner.submit({ code: { code: sent?.code } });
    expect(owner.flow.claimAccount).toEqual({ address: person.as.email });
    expect((await owner.submit({ disown: {} })).body.completed).toBeDefined();
    await revoked(accessToken);
  });

  test("loses its tokens with the account that its owner deletes", async () => {
    const person = await signUp();
    const { accessToken } = await tokensOf(person);
    const { visitor } = person;
    await visitor.begin("settings");
    expect((await visitor.submit({ deleteAccount: {} })).body.completed).toBeDefined();
    await revoked(accessToken);
  });

  test("loses its tokens once the time has come that the account is deleted at", async () => {
    const person = await signUp();
    const { accessToken } = await tokensOf(person);
    await administer(app.databaseUrl, (query) =>
      query("UPDATE ostiary.identity SET purge_at = $2 WHERE id = $1", [person.identityId, app.clock.now()]),
    );
    await announceJob(app.databaseUrl, "delete_due_accounts");
    await revoked(accessToken);
    expect(await refusal(identities().getIdentity({ identityId: person.identityId }))).toMatchObject({
      reason: "IDENTITY_NOT_FOUND",
    });
  });

  test("is gone also where the provider is down", async () => {
    const person = await signUp();
    await app.upstream.first.setDown(true);
    try {
      await identities().deleteCredential(person);
      const { credentials } = await identities().listCredentials(person);
      expect(credentials).toEqual([]);
      const told = () => app.log.some(({ message }) => message.startsWith("a token could not be revoked"));
      await vi.waitFor(() => expect(told()).toBe(true), { timeout: 30_000 });
    } finally {
      await app.upstream.first.setDown(false);
    }
  });
});
