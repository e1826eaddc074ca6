import { afterAll, beforeAll, expect, test } from "vitest";
import { RequiredActionKind, RequiredActionTiming } from "../../gen/ostiary/identity/v1/identity_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, register, sessionTokenOf } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { deletionConfig } from "../support/deletion.ts";
import { makeBackupCodes, Settings, setUpTotp } from "../support/factors.ts";
import { keptChanges, noteKeptChanges } from "../support/kept-changes.ts";
import { administer } from "../support/postgres.ts";

let app: TestApp;

beforeAll(async () => {
  const { flows } = deletionConfig().tenant_defaults;
  app = await startTestApp({ config: { tenant_defaults: { flows, session: { max_parallel: 2 } } } });
  await noteKeptChanges(app.databaseUrl);
});
afterAll(() => app.stop());

/** Everything that people and operators do to accounts and sessions. */
async function live(): Promise<void> {
  const admin = app.client(IdentityService);
  const sessions = app.client(SessionAdminService);
  const { email, sessionToken, identity } = await register(app);
  const identityId = identity?.id ?? "";

  // The third one ends the first.
  const second = await sessionTokenOf(app, email);
  const third = await sessionTokenOf(app, email);
  await app.client(SessionService, { bearer: third }).revokeOtherSessions({});
  app.clock.advance(60_000);
  await app.client(SessionService, { bearer: third }).extendCurrentSession({});
  await admin.verifyAddress({ identityId, address: email });
  await admin.unverifyAddress({ identityId, address: email, keepSessions: true });
  await admin.verifyAddress({ identityId, address: email });

  const settings = new Settings(app, third);
  await settings.submit("profile", {}, { traits: { email, name: "Ada" } });
  await sessionTokenOf(app, email);
  await settings.submit("password", { password: "a harbour lantern" });
  const { settings: withApp } = await setUpTotp(app, { sessionToken: settings.token });
  await makeBackupCodes(withApp);
  await withApp.submit("deleteAccount", { confirmed: true });
  await admin.cancelIdentityDeletion({ identityId });

  const timing = RequiredActionTiming.WHEN_CONVENIENT;
  const action = { case: "kind", value: RequiredActionKind.SET_PASSWORD } as const;
  await admin.setRequiredActions({ identityId, requiredActions: [{ action, timing }] });
  const password = { value: { case: "password", value: "another horse battery" } } as const;
  await admin.setPassword({ identityId, password });
  await admin.setRequiredActions({ identityId, requiredActions: [], endSessions: true });
  const traitsChange = { case: "traits", value: { email: freshEmail() } } as const;
  await admin.updateIdentity({ identityId, traitsChange });
  await sessions.revokeIdentitySessions({ identityId });
  await admin.deactivateIdentity({ identityId });
  await admin.activateIdentity({ identityId });
  await admin.deleteIdentity({ identityId });

  const other = await register(app);
  await sessions.revokeSession({ sessionId: other.session?.id ?? "" });
  const another = await register(app);
  await app.client(SessionService, { bearer: another.sessionToken }).logout({});
  expect([sessionToken, second]).toHaveLength(2);
}

test("every change of what is kept of a session comes with an event that drops it (SR-CACHE-1)", async () => {
  await live();
  const { count, unnoticed, untold } = await keptChanges(app.databaseUrl);
  expect(unnoticed).toEqual([]);
  expect(untold).toEqual([]);
  expect(count).toBeGreaterThan(20);
});

test("a change without an event would be noticed", async () => {
  const { session } = await register(app);
  await administer(app.databaseUrl, (query) =>
    query("UPDATE ostiary.session SET revoked_at = updated_at WHERE id = $1", [session?.id]),
  );
  const { unnoticed, untold } = await keptChanges(app.databaseUrl);
  expect([unnoticed, untold].map(({ length }) => length)).toEqual([1, 1]);
});
