import { randomBytes } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { MethodKind } from "../../gen/ostiary/common/v1/method_kind_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import {
  IdentityService,
  type NewPasskeySchema,
  type NewTotpSchema,
  TotpAlgorithm,
} from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { AssuranceLevel } from "../../gen/ostiary/option/v1/demand_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword, logIn } from "../support/accounts.ts";
import { protocols, type TestApp } from "../support/app.ts";
import { verifiedAccount } from "../support/deletion.ts";
import { refusal } from "../support/errors.ts";
import { Settings } from "../support/factors.ts";
import {
  addPasskey,
  optionsOf,
  showPasskey,
  signedInBy,
  signInWith,
  startPasskeyApp,
} from "../support/passkeys.ts";
import { administer } from "../support/postgres.ts";
import { algorithms, SoftwareAuthenticator } from "../support/software-authenticator.ts";
import { TotpDevice } from "../support/totp-device.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startPasskeyApp();
});
afterAll(() => app.stop());
// Codes of one account are of different times, and messages sort by theirs.
beforeEach(() => app.clock.advance(60_000));

type Passkey = MessageInitShape<typeof NewPasskeySchema>;
type Totp = MessageInitShape<typeof NewTotpSchema>;

const admin = () => app.client(IdentityService);
const password = { value: { case: "password", value: goodPassword } } as const;
const key = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const base32 = (value: string): Pick<Totp, "key"> => ({ key: { case: "base32", value } });

/** A discoverable passkey that another server had made. */
function elsewhere(device = new SoftwareAuthenticator(), more: Passkey = {}): Passkey {
  return { ...device.createElsewhere(Buffer.from("user-4711")), discoverable: true, ...more };
}

/** Makes an account with credentials of another system. */
async function createWith(credentials: { totp?: Totp; passkeys?: readonly Passkey[]; password?: object }) {
  const email = freshEmail();
  const { identity } = await admin().createIdentity({
    ...{ traits: { email }, verifiedAddresses: [{ value: email }] },
    credentials: { password, ...credentials, passkeys: [...(credentials.passkeys ?? [])] },
  });
  return { email, id: identity?.id ?? "" };
}

/** Goes on with a login after the password. */
async function afterPassword(email: string, step: object) {
  const { flow } = await logIn(app, email);
  return app.client(LoginService).submitLoginFlow({ flowId: flow?.id ?? "", step: step as never });
}

const secretsOf = (identityId: string) =>
  administer(app.databaseUrl, (query) =>
    query<{ kind: string; secret: string; set_by_operator: boolean }>(
      "SELECT kind, secret, set_by_operator FROM ostiary.identity_credential WHERE identity_id = $1",
      [identityId],
    ),
  );

describe("an authenticator app of another system", () => {
  test.each<[string, Pick<Totp, "key">]>([
    ["as Base32", base32(key)],
    ["as people copy it", base32("gezd gnbv-GY3T QOJQ gezd gnbv gy3t qojq====")],
    ["as bytes", { key: { case: "raw", value: Buffer.from("12345678901234567890") } }],
    ["with parameters that are served", { ...base32(key), digits: 6, period: { seconds: 30n } } as Totp],
  ])("signs in as the second factor, %s", async (_name, totp) => {
    const { email, id } = await createWith({
      totp: { ...totp, algorithm: TotpAlgorithm.SHA1, label: "Phone" },
    });
    const device = TotpDevice.from(key, () => app.clock.now());
    const answer = await afterPassword(email, { case: "totp", value: { code: device.code() } });
    expect(signedInBy(answer).session?.assuranceLevel).toBe(AssuranceLevel.AAL2);
    // Not again.
    const again = await afterPassword(email, { case: "totp", value: { code: device.code() } });
    expect(again.outcome).toMatchObject({ value: { reason: RejectionReason.CODE_INVALID } });
    const { credentials } = await admin().listCredentials({ identityId: id });
    expect(credentials.find(({ kind }) => kind === MethodKind.TOTP)).toMatchObject({
      ...{ label: "Phone", secondFactor: true },
    });
  });

  test("may have 80 bits, and letters at its end that fill no byte", async () => {
    for (const short of ["JBSWY3DPEHPK3PXP", "JBSWY3DPEHPK3PXPJB"]) {
      const { email } = await createWith({ totp: base32(short) });
      const device = TotpDevice.from(short, () => app.clock.now());
      const answer = await afterPassword(email, { case: "totp", value: { code: device.code() } });
      expect(answer.outcome.case).toBe("completed");
    }
  });

  // Security rule (SR-TOTP-2): an imported key is sealed, as one that is set up here.
  test("is sealed, and in no answer, event or log", async () => {
    const { id } = await createWith({ totp: base32(key) });
    const stored = (await secretsOf(id)).find(({ kind }) => kind === "totp");
    expect(stored).toMatchObject({ set_by_operator: true });
    expect(stored?.secret).not.toContain(key);
    const answer = await admin().importCredentials({ identityId: id, totp: base32(key) });
    const events = await administer(app.databaseUrl, (query) =>
      query<{ data: object }>(
        "SELECT data FROM ostiary.event WHERE identity_id = $1 AND type = 'credential.set' ORDER BY position",
        [id],
      ),
    );
    expect(events.map(({ data }) => data)).toEqual([
      { kind: "password", imported: false },
      { kind: "totp", imported: true },
      { kind: "totp", imported: true },
    ]);
    const written = JSON.stringify([answer.credentials.map(({ details }) => details), events, app.log]);
    for (const spelling of [key, Buffer.from("12345678901234567890").toString("base64")]) {
      expect(written).not.toContain(spelling);
    }
  });

  test.each<[string, Totp, object]>([
    ["of less than 80 bits", base32("JBSWY3DPEHPK3PX"), { field: "base32", reason: "TOO_SHORT" }],
    [
      "of too few bytes",
      { key: { case: "raw", value: randomBytes(9) } },
      { field: "raw", reason: "TOO_SHORT" },
    ],
    ["of more than 512 bits", base32("A".repeat(112)), { field: "base32", reason: "TOO_LONG" }],
    ["that is no Base32", base32("not base 32!"), { field: "base32", reason: "FORMAT" }],
    ["of eight digits", { ...base32(key), digits: 8 }, { field: "digits", reason: "VALUE" }],
    ["of a minute", { ...base32(key), period: { seconds: 60n } }, { field: "period", reason: "VALUE" }],
    [
      "of SHA-256",
      { ...base32(key), algorithm: TotpAlgorithm.SHA256 },
      { field: "algorithm", reason: "VALUE" },
    ],
    [
      "of tomorrow",
      { ...base32(key), createTime: { seconds: 4_000_000_000n } },
      { field: "createTime", reason: "RANGE" },
    ],
  ])(
    "is refused with the reason: %s",
    async (_name, totp, { field, reason }: { field?: string; reason?: string }) => {
      expect(await refusal(createWith({ totp }))).toMatchObject({
        reason: "REQUEST_INVALID",
        violations: [{ field: `credentials.totp.${field}`, reason }],
      });
      const { id } = await createWith({});
      expect(await refusal(admin().importCredentials({ identityId: id, totp }))).toMatchObject({
        violations: [{ field: `totp.${field}`, reason }],
      });
    },
  );
});

describe("a passkey of another system", () => {
  describe.each(protocols)("over %s", (protocol) => {
    test.each(Object.keys(algorithms) as (keyof typeof algorithms)[])(
      "signs in by itself with the user handle of that system, %s",
      async (algorithm) => {
        const { id } = await createWith({});
        const device = new SoftwareAuthenticator({ algorithm, backupEligible: true, backedUp: true });
        const passkey = elsewhere(device, {
          ...{ transports: ["usb", "internal"], label: " Laptop ", backupEligible: true, backupState: true },
          aaguid: "AA000000-0000-4000-8000-000000000001",
          createTime: timestampFromDate(new Date("2024-02-03T04:05:06Z")),
        });
        const client = app.client(IdentityService, { protocol });
        const { credentials } = await client.importCredentials({ identityId: id, passkeys: [passkey] });
        expect(credentials).toMatchObject([
          {
            ...{ kind: MethodKind.PASSKEY, label: "Laptop", secondFactor: false },
            createTime: timestampFromDate(new Date("2024-02-03T04:05:06Z")),
            details: {
              case: "passkey",
              value: {
                ...{ synced: true, discoverable: true, transports: ["internal", "usb"] },
                aaguid: "aa000000-0000-4000-8000-000000000001",
              },
            },
          },
        ]);
        const { session } = signedInBy(await signInWith(app, device, protocol));
        expect(session).toMatchObject({
          assuranceLevel: AssuranceLevel.AAL2,
          authenticationMethods: [{ kind: MethodKind.PASSKEY, credentialId: credentials[0]?.id }],
        });
      },
    );
  });

  test("comes with a new account, of a batch as well", async () => {
    const [one, other] = [new SoftwareAuthenticator(), new SoftwareAuthenticator()];
    await createWith({ passkeys: [elsewhere(one)] });
    expect((await signInWith(app, one)).outcome.case).toBe("completed");
    const taken = elsewhere(one);
    const emails = [freshEmail(), freshEmail()];
    const requests = emails.map((email, index) => ({
      traits: { email },
      credentials: { passkeys: [index === 0 ? elsewhere(other) : { ...taken, publicKey: randomBytes(77) }] },
    }));
    const { results } = await admin().batchCreateIdentities({ requests });
    expect(results.map(({ result }) => result.case)).toEqual(["identity", "error"]);
    expect((await signInWith(app, other)).outcome.case).toBe("completed");
  });

  test("with another user handle than it was made with does not sign in", async () => {
    const device = new SoftwareAuthenticator();
    await createWith({ passkeys: [elsewhere(device, { userHandle: Buffer.from("other") })] });
    expect((await signInWith(app, device)).outcome).toMatchObject({
      value: { reason: RejectionReason.PASSKEY_INVALID },
    });
  });

  test("that names no user serves as the second factor alone", async () => {
    const device = new SoftwareAuthenticator({ discoverable: false, userVerified: false });
    const passkey = elsewhere(device, {
      discoverable: false,
      userHandle: Buffer.alloc(0),
      secondFactor: true,
    });
    const { email } = await createWith({ passkeys: [passkey] });
    const { flow } = await logIn(app, email);
    const shown = await showPasskey(app, flow?.id ?? "", device.get(optionsOf(flow)));
    expect(signedInBy(shown).session?.assuranceLevel).toBe(AssuranceLevel.AAL2);
    expect((await signInWith(app, device)).outcome.case).toBe("rejected");
  });

  test("counts on from where it was", async () => {
    const device = new SoftwareAuthenticator({ counts: true });
    await createWith({ passkeys: [elsewhere(device, { signCount: 2n })] });
    for (const expected of ["rejected", "rejected", "completed"]) {
      expect((await signInWith(app, device)).outcome.case).toBe(expected);
    }
  });

  test("has logins ask for all passkeys of the account once they ask for it", async () => {
    const { email, id } = await createWith({ passkeys: [elsewhere()] });
    expect((await logIn(app, email)).case).toBe("completed");
    const asked = [elsewhere(), elsewhere(undefined, { secondFactor: true })];
    await admin().importCredentials({ identityId: id, passkeys: asked });
    expect((await logIn(app, email)).case).toBe("nextStep");
    await admin().importCredentials({ identityId: id, passkeys: [elsewhere()] });
    const { credentials } = await admin().listCredentials({ identityId: id });
    const passkeys = credentials.filter(({ kind }) => kind === MethodKind.PASSKEY);
    expect(passkeys.map(({ secondFactor }) => secondFactor)).toEqual([true, true, true, true]);
  });

  // Security rule (SR-PASSKEY-7): a credential belongs to one account, and is never replaced by another key.
  test("that is there already, of this account or another one, is refused with all of the import", async () => {
    const device = new SoftwareAuthenticator();
    const passkey = elsewhere(device);
    const { id } = await createWith({ passkeys: [passkey] });
    const { id: other, email } = await createWith({});
    const copy = { ...elsewhere(), credentialId: passkey.credentialId ?? randomBytes(32) };
    const credentialId = Buffer.from(copy.credentialId).toString("base64url");
    for (const identityId of [id, other]) {
      const call = admin().importCredentials({
        identityId,
        totp: base32(key),
        passkeys: [elsewhere(), copy],
      });
      expect(await refusal(call)).toMatchObject({
        ...{ code: "AlreadyExists", reason: "CREDENTIAL_TAKEN", metadata: { credentialId } },
      });
    }
    expect(await refusal(createWith({ passkeys: [copy] }))).toMatchObject({
      ...{ reason: "CREDENTIAL_TAKEN", metadata: { credentialId } },
    });
    const { results } = await admin().batchCreateIdentities({
      requests: [copy, elsewhere()].map((each) => ({
        traits: { email: freshEmail() },
        credentials: { passkeys: [each] },
      })),
    });
    expect(results.map(({ result }) => result.case)).toEqual(["error", "identity"]);
    expect(await secretsOf(other)).toHaveLength(1);
    expect((await logIn(app, email)).case).toBe("completed");
    expect((await signInWith(app, device)).outcome.case).toBe("completed");
  });

  test("is given once in an import", async () => {
    const { id } = await createWith({});
    const passkey = elsewhere();
    const call = admin().importCredentials({ identityId: id, passkeys: [passkey, passkey] });
    expect(await refusal(call)).toMatchObject({
      violations: [{ field: "passkeys.1.credentialId", reason: "NOT_UNIQUE" }],
    });
    expect(await refusal(createWith({ passkeys: [passkey, passkey] }))).toMatchObject({
      violations: [{ field: "credentials.passkeys.1.credentialId", reason: "NOT_UNIQUE" }],
    });
  });

  test("is one of at most 50 of an account, also of two imports at the same moment", async () => {
    const device = new SoftwareAuthenticator();
    const many = (count: number) => Array.from({ length: count }, () => elsewhere(device));
    const { id } = await createWith({ passkeys: many(40) });
    const imports = await Promise.allSettled(
      [6, 6].map((count) => admin().importCredentials({ identityId: id, passkeys: many(count) })),
    );
    expect(imports.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    const call = admin().importCredentials({ identityId: id, passkeys: many(5) });
    expect(await refusal(call)).toMatchObject({
      ...{ code: "FailedPrecondition", reason: "CREDENTIALS_TOO_MANY" },
      metadata: { kind: "passkey", limit: "50" },
    });
    expect((await secretsOf(id)).filter(({ kind }) => kind === "passkey")).toHaveLength(46);
    expect((await refusal(createWith({ passkeys: many(51) }))).violations).toEqual([
      { field: "credentials.passkeys", reason: "TOO_LONG" },
    ]);
  });

  test.each<[string, Passkey, object]>([
    ["without a key", { publicKey: randomBytes(40) }, { field: "publicKey", reason: "FORMAT" }],
    ["without its user handle", { userHandle: Buffer.alloc(0) }, { field: "userHandle", reason: "REQUIRED" }],
    [
      "that is backed up and cannot be",
      { backupEligible: false, backupState: true },
      { field: "backupState", reason: "CONFLICT" },
    ],
    ["of tomorrow", { createTime: { seconds: 4_000_000_000n } }, { field: "createTime", reason: "RANGE" }],
    ["of an unknown transport", { transports: ["pigeon"] }, { field: "transports.0", reason: "VALUE" }],
    ["of a kind that is no UUID", { aaguid: "apple" }, { field: "aaguid", reason: "FORMAT" }],
  ])(
    "is refused with the reason: %s",
    async (_name, more, violation: { field?: string; reason?: string }) => {
      const { id } = await createWith({});
      const call = admin().importCredentials({
        identityId: id,
        passkeys: [elsewhere(), elsewhere(undefined, more)],
      });
      expect(await refusal(call)).toMatchObject({
        reason: "REQUEST_INVALID",
        violations: [{ ...violation, field: `passkeys.1.${violation.field}` }],
      });
    },
  );
});

describe("an import", () => {
  // Security rule (SR-OWNER-10): nothing that was begun before a change by an operator outlives it, and the owner is told.
  test("ends what is on its way, and tells the owner of each kind once", async () => {
    const account = await verifiedAccount(app);
    const session = app.client(SessionService, { bearer: account.sessionToken });
    const settings = new Settings(app, account.sessionToken);
    await settings.begin();
    const before = (await app.messages(account.email)).length;
    const passkeys = ["Laptop", "", "Phone"].map((label) => elsewhere(undefined, { label }));
    const identityId = account.id;
    await admin().importCredentials({ identityId, totp: base32(key), passkeys, keepSessions: true });
    expect((await session.getCurrentSession({})).session).toBeDefined();
    expect((await refusal(settings.submit("passkey"))).reason).toBe("FLOW_COMPLETED");
    const told = (await app.messages(account.email)).slice(before).map(({ content }) => content);
    expect(told).toHaveLength(2);
    for (const data of [
      { kind: "totp", label: "" },
      { kind: "passkey", label: "Laptop, Phone" },
    ]) {
      expect(told).toContainEqual({ template: "credential_added", data: expect.objectContaining(data) });
    }
    await admin().importCredentials({ identityId, passkeys: [elsewhere()] });
    expect((await refusal(session.getCurrentSession({}))).reason).toBe("SESSION_REVOKED");
  });

  test("needs something to import, and somebody to import it for", async () => {
    const { id } = await createWith({});
    expect((await refusal(admin().importCredentials({ identityId: id }))).violations).toEqual([
      { field: "", reason: "REQUIRED" },
    ]);
    const identityId = "01890000-0000-7000-8000-000000000000";
    expect((await refusal(admin().importCredentials({ identityId, totp: base32(key) }))).reason).toBe(
      "IDENTITY_NOT_FOUND",
    );
  });

  test("leaves the settings to the owner: a passkey is added beside an imported one", async () => {
    const device = new SoftwareAuthenticator();
    const { email } = await createWith({ passkeys: [elsewhere(device)] });
    const { sessionToken } = signedInBy(await signInWith(app, device));
    const own = new SoftwareAuthenticator();
    await addPasskey(new Settings(app, sessionToken), own);
    // One account has one user handle.
    expect(own.passkeys[0]?.userHandle).toBe(device.passkeys[0]?.userHandle);
    expect((await signInWith(app, own)).outcome.case).toBe("completed");
    expect((await logIn(app, email)).case).toBe("completed");
  });
});
