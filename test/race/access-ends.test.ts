import { Client as Postgres } from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword, logIn, register } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";

const sixteen = Array.from({ length: 16 }, (_, index) => index);
const newPassword = "another good passphrase";
let app: TestApp;
let database: Postgres;

beforeAll(async () => {
  app = await startTestApp();
  database = new Postgres({ connectionString: app.databaseUrl });
  await database.connect();
});

afterAll(async () => {
  await database.end();
  await app.stop();
});

async function activeSessions(identityId: string): Promise<number> {
  const { sessions } = await app
    .client(SessionAdminService)
    .listSessions({ identityId, active: true, pageSize: 500 });
  return sessions.length;
}

/** Sixteen logins over all protocols, and something that ends access while they are under way. */
async function whileLoggingIn(email: string, end: () => Promise<unknown>): Promise<readonly string[]> {
  const logins = sixteen.map((index) => logIn(app, email, goodPassword, protocols[index % 4]));
  // Once the first of them is through, the others are anywhere.
  await Promise.race(logins);
  await end();
  return (await Promise.all(logins)).flatMap((outcome) =>
    outcome.case === "completed" ? [outcome.value.signedIn?.sessionToken ?? ""] : [],
  );
}

describe("logins that race with", () => {
  test("a deactivation leave no session that works (ASVS V7.4.2)", async () => {
    const { email, identity } = await register(app);
    const identityId = identity?.id ?? "";
    const tokens = await whileLoggingIn(email, () =>
      app.client(IdentityService).deactivateIdentity({ identityId }),
    );
    expect(tokens.length).toBeGreaterThan(0);
    const checker = app.client(SessionService);
    for (const value of tokens) {
      const check = checker.checkSession({ token: value });
      expect(await refusal(check)).toMatchObject({ code: "Unauthenticated", reason: "SESSION_REVOKED" });
    }
    // Not only refused because of the identity's state: ended, also for the time after an activation.
    await app.client(IdentityService).activateIdentity({ identityId });
    expect(await activeSessions(identityId)).toBe(0);
  });

  test("a new password leave no session of the old one", async () => {
    const { email, identity } = await register(app);
    const identityId = identity?.id ?? "";
    await whileLoggingIn(email, () =>
      app.client(IdentityService).setPassword({
        identityId,
        password: { value: { case: "password", value: newPassword } },
      }),
    );
    expect(await activeSessions(identityId)).toBe(0);
    expect((await logIn(app, email, goodPassword)).case).toBe("rejected");
    expect((await logIn(app, email, newPassword)).case).toBe("completed");
  });

  test("a deletion leave nothing of the identity behind", async () => {
    const { email, identity } = await register(app);
    const identityId = identity?.id ?? "";
    const tokens = await whileLoggingIn(email, () =>
      app.client(IdentityService).deleteIdentity({ identityId }),
    );
    for (const value of tokens) {
      const check = app.client(SessionService).checkSession({ token: value });
      expect(await refusal(check)).toMatchObject({ reason: "SESSION_TOKEN_UNKNOWN" });
    }
    const { rows } = await database.query(
      "SELECT FROM ostiary.session WHERE identity_id = $1 UNION ALL SELECT FROM ostiary.flow WHERE identity_id = $1",
      [identityId],
    );
    expect(rows).toEqual([]);
  });
});

test("16 updates to one identifier at once: one identity has it, the others are told (SR-CODE-3)", async () => {
  const identities = app.client(IdentityService);
  const ids = await Promise.all(
    sixteen.map(async () => {
      const { identity } = await identities.createIdentity({ traits: { email: freshEmail() } });
      return identity?.id ?? "";
    }),
  );
  const email = freshEmail();
  const results = await Promise.allSettled(
    ids.map((identityId, index) =>
      app
        .client(IdentityService, { protocol: protocols[index % 4] ?? "gRPC" })
        .updateIdentity({ identityId, traitsChange: { case: "traits", value: { email } } }),
    ),
  );
  expect(results.filter((result) => result.status === "fulfilled").length).toBe(1);
  for (const result of results) {
    if (result.status === "fulfilled") continue;
    expect(await refusal(Promise.reject(result.reason))).toMatchObject({
      code: "AlreadyExists",
      reason: "IDENTIFIER_TAKEN",
    });
  }
});

test("two identities that swap their identifiers at once, 8 times: each is somebody's, and nobody has two", async () => {
  const identities = app.client(IdentityService);
  for (let round = 0; round < 8; round++) {
    const emails = [freshEmail(), freshEmail()] as const;
    const [one, two] = await Promise.all(
      emails.map(
        async (email) => (await identities.createIdentity({ traits: { email } })).identity?.id ?? "",
      ),
    );
    const swaps = await Promise.allSettled([
      identities.updateIdentity({
        identityId: one ?? "",
        traitsChange: { case: "traits", value: { email: emails[1] } },
      }),
      identities.updateIdentity({
        identityId: two ?? "",
        traitsChange: { case: "traits", value: { email: emails[0] } },
      }),
    ]);
    for (const swap of swaps) {
      if (swap.status === "fulfilled") continue;
      expect((await refusal(Promise.reject(swap.reason))).reason).toBe("IDENTIFIER_TAKEN");
    }
    const owners = await Promise.all(
      emails.map((value) => identities.lookUpIdentity({ by: { case: "identifier", value } })),
    );
    expect(new Set(owners.map(({ identity }) => identity?.id)).size).toBe(2);
  }
});

test("16 keys for one request id at once are one key (SR-CODE-3)", async () => {
  const client = app.client(ApiKeyService);
  const request = { requestId: "the same", name: "one", scopes: ["identity:read"] };
  const answers = await Promise.all(sixteen.map(() => client.createApiKey(request)));
  expect(new Set(answers.map((answer) => answer.secret)).size).toBe(1);
  const { apiKeys } = await client.listApiKeys({});
  expect(apiKeys.filter((key) => key.name === "one").length).toBe(1);
});

test("Security rule (SR-ACCESS-3): a leaked key that makes keys while it is revoked with its descendants leaves none", async () => {
  const client = app.client(ApiKeyService);
  const scopes = ["api_key:create", "identity:read"];
  const leaked = await client.createApiKey({ name: "leaked", scopes });
  const secrets: string[] = [];
  const makers = sixteen.map(async (index) => {
    const thief = app.client(ApiKeyService, { protocol: protocols[index % 4], bearer: leaked.secret });
    for (;;) {
      const made = await thief.createApiKey({ name: "made", scopes }).catch(() => undefined);
      if (made === undefined) return;
      secrets.push(made.secret);
    }
  });
  await Promise.race([...makers, vi.waitUntil(() => secrets.length > 16, { interval: 1, timeout: 20_000 })]);
  await client.revokeApiKey({ apiKeyId: leaked.apiKey?.id ?? "", includeDescendants: true });
  await Promise.all(makers);
  expect(secrets.length).toBeGreaterThan(16);
  for (const bearer of secrets) {
    const call = app.client(IdentityService, { bearer }).listIdentities({ pageSize: 1 });
    expect(await refusal(call)).toMatchObject({ reason: "API_KEY_REVOKED" });
  }
});
