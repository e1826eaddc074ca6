import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword, sessionTokenOf } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { deletePassword } from "../support/credentials.ts";
import { refusal } from "../support/errors.ts";
import { settingsAfter } from "../support/links.ts";
import { administer } from "../support/postgres.ts";
import { isLive } from "../support/sessions.ts";

const password = { value: { case: "password", value: "chosen by an operator" } } as const;
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(() => app.stop());

const identities = () => app.client(IdentityService);

interface Account {
  readonly email: string;
  readonly id: string;
}

async function verifiedAccount(): Promise<Account> {
  const email = freshEmail();
  const { identity } = await identities().createIdentity({
    traits: { email },
    verifiedAddresses: [{ value: email }],
    credentials: { password: { value: { case: "password", value: goodPassword } } },
  });
  return { email, id: identity?.id ?? "" };
}

async function newestCode(email: string): Promise<string> {
  return (await app.messages(email)).filter(({ code }) => code !== "").at(-1)?.code ?? "";
}

/** A login that waits for its code, as a call that enters it. */
async function awaitedLogin({ email }: Account) {
  app.clock.advance(1);
  const client = app.client(LoginService);
  const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
  const flowId = flow?.id ?? "";
  await client.submitLoginFlow({ flowId, identifier: email, step: { case: "sendCode", value: {} } });
  const code = await newestCode(email);
  return () => client.submitLoginFlow({ flowId, step: { case: "code", value: { code } } });
}

/** A recovery that only waits for the new secret, as a call that sets it. */
async function recovered({ email }: Account) {
  app.clock.advance(1);
  const client = app.client(RecoveryService);
  const { flow } = await client.createRecoveryFlow({ client: ClientKind.NATIVE });
  const flowId = flow?.id ?? "";
  await client.submitRecoveryFlow({ flowId, address: email, step: { case: "sendCode", value: {} } });
  const code = await newestCode(email);
  const used = await client.submitRecoveryFlow({ flowId, step: { case: "code", value: { code } } });
  const step = { case: "password", value: { password: "set by whoever recovered" } } as const;
  return () => app.client(SettingsService).submitSettingsFlow({ flowId: settingsAfter(used), step });
}

async function templatesTo(email: string): Promise<readonly string[]> {
  return (await app.messages(email)).map(({ template }) => template);
}

// The flow itself says nothing of the change.
const deadCode = { outcome: { case: "rejected", value: { reason: RejectionReason.CODE_INVALID } } };

interface Change {
  readonly make: (account: Account, keepSessions: boolean) => Promise<unknown>;
  readonly notice: string;
  readonly canKeepSessions: boolean;
}

const changes: Record<string, Change> = {
  "sets the password": {
    make: ({ id }, keepSessions) => identities().setPassword({ identityId: id, password, keepSessions }),
    notice: "password_changed",
    canKeepSessions: true,
  },
  "removes the password": {
    make: ({ id }) => deletePassword(identities(), id),
    notice: "credential_removed",
    canKeepSessions: false,
  },
  "changes the address": {
    make: ({ id }, keepSessions) =>
      identities().updateIdentity({
        identityId: id,
        traitsChange: { case: "traits", value: { email: freshEmail() } },
        keepSessions,
      }),
    notice: "address_changed",
    canKeepSessions: true,
  },
};

describe("what was begun before an operator changes an account", () => {
  test.each(Object.entries(changes))(
    "ends when one %s: codes, recoveries, sessions; the owner is told (V7.4.3, SR-OWNER-10)",
    async (_name, change) => {
      const { make, notice } = change;
      const account = await verifiedAccount();
      const token = await sessionTokenOf(app, account.email);
      // A recovery ends what was on its way before it, so it comes first.
      const setSecret = await recovered(account);
      const enterCode = await awaitedLogin(account);
      await make(account, false);
      expect(await enterCode()).toMatchObject(deadCode);
      expect((await refusal(setSecret())).reason).toBe("FLOW_COMPLETED");
      expect(await isLive(app, token)).toBe(false);
      const told = (await app.messages(account.email)).filter(({ template }) => template === notice);
      expect(told.map(({ suppressed }) => suppressed)).toEqual([false]);
    },
  );

  const keeping = Object.entries(changes).filter(([, { canKeepSessions }]) => canKeepSessions);
  test.each(keeping)("ends when one %s and asks to keep sessions, but for these", async (_name, change) => {
    const { make, notice } = change;
    const account = await verifiedAccount();
    const token = await sessionTokenOf(app, account.email);
    const enterCode = await awaitedLogin(account);
    await make(account, true);
    expect(await isLive(app, token)).toBe(true);
    expect(await enterCode()).toMatchObject(deadCode);
    expect(await templatesTo(account.email)).toContain(notice);
  });
});

describe("an operator who changes", () => {
  test("something else ends nothing and tells nobody (the control)", async () => {
    const account = await verifiedAccount();
    const token = await sessionTokenOf(app, account.email);
    const enterCode = await awaitedLogin(account);
    const { email, id } = account;
    await identities().updateIdentity({
      identityId: id,
      traitsChange: { case: "traits", value: { email, name: "Ada" } },
      publicMetadataChange: { case: "publicMetadata", value: { plan: "x" } },
    });
    expect((await enterCode()).outcome.case).toBe("completed");
    expect(await isLive(app, token)).toBe(true);
    // Of the login by password, and the code of the other one.
    expect([...(await templatesTo(email))].sort()).toEqual(["login_code", "login_new_device"]);
  });

  test("one account leaves others alone", async () => {
    const [one, other] = [await verifiedAccount(), await verifiedAccount()];
    const token = await sessionTokenOf(app, other.email);
    const enterCode = await awaitedLogin(other);
    await identities().setPassword({ identityId: one.id, password });
    expect((await enterCode()).outcome.case).toBe("completed");
    expect(await isLive(app, token)).toBe(true);
  });

  test("an unverified address writes to nobody: it might be anybody's", async () => {
    const email = freshEmail();
    const { identity } = await identities().createIdentity({ traits: { email } });
    await identities().setPassword({ identityId: identity?.id ?? "", password });
    expect(await app.messages(email)).toEqual([]);
  });

  test("the password while somebody recovers the account leaves no way in for them, 16 times", async () => {
    for (let round = 0; round < 16; round++) {
      const account = await verifiedAccount();
      app.clock.advance(1);
      const client = app.client(RecoveryService);
      const { flow } = await client.createRecoveryFlow({ client: ClientKind.NATIVE });
      const flowId = flow?.id ?? "";
      await client.submitRecoveryFlow({
        flowId,
        address: account.email,
        step: { case: "sendCode", value: {} },
      });
      const code = await newestCode(account.email);
      await Promise.allSettled([
        client.submitRecoveryFlow({ flowId, step: { case: "code", value: { code } } }),
        identities().setPassword({ identityId: account.id, password }),
      ]);
      // Either the recovery came first, and what it began is over, or it came too late.
      const open = await administer(app.databaseUrl, (query) =>
        query<{ kind: string }>("SELECT kind FROM ostiary.flow WHERE identity_id = $1 AND state = 'active'", [
          account.id,
        ]),
      );
      expect(open).toEqual([]);
    }
  });
});
