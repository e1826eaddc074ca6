import { timestampDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MethodKind } from "../../gen/ostiary/common/v1/method_kind_pb.js";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import {
  LoginFailureReason,
  LoginOutcome,
  type LoginRecord,
  LoginRecordPurpose,
} from "../../gen/ostiary/identity/v1/login_record_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { newId } from "../../src/domain/ids.ts";
import { goodPassword, logIn, register, sessionTokenOf } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { tokenOf } from "../support/links.ts";
import { administer } from "../support/postgres.ts";

let app: TestApp;

beforeAll(async () => {
  app = await startTestApp({
    config: {
      tenant_defaults: {
        link: { enabled: true },
        flows: { recovery: { ui_url: "https://app.example.com/recover" } },
      },
    },
  });
});

afterAll(() => app.stop());

function brief({ purpose, outcome, method, failureReason }: LoginRecord) {
  const done = [LoginRecordPurpose[purpose], LoginOutcome[outcome], MethodKind[method]];
  const why = failureReason === LoginFailureReason.UNSPECIFIED ? [] : [LoginFailureReason[failureReason]];
  return [...done, ...why].join(" ");
}

/** An account with a history: made, a wrong password, a wrong code, a right password, an operator's recovery link. */
async function withHistory() {
  const { email, identity, session } = await register(app);
  const identityId = identity?.id ?? "";
  await logIn(app, email, "not the password");
  app.clock.advance(1);
  const client = app.client(LoginService);
  const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
  const flowId = flow?.id ?? "";
  await client.submitLoginFlow({ flowId, identifier: email, step: { case: "sendCode", value: {} } });
  await client.submitLoginFlow({ flowId, step: { case: "code", value: { code: "000000" } } });
  const token = await sessionTokenOf(app, email);
  app.clock.advance(1);
  const { recoveryUrl } = await app.client(IdentityService).createRecoveryLink({ identityId });
  const recovery = app.client(RecoveryService);
  const begun = await recovery.createRecoveryFlow({
    client: ClientKind.NATIVE,
    linkToken: tokenOf(recoveryUrl),
  });
  await recovery.submitRecoveryFlow({
    flowId: begun.flow?.id ?? "",
    step: { case: "confirmLink", value: {} },
  });
  return { identityId, token, sessionId: session?.id ?? "" };
}

const history = [
  "RECOVERY SUCCEEDED LINK",
  "SIGN_IN SUCCEEDED PASSWORD",
  // Nothing was sent to the unverified address, and no identity is named: the code was nobody's.
  "SIGN_IN FAILED PASSWORD CREDENTIALS_INVALID",
  "REGISTRATION SUCCEEDED PASSWORD",
];

describe.each(protocols)("the login history over %s", (protocol) => {
  test("is shown to operators and to the owner, newest first, with how and from where", async () => {
    const { identityId, token, sessionId } = await withHistory();
    const { records } = await app.client(IdentityService, { protocol }).listLoginHistory({ identityId });
    expect(records.map(brief)).toEqual(history);
    const own = await app.client(SessionService, { protocol, bearer: token }).listOwnLoginHistory({});
    expect(own.records).toEqual(records);
    const made = records.at(-1);
    expect(made).toMatchObject({ ipAddress: "127.0.0.1", sessionId });
    expect(made?.userAgent).toMatch(/./);
    const times = records.map(({ createTime }) => createTime && timestampDate(createTime).getTime());
    expect(times).toEqual([...times].sort((one, other) => (other ?? 0) - (one ?? 0)));
  });

  test("is read page by page; a page token is good for one identity alone", async () => {
    const { identityId, token } = await withHistory();
    const client = app.client(IdentityService, { protocol });
    const seen: string[] = [];
    let pageToken = "";
    do {
      const answer = await client.listLoginHistory({ identityId, pageSize: 3, pageToken });
      seen.push(...answer.records.map(brief));
      pageToken = answer.nextPageToken;
      if (pageToken === "") break;
      const other = client.listLoginHistory({
        identityId: (await register(app)).identity?.id ?? "",
        pageToken,
      });
      expect((await refusal(other)).reason).toBe("PAGE_TOKEN_INVALID");
      const owned = await app
        .client(SessionService, { protocol, bearer: token })
        .listOwnLoginHistory({ pageToken });
      expect(owned.records.map(brief)).toEqual(history.slice(3));
    } while (pageToken !== "");
    expect(seen).toEqual(history);
  });
});

test("is nobody else's: the owner sees their own, and unknown identities are refused (V8.2.1)", async () => {
  const [ada, bob] = [await withHistory(), await register(app)];
  const { records } = await app.client(SessionService, { bearer: bob.sessionToken }).listOwnLoginHistory({});
  expect(records.map(brief)).toEqual(["REGISTRATION SUCCEEDED PASSWORD"]);
  const anonymous = app.client(SessionService).listOwnLoginHistory({});
  expect((await refusal(anonymous)).reason).toBe("SESSION_CREDENTIAL_MISSING");
  const identityId = ada.identityId.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
  const unknown = app.client(IdentityService).listLoginHistory({ identityId });
  expect((await refusal(unknown)).reason).toBe("IDENTITY_NOT_FOUND");
});

test("is found by an index", async () => {
  const plan = await administer(app.databaseUrl, async (query) => {
    await query("SET enable_seqscan = off");
    await query("SET enable_sort = off");
    const somebody = `'${newId(new Date())}'::uuid`;
    return query<{ "QUERY PLAN": string }>(
      `EXPLAIN SELECT id FROM ostiary.event e WHERE e.tenant_id = ${somebody} AND e.identity_id = ${somebody}
        AND e.retention_class IN ('sign_ins', 'failures')
        AND e.type IN ('login.succeeded', 'login.failed', 'registration.succeeded', 'recovery.succeeded')
        ORDER BY e.created_at DESC, e.id DESC LIMIT 3`,
    );
  });
  expect(JSON.stringify(plan)).toContain("event_sign_ins_default_tenant_id_identity_id_created_at_id_idx");
  expect(JSON.stringify(plan)).not.toMatch(/Seq Scan|event_changes/);
});

test("Security rule (SR-INPUT-1): of a long User-Agent 512 characters are kept, in events and in sessions", async () => {
  const { email, identity } = await register(app);
  const client = app.client(LoginService, { headers: { "user-agent": "x".repeat(15_000) } });
  for (const password of ["not the password", goodPassword]) {
    const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
    const step = { case: "password", value: { password } } as const;
    await client.submitLoginFlow({ flowId: flow?.id ?? "", identifier: email, step });
  }
  const rows = await administer(app.databaseUrl, (query) =>
    query<{ readonly length: number }>(
      `SELECT length(user_agent) AS length FROM ostiary.event WHERE identity_id = $1 AND user_agent LIKE 'xx%'
       UNION ALL SELECT length(user_agent) FROM ostiary.session WHERE identity_id = $1 AND user_agent LIKE 'xx%'`,
      [identity?.id],
    ),
  );
  expect(rows.length).toBeGreaterThanOrEqual(3);
  expect(new Set(rows.map(({ length }) => length))).toEqual(new Set([512]));
});
