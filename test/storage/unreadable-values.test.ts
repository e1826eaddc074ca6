import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { begin, invite } from "../support/invitations.ts";
import { administer } from "../support/postgres.ts";

let app: TestApp;
beforeAll(async () => {
  const tokens = { audiences: ["https://api.example.com"] };
  app = await startTestApp({ config: { tenant_defaults: { session: { tokens } } } });
});
afterAll(() => app.stop());

/** Something that a row lets happen, one call to see that it does, and the condition that finds the row. */
interface Subject {
  readonly where: string;
  act(): Promise<unknown>;
}

async function anApiKey(): Promise<Subject> {
  const made = await app.client(ApiKeyService).createApiKey({ name: "key", scopes: ["identity:read"] });
  const client = app.client(IdentityService, { bearer: made.secret });
  return { where: `id = '${made.apiKey?.id}'`, act: () => client.listIdentities({}) };
}

async function aSession(): Promise<Subject> {
  const { session, sessionToken } = await register(app);
  const act = () => app.client(SessionService).checkSession({ token: sessionToken });
  return { where: `id = '${session?.id}'`, act };
}

/** An identity, by the column that a row of it is found by. */
function anIdentity(column: string): () => Promise<Subject> {
  return async () => {
    const { session, sessionToken } = await register(app);
    const client = app.client(SessionService, { bearer: sessionToken });
    return { where: `${column} = '${session?.identityId}'`, act: () => client.getCurrentSession({}) };
  };
}

async function aCredential(): Promise<Subject> {
  const identityId = (await register(app)).identity?.id ?? "";
  const act = () => app.client(IdentityService).listCredentials({ identityId });
  return { where: `identity_id = '${identityId}'`, act };
}

async function anInvitation(): Promise<Subject> {
  const { id, token } = await invite(app);
  return { where: `id = '${id}'`, act: () => begin(app, token) };
}

async function aSigningKey(): Promise<Subject> {
  const { sessionToken: bearer } = await register(app);
  // All subjects have the same one.
  await administer(app.databaseUrl, (query) => query("UPDATE ostiary.signing_key SET ends_at = NULL"));
  const act = () => {
    // Beyond the time for which the server keeps keys in memory.
    app.clock.advance(10_000);
    return app.client(SessionService, { bearer }).issueToken({});
  };
  return { where: "ordinal = 1", act };
}

async function aFlow(): Promise<Subject> {
  const client = app.client(RecoveryService);
  const { flow } = await client.createRecoveryFlow({ client: ClientKind.NATIVE });
  const flowId = flow?.id ?? "";
  const { email, identity } = await register(app);
  await administer(app.databaseUrl, (query) =>
    query("UPDATE ostiary.identity_verifiable_address SET verified_at = now() WHERE identity_id = $1", [
      identity?.id,
    ]),
  );
  // Messages are told apart by their time, which stands still otherwise.
  app.clock.advance(1);
  await client.submitRecoveryFlow({ flowId, address: email, step: { case: "sendCode", value: {} } });
  const [message] = await app.messages(email).then((messages) => messages.slice(-1));
  const code = message?.code ?? "";
  const act = async () => {
    const { outcome } = await client.submitRecoveryFlow({ flowId, step: { case: "code", value: { code } } });
    if (outcome.case === "rejected") throw new Error("CODE_INVALID");
  };
  return { where: `kind = 'recovery' AND identity_id = '${identity?.id}'`, act };
}

/** Each nullable time of a row that decides who may do what: null means that there is no such end. */
const columns: Readonly<Record<string, () => Promise<Subject>>> = {
  "api_key.expires_at": anApiKey,
  "api_key.last_used_at": anApiKey,
  "api_key.revoked_at": anApiKey,
  "session.revoked_at": aSession,
  "identity.purge_at": anIdentity("id"),
  "identity.last_login_at": anIdentity("id"),
  "identity_credential.last_used_at": aCredential,
  "identity_verifiable_address.verified_at": anIdentity("identity_id"),
  "invitation.used_at": anInvitation,
  "invitation.revoked_at": anInvitation,
  "flow.challenge_expires_at": aFlow,
  "signing_key.ends_at": aSigningKey,
};

/** Tables whose times decide about nothing but whether and when something is sent. */
const harmless = ["message", "address_mark"];

/** Times that PostgreSQL can hold and a Date cannot. */
const unreadable = ["infinity", "-infinity", "0044-03-15 00:00:00+00 BC", "12026-01-01 00:00:00+00"];

describe.each(Object.entries(columns))(
  "Security rule (SR-STORE-1): what cannot be read of %s",
  (name, makeSubject) => {
    const [table = "", column = ""] = name.split(".");

    test.each(unreadable)("is not taken for 'never': %s", async (value) => {
      const subject = await makeSubject();
      const changed = await administer(app.databaseUrl, (query) =>
        query(`UPDATE ostiary.${table} SET ${column} = '${value}' WHERE ${subject.where} RETURNING 1`),
      );
      expect(changed).toHaveLength(1);
      // Where a statement compares it, it has ended; what is read and cannot be is refused as our own mistake.
      await expect(subject.act()).rejects.toThrow(/internal error|CODE_INVALID/);
    });

    test("and does what it says while it is readable", async () => {
      await (await makeSubject()).act();
    });
  },
);

test("every nullable time of the tables is on the list", async () => {
  const rows = await administer(app.databaseUrl, (query) =>
    query<{ readonly name: string }>(
      `SELECT table_name || '.' || column_name AS name FROM information_schema.columns
        WHERE table_schema = 'ostiary' AND is_nullable = 'YES' AND data_type LIKE 'timestamp%'
          AND table_name <> ALL ($1)`,
      [harmless],
    ),
  );
  expect(rows.map(({ name }) => name).sort()).toEqual(Object.keys(columns).sort());
});
