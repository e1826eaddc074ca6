import { randomUUID } from "node:crypto";
import { durationFromMs, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { InvitationState } from "../../gen/ostiary/identity/v1/invitation_pb.js";
import {
  CreateInvitationResponseSchema,
  InvitationService,
} from "../../gen/ostiary/identity/v1/invitation_service_pb.js";
import { freshEmail } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { begin, complete, invitationIn, invite, resultOf } from "../support/invitations.ts";
import { administer } from "../support/postgres.ts";

const page = "https://app.example.com/join";
const unknownId = "01890000-0000-7000-8000-000000000000";
const dayMs = 86_400_000;
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp({
    config: { tenant_defaults: { flows: { registration: { ui_url: page } } } },
  });
});

afterAll(() => app.stop());

const invitations = () => app.client(InvitationService);

/** By the server's clock, which is years away from this machine's. */
const expiresIn = (milliseconds: number) => ({
  expiration: {
    case: "expireTime",
    value: timestampFromDate(new Date(app.clock.now().getTime() + milliseconds)),
  } as const,
});

describe.each(protocols)("over %s", (protocol) => {
  test("an invitation is handed over once, shown without its token, listed, and revoked", async () => {
    const client = app.client(InvitationService, { protocol });
    const made = await client.createInvitation({
      traits: { name: "Ada" },
      publicMetadata: { plan: "gold" },
      adminMetadata: { note: "vip" },
    });
    expect(made.invitationToken).toMatch(/^ost_inv_default_/);
    expect(made.registrationUrl).toBe(`${page}#invitation=${made.invitationToken}`);
    expect(made.invitation).toMatchObject({
      state: InvitationState.PENDING,
      address: "",
      schemaId: "default",
      traits: { name: "Ada" },
      publicMetadata: { plan: "gold" },
      adminMetadata: { note: "vip" },
      identityId: "",
    });
    const { createTime, expireTime, id: invitationId = "" } = made.invitation ?? {};
    const lifetimeMs =
      expireTime && createTime && timestampDate(expireTime).getTime() - timestampDate(createTime).getTime();
    expect(lifetimeMs).toBe(7 * dayMs);

    const { invitation } = await client.getInvitation({ invitationId });
    expect(invitation).toEqual(made.invitation);
    const listed = await client.listInvitations({ state: InvitationState.PENDING });
    expect(listed.invitations.find(({ id }) => id === invitationId)).toEqual(made.invitation);

    const revoked = await client.revokeInvitation({ invitationId });
    expect(revoked.invitation?.state).toBe(InvitationState.REVOKED);
    expect(revoked.invitation?.revokeTime).toBeDefined();
    // Revoking it again changes nothing.
    app.clock.advance(1000);
    expect(await client.revokeInvitation({ invitationId })).toEqual(revoked);
  });

  test("an invitation is sent to an address, and then only the message has its token", async () => {
    const address = freshEmail();
    const client = app.client(InvitationService, { protocol });
    const made = await client.createInvitation({ address: ` ${address.toUpperCase()} `, language: "de" });
    expect([made.invitationToken, made.registrationUrl]).toEqual(["", ""]);
    expect(made.invitation).toMatchObject({ address, traits: { email: address } });
    const sent = await app.messages(address);
    expect(sent.map(({ template, suppressed }) => ({ template, suppressed }))).toEqual([
      { template: "invitation", suppressed: false },
    ]);
    expect(sent[0]?.url).toMatch(/^https:\/\/app\.example\.com\/join#invitation=ost_inv_default_/);
    const [row] = await administer(app.databaseUrl, (query) =>
      query<{ language: string; expires: Date }>(
        "SELECT language, expires_at AS expires FROM ostiary.message WHERE recipient = $1",
        [address],
      ),
    );
    const expireTime = made.invitation?.expireTime;
    expect(row).toEqual({ language: "de", expires: expireTime && timestampDate(expireTime) });
  });

  test("what cannot be an invitation is refused with its field", async () => {
    const client = app.client(InvitationService, { protocol });
    const bad = { code: "InvalidArgument", reason: "REQUEST_INVALID" };
    const refusals: [Parameters<typeof client.createInvitation>[0], object][] = [
      [{ address: "nobody" }, { ...bad, fields: ["address"] }],
      [{ expiration: { case: "lifetime", value: durationFromMs(59_000) } }, { ...bad, fields: ["lifetime"] }],
      [
        { expiration: { case: "lifetime", value: durationFromMs(30 * dayMs + 1000) } },
        { ...bad, fields: ["lifetime"] },
      ],
      [expiresIn(0), { ...bad, fields: ["expireTime"] }],
      [expiresIn(-1000), { ...bad, fields: ["expireTime"] }],
      [expiresIn(30 * dayMs + 1), { ...bad, fields: ["expireTime"] }],
      [{ language: "../de" }, { ...bad, fields: ["language"] }],
      [{ publicMetadata: { x: "x".repeat(17_000) } }, { ...bad, fields: ["publicMetadata.x"] }],
      [
        { traits: { email: "none" } },
        { code: "InvalidArgument", reason: "TRAITS_INVALID", fields: ["traits.email"] },
      ],
      [{ schemaId: "none" }, { code: "NotFound", reason: "SCHEMA_NOT_FOUND" }],
    ];
    for (const [request, expected] of refusals) {
      expect(await refusal(client.createInvitation(request))).toMatchObject(expected);
    }
  });

  test("an invitation ends at a time or after a lifetime, whichever was asked for", async () => {
    const client = app.client(InvitationService, { protocol });
    const atTime = await client.createInvitation(expiresIn(30 * dayMs));
    const afterHour = await client.createInvitation({
      expiration: { case: "lifetime", value: durationFromMs(3_600_000) },
    });
    const now = app.clock.now().getTime();
    const ends = [atTime, afterHour].map(({ invitation }) => invitation?.expireTime);
    expect(ends).toEqual([30 * dayMs, 3_600_000].map((after) => timestampFromDate(new Date(now + after))));
  });

  test("an unknown one is not found, and a used one cannot be revoked", async () => {
    const client = app.client(InvitationService, { protocol });
    const calls = [
      () => client.getInvitation({ invitationId: unknownId }),
      () => client.revokeInvitation({ invitationId: unknownId }),
    ];
    for (const call of calls) {
      expect(await refusal(call())).toMatchObject({ code: "NotFound", reason: "INVITATION_NOT_FOUND" });
    }
    const { id: invitationId, token } = await invite(app);
    const { id: flowId } = await begin(app, token, protocol);
    expect(await resultOf(complete(app, flowId, undefined, protocol))).toBe("completed");
    const refused = await refusal(client.revokeInvitation({ invitationId }));
    expect(refused).toMatchObject({
      code: "FailedPrecondition",
      reason: "INVITATION_NOT_PENDING",
      metadata: { state: "used" },
    });
    expect(refused.remedy).toContain("identity");
  });
});

test("an invitation to a telephone number goes as a text message", async () => {
  const { invitation } = await invitations().createInvitation({ address: "+41 44 668 18 00" });
  // The schema has no field for it, so the form is not filled in.
  expect([invitation?.address, invitation?.traits]).toEqual(["+41446681800", undefined]);
  const rows = await administer(app.databaseUrl, (query) =>
    query("SELECT channel, template FROM ostiary.message WHERE recipient = $1", ["+41446681800"]),
  );
  expect(rows).toEqual([{ channel: "sms", template: "invitation" }]);
});

test("states follow the times and what happened, and an expired one is revoked without an error", async () => {
  const used = await invite(app);
  await complete(app, (await begin(app, used.token)).id);
  const lifetime = { case: "lifetime", value: durationFromMs(60_000) } as const;
  const expired = await invite(app, { expiration: lifetime });
  app.clock.advance(60_000);
  const pending = await invite(app);
  const state = async (invitationId: string) => {
    const { invitation } = await invitations().getInvitation({ invitationId });
    return invitation?.state;
  };
  expect(await state(used.id)).toBe(InvitationState.USED);
  expect(await state(expired.id)).toBe(InvitationState.EXPIRED);
  expect(await state(pending.id)).toBe(InvitationState.PENDING);
  const after = await invitations().revokeInvitation({ invitationId: expired.id });
  expect(after.invitation?.state).toBe(InvitationState.EXPIRED);

  const { invitation } = await invitations().getInvitation({ invitationId: used.id });
  const { identity } = await app
    .client(IdentityService)
    .getIdentity({ identityId: invitation?.identityId ?? "" });
  expect(invitation?.useTime).toEqual(identity?.createTime);
  expect(invitation?.updateTime).toEqual(invitation?.useTime);
});

test("lists are paged and filtered, and a page token serves no other filter", async () => {
  const address = freshEmail();
  for (let count = 0; count < 3; count++) await invite(app, { address });
  const first = await invitations().listInvitations({ address: address.toUpperCase(), pageSize: 2 });
  expect(first.invitations).toHaveLength(2);
  const rest = { address: address.toUpperCase(), pageSize: 2, pageToken: first.nextPageToken };
  const second = await invitations().listInvitations(rest);
  expect([second.invitations.length, second.nextPageToken]).toEqual([1, ""]);
  const ids = [...first.invitations, ...second.invitations].map(({ id }) => id);
  expect(ids).toEqual([...ids].sort().reverse());
  const changed = { pageToken: first.nextPageToken, state: InvitationState.USED };
  expect((await refusal(invitations().listInvitations(changed))).reason).toBe("PAGE_TOKEN_INVALID");
  expect((await invitations().listInvitations({ address: "a\u0000b" })).invitations).toEqual([]);
});

test("inviting needs a scope of its own, reading that of identities", async () => {
  const { id: invitationId } = await invite(app);
  const { secret } = await app
    .client(ApiKeyService)
    .createApiKey({ name: "support", scopes: ["identity:read", "identity:create"] });
  const client = app.client(InvitationService, { bearer: secret });
  expect((await client.getInvitation({ invitationId })).invitation?.id).toBe(invitationId);
  expect((await client.listInvitations({})).invitations).not.toEqual([]);
  for (const call of [() => client.createInvitation({}), () => client.revokeInvitation({ invitationId })]) {
    expect(await refusal(call())).toMatchObject({
      code: "PermissionDenied",
      reason: "API_KEY_SCOPE_MISSING",
      metadata: { scope: "identity:invite" },
    });
  }
});

test("the same request id gives the same invitation, another request with it is refused", async () => {
  const request = { requestId: randomUUID(), traits: { name: "Ada" } };
  const first = await invitations().createInvitation(request);
  expect(await invitations().createInvitation(request)).toEqual(first);
  const other = invitations().createInvitation({ ...request, traits: { name: "Eve" } });
  expect((await refusal(other)).reason).toBe("REQUEST_ID_REUSED");
  const address = freshEmail();
  const sent = { requestId: randomUUID(), address };
  await invitations().createInvitation(sent);
  await invitations().createInvitation(sent);
  expect(await app.messages(address)).toHaveLength(1);
});

// Security rule (SR-INVITE-3): of an invitation's token only the digest is stored, and it is in no log.
test("a token is kept as a digest alone, and its fields are marked as secrets", async () => {
  const { invitationToken } = await invitations().createInvitation({ requestId: randomUUID() });
  const address = freshEmail();
  await invitations().createInvitation({ address });
  const mailed = invitationIn((await app.messages(address))[0]?.url ?? "");
  const rows = await administer(app.databaseUrl, async (query) => [
    await query("SELECT * FROM ostiary.invitation"),
    await query("SELECT * FROM ostiary.message"),
    await query("SELECT * FROM ostiary.event"),
    await query("SELECT * FROM ostiary.idempotency_record"),
  ]);
  for (const secret of [invitationToken, mailed]) {
    expect(secret).toMatch(/^ost_inv_/);
    expect(JSON.stringify(rows)).not.toContain(secret);
    expect(JSON.stringify(app.log)).not.toContain(secret);
  }
  const secrets = CreateInvitationResponseSchema.fields.filter(({ proto }) => proto.options?.debugRedact);
  expect(secrets.map(({ name }) => name)).toEqual(["invitation_token", "registration_url"]);
});

test("what happens to an invitation is recorded, without its token and traits", async () => {
  const handed = await invite(app, { traits: { name: "Ada" } });
  const sent = await invite(app, { address: freshEmail() });
  await invitations().revokeInvitation({ invitationId: sent.id });
  const { outcome } = await complete(app, (await begin(app, handed.token)).id);
  const identityId = outcome.case === "completed" ? outcome.value.signedIn?.identity?.id : undefined;
  const events = await administer(app.databaseUrl, (query) =>
    query(
      `SELECT type, actor ->> 'kind' AS actor, identity_id AS "identityId", data FROM ostiary.event
        WHERE type LIKE 'invitation.%' AND data ->> 'invitationId' = ANY ($1) ORDER BY position`,
      [[handed.id, sent.id]],
    ),
  );
  expect(events).toEqual([
    {
      type: "invitation.created",
      actor: "api_key",
      identityId: null,
      data: { invitationId: handed.id, delivery: "handed_over" },
    },
    {
      type: "invitation.created",
      actor: "api_key",
      identityId: null,
      data: { invitationId: sent.id, delivery: "sent" },
    },
    { type: "invitation.revoked", actor: "api_key", identityId: null, data: { invitationId: sent.id } },
    { type: "invitation.used", actor: "identity", identityId, data: { invitationId: handed.id } },
  ]);
});

test("without a page an invitation is handed over as a token, and none is sent", async () => {
  const bare = await startTestApp({ config: { server: { ui: { enabled: false } } } });
  try {
    const client = bare.client(InvitationService);
    const made = await client.createInvitation({});
    expect([made.invitationToken.slice(0, 8), made.registrationUrl]).toEqual(["ost_inv_", ""]);
    expect(await resultOf(complete(bare, (await begin(bare, made.invitationToken)).id))).toBe("completed");
    const refused = await refusal(client.createInvitation({ address: freshEmail() }));
    expect(refused).toMatchObject({
      code: "FailedPrecondition",
      reason: "UI_URL_MISSING",
      metadata: { flow: "registration" },
    });
  } finally {
    await bare.stop();
  }
});
