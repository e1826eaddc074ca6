import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { type Identity, IdentityState } from "../../gen/ostiary/identity/v1/identity_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionService, SessionView } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword, logIn, register } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { links, nobody } from "../support/batches.ts";
import { refusal } from "../support/errors.ts";
import { tokenOf } from "../support/links.ts";
import { administer } from "../support/postgres.ts";

let app: TestApp;

const anAddress = () => ({
  ...{ type: "string", format: "email" },
  ostiary: { identifier: "email", verifiable: "email", recovery: "email" },
});
const properties = { email: anAddress(), second: anAddress() };
const document = { type: "object", properties, required: ["email"] };

beforeAll(async () => {
  const identity = { schemas: [{ id: "default", document }] };
  app = await startTestApp({ config: { tenant_defaults: { ...links.tenant_defaults, identity } } });
});

afterAll(() => app.stop());

const templates = async (email: string) => (await app.messages(email)).map(({ template }) => template).sort();

const events = (identityId: string) =>
  administer(app.databaseUrl, (query) =>
    query<{ type: string; actor: string }>(
      `SELECT type, actor ->> 'kind' AS actor FROM ostiary.event
        WHERE identity_id = $1 AND type LIKE 'address.%' ORDER BY position`,
      [identityId],
    ),
  );

function verifiedAt(identity: Identity | undefined): Date | undefined {
  const time = identity?.addresses[0]?.verifyTime;
  return time && timestampDate(time);
}

describe.each(protocols)("over %s", (protocol) => {
  const client = () => app.client(IdentityService, { protocol });

  test("an operator vouches for an address of an identity, and takes that back", async () => {
    const { email, identity: made, sessionToken } = await register(app);
    const identityId = made?.id ?? "";
    const own = app.client(SessionService, { protocol, bearer: sessionToken });
    const before = await own.getCurrentSession({ view: SessionView.FULL });
    expect(before.identity?.addresses).toMatchObject([
      { value: email, path: "email", verifiable: true, recovers: true, primary: false },
    ]);
    const address = ` ${email.toUpperCase()}`;
    const { identity } = await client().verifyAddress({ identityId, address });
    expect(verifiedAt(identity)).toEqual(app.clock.now());
    expect(identity?.addresses[0]?.primary).toBe(true);
    expect(["", undefined, before.identity?.etag]).not.toContain(identity?.etag);
    // A second time nothing changes; and the owner, whom nothing ended, sees it as well.
    expect((await client().verifyAddress({ identityId, address })).identity).toEqual(identity);
    const after = await own.getCurrentSession({ view: SessionView.FULL });
    expect(after.identity?.addresses).toEqual(identity?.addresses);
    expect(after.identity?.etag).toBe(identity?.etag);
    await client().batchSendRecoveryMessages({ identityIds: [identityId] });

    const taken = await client().unverifyAddress({ identityId, address });
    expect(verifiedAt(taken.identity)).toBeUndefined();
    expect((await client().unverifyAddress({ identityId, address })).identity).toEqual(taken.identity);
    expect(await templates(email)).toEqual(["address_removed", "recovery_link", "verification_code"]);
    expect((await refusal(own.getCurrentSession({ view: SessionView.FULL }))).reason).toBe("SESSION_REVOKED");
    expect(await events(identityId)).toEqual([
      { type: "address.verified", actor: "api_key" },
      { type: "address.unverified", actor: "api_key" },
    ]);
  });

  test("no address of the identity, and nobody, is refused", async () => {
    const { identity } = await register(app);
    for (const call of [client().verifyAddress, client().unverifyAddress]) {
      const foreign = call({ identityId: identity?.id ?? "", address: freshEmail() });
      expect((await refusal(foreign)).reason).toBe("ADDRESS_NOT_USABLE");
      const unknown = call({ identityId: nobody, address: freshEmail() });
      expect((await refusal(unknown)).reason).toBe("IDENTITY_NOT_FOUND");
    }
  });

  test("an import keeps when an identity was made, when its address was verified, and that it is inactive", async () => {
    const email = freshEmail();
    const now = app.clock.now();
    const [made, shown] = [new Date("2019-05-01T10:00:00Z"), new Date("2020-02-03T04:05:06Z")];
    const { identity } = await client().createIdentity({
      traits: { email },
      verifiedAddresses: [{ value: email, verifyTime: timestampFromDate(shown) }],
      credentials: { password: { value: { case: "password", value: goodPassword } } },
      state: IdentityState.INACTIVE,
      createTime: timestampFromDate(made),
    });
    expect(identity?.createTime && timestampDate(identity.createTime)).toEqual(made);
    expect(verifiedAt(identity)).toEqual(shown);
    expect(identity?.state).toBe(IdentityState.INACTIVE);
    expect((await logIn(app, email)).case).toBe("rejected");
    const { credentials } = await client().listCredentials({ identityId: identity?.id ?? "" });
    expect(credentials[0]?.createTime && timestampDate(credentials[0].createTime)).toEqual(now);

    const future = timestampFromDate(new Date(app.clock.now().getTime() + 1000));
    const early = client().createIdentity({
      traits: { email: freshEmail() },
      createTime: future,
    });
    expect(await refusal(early)).toMatchObject({ reason: "REQUEST_INVALID", fields: ["createTime"] });
    const other = freshEmail();
    const unshown = client().createIdentity({
      traits: { email: other },
      verifiedAddresses: [{ value: other, verifyTime: future }],
    });
    expect(await refusal(unshown)).toMatchObject({
      reason: "REQUEST_INVALID",
      fields: ["verifiedAddresses.0.verifyTime"],
    });
  });
});

// Security rule (SR-OWNER-10): no link outlives the address that it rests on, and the owner is told at every address that was verified.
test("the owner is told at their other address, and the link that was sent is dead", async () => {
  const [email, second] = [freshEmail(), freshEmail()];
  const client = app.client(IdentityService);
  const { identity } = await client.createIdentity({
    traits: { email, second },
    verifiedAddresses: [{ value: email }, { value: second }],
  });
  const identityId = identity?.id ?? "";
  await client.batchSendRecoveryMessages({ identityIds: [identityId] });
  const [sent] = await app.messages(email);
  const linkToken = tokenOf(sent?.url ?? "");
  const open = () => app.client(RecoveryService).createRecoveryFlow({ client: ClientKind.NATIVE, linkToken });
  expect((await open()).flow?.stage.case).toBe("confirmLink");

  await client.unverifyAddress({ identityId, address: email });
  expect(await templates(second)).toEqual(["address_removed"]);
  expect(await templates(email)).toEqual(["address_removed", "recovery_link"]);
  expect((await refusal(open())).reason).toBe("LINK_INVALID");
});

// Security rule (SR-OWNER-10): no session outlives the address that it may rest on, unless the operator says that it does.
test("sessions go on where the operator says so", async () => {
  const { email, identity, sessionToken } = await register(app);
  const identityId = identity?.id ?? "";
  const client = app.client(IdentityService);
  await client.verifyAddress({ identityId, address: email });
  await client.unverifyAddress({ identityId, address: email, keepSessions: true });
  const own = app.client(SessionService, { bearer: sessionToken });
  expect((await own.getCurrentSession({ view: SessionView.FULL })).identity?.id).toBe(identityId);
});

test("of sixteen that vouch at the same moment one is recorded", async () => {
  const { email, identity } = await register(app);
  const identityId = identity?.id ?? "";
  const client = app.client(IdentityService);
  await Promise.all(Array.from({ length: 16 }, () => client.verifyAddress({ identityId, address: email })));
  expect(await events(identityId)).toHaveLength(1);
});
