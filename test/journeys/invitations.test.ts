import type { JsonObject } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { InvitationService } from "../../gen/ostiary/identity/v1/invitation_service_pb.js";
import { SessionService, SessionView } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword, logIn, register } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { Browser } from "../support/browser.ts";
import { refusal } from "../support/errors.ts";
import { begin, complete, invite, resultOf } from "../support/invitations.ts";

const hourMs = 3_600_000;
/** Only with an invitation. */
let app: TestApp;
/** On the same database, for everybody. */
let open: TestApp;

// Not constants, of which YAML would make aliases.
const schemas = () => [
  { id: "person", document: document() },
  { id: "staff", document: document(), self_service: false },
];
const document = () => ({
  type: "object",
  properties: {
    email: { type: "string", format: "email", ostiary: { identifier: "email", verifiable: "email" } },
    other: { type: "string", format: "email", ostiary: { verifiable: "email" } },
    name: { type: "string" },
    tags: { type: "array", items: { type: "string" } },
  },
  required: ["email"],
  additionalProperties: false,
});

beforeAll(async () => {
  const settings = (mode: "open" | "invitation") => ({
    tenant_defaults: {
      identity: { schemas: schemas() },
      flows: { registration: { ui_url: "https://app.example.com/join", mode } },
    },
  });
  app = await startTestApp({ config: settings("invitation") });
  open = await startTestApp({ config: settings("open"), databaseUrl: app.databaseUrl, clock: app.clock });
});

afterAll(async () => {
  await open.stop();
  await app.stop();
});

/** What a form is filled in with, by the names of its fields. */
function filledIn({ form }: Flow): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const { name, kind } of form?.nodes ?? []) {
    if (kind.case === "input" && kind.value.value !== undefined) values[name] = kind.value.value.kind.value;
  }
  return values;
}

async function verifiedAddressesOf(identityId: string | undefined): Promise<string[]> {
  const { identity } = await app.client(IdentityService).getIdentity({ identityId: identityId ?? "" });
  return (identity?.addresses ?? [])
    .filter(({ verifyTime }) => verifyTime !== undefined)
    .map(({ value }) => value);
}

/** Registers by a flow, and gives what its completion gave. */
async function completed(flowId: string, traits?: Record<string, string>, at = app) {
  const { outcome } = await complete(at, flowId, traits);
  if (outcome.case !== "completed") throw new Error(`it was ${outcome.case}`);
  return outcome.value;
}

describe.each(protocols)("over %s", (protocol) => {
  test("nobody registers without an invitation, and the holder of one does", async () => {
    const client = app.client(RegistrationService, { protocol });
    const refused = await refusal(client.createRegistrationFlow({ client: ClientKind.NATIVE }));
    expect(refused).toMatchObject({ code: "FailedPrecondition", reason: "INVITATION_REQUIRED" });
    expect(refused.remedy).toContain("invitation_token");

    const email = freshEmail();
    const { token } = await invite(app, {
      traits: { email, name: "Ada" },
      publicMetadata: { plan: "gold" },
      adminMetadata: { note: "keep an eye on her" },
    });
    const flow = await begin(app, token, protocol);
    expect(filledIn(flow)).toMatchObject({ "traits.email": email, "traits.name": "Ada" });
    const { outcome } = await complete(app, flow.id, { email, name: "Ada L" }, protocol);
    if (outcome.case !== "completed") throw new Error(`it was ${outcome.case}`);
    expect(outcome.value.signedIn?.identity).toMatchObject({
      traits: { email, name: "Ada L" },
      publicMetadata: { plan: "gold" },
    });
    // It is used.
    const again = await refusal(begin(app, token, protocol));
    expect(again).toMatchObject({ code: "InvalidArgument", reason: "INVITATION_INVALID" });
    expect((await logIn(app, email, goodPassword, protocol)).case).toBe("completed");
  });
});

// Security rule (SR-TRAIT-6): the public side gets public metadata, and never what only operators are to see.
test("admin metadata reaches the identity, and no public answer", async () => {
  const { token } = await invite(app, { adminMetadata: { note: "for operators alone" } });
  const flow = await begin(app, token);
  const got = await app.client(FlowService).getFlow({ flowId: flow.id });
  const done = await completed(flow.id);
  const session = await app
    .client(SessionService, { bearer: done.signedIn?.sessionToken })
    .getCurrentSession({ view: SessionView.FULL });
  expect(session.identity?.id).toBe(done.signedIn?.identity?.id);
  const plain = JSON.stringify([flow, got, done, session], (_key, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );
  expect(plain).not.toContain("for operators alone");
  const { identity } = await app
    .client(IdentityService)
    .getIdentity({ identityId: done.signedIn?.identity?.id ?? "" });
  expect(identity?.adminMetadata).toEqual({ note: "for operators alone" });
});

describe("an invitation", () => {
  // Security rule (SR-INVITE-2): whatever is wrong with a token, the answer is the same, and a token of another kind is no invitation.
  test("that is wrong, used, revoked, expired or something else is answered alike", async () => {
    const used = await invite(app);
    await completed((await begin(app, used.token)).id);
    const revoked = await invite(app);
    await app.client(InvitationService).revokeInvitation({ invitationId: revoked.id });
    const expired = await invite(app, { expiration: { case: "lifetime", value: durationFromMs(60_000) } });
    app.clock.advance(60_000);
    const unknown = used.token.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
    const flow = await begin(app, (await invite(app)).token);
    const refusals = await Promise.all(
      [used.token, revoked.token, expired.token, unknown, "nonsense", app.apiKey, flow.id].map((token) =>
        refusal(begin(app, token)),
      ),
    );
    for (const refused of refusals) expect(refused).toEqual(refusals[0]);
    expect(refusals[0]).toMatchObject({
      code: "InvalidArgument",
      reason: "INVITATION_INVALID",
      metadata: {},
    });
  });

  // Security rule (SR-INVITE-2): an invitation is checked again when the account is made.
  test("that is revoked, expires or is used by somebody else meanwhile makes no account", async () => {
    const endings: Record<string, (token: { id: string; token: string }) => Promise<unknown>> = {
      revoked: ({ id }) => app.client(InvitationService).revokeInvitation({ invitationId: id }),
      expired: async () => app.clock.advance(60_000),
      used: async ({ token }) => completed((await begin(app, token)).id),
    };
    for (const end of Object.values(endings)) {
      const invitation = await invite(app, {
        expiration: { case: "lifetime", value: durationFromMs(60_000) },
      });
      const { id: flowId } = await begin(app, invitation.token);
      await end(invitation);
      const email = freshEmail();
      const { outcome, flow: drawn } = await complete(app, flowId, { email });
      if (outcome.case !== "rejected") throw new Error(`it was ${outcome.case}`);
      expect(RejectionReason[outcome.value.reason]).toBe("INVITATION_INVALID");
      expect(drawn?.form?.messages.map(({ id }) => id)).toEqual([9000060]);
      const identity = app
        .client(IdentityService)
        .lookUpIdentity({ by: { case: "identifier", value: email } });
      expect((await refusal(identity)).reason).toBe("IDENTITY_NOT_FOUND");
    }
  });

  test("is not used up by a registration that was not accepted", async () => {
    const { email } = await register(open);
    const { id: flowId } = await begin(app, (await invite(app)).token);
    expect(await resultOf(complete(app, flowId, { email }))).toBe("IDENTIFIER_TAKEN");
    expect(await resultOf(complete(app, flowId, { email: "none" }))).toBe("TRAITS_INVALID");
    expect(await resultOf(complete(app, flowId))).toBe("completed");
  });

  test("decides the schema, also one that is not for self-service", async () => {
    const { token } = await invite(app, { schemaId: "staff" });
    const client = app.client(RegistrationService);
    const asked = { client: ClientKind.NATIVE, schemaId: "person", invitationToken: token };
    const { flow } = await client.createRegistrationFlow(asked);
    expect((await completed(flow?.id ?? "")).signedIn?.identity?.schemaId).toBe("staff");
    const without = open
      .client(RegistrationService)
      .createRegistrationFlow({ client: ClientKind.NATIVE, schemaId: "staff" });
    expect((await refusal(without)).reason).toBe("SCHEMA_NOT_FOUND");
  });

  test("stays with the replacement of an expired flow", async () => {
    const { token } = await invite(app, { traits: { name: "Ada" } });
    const first = await begin(app, token);
    app.clock.advance(hourMs);
    const { outcome, flow: drawn } = await complete(app, first.id);
    if (outcome.case !== "expired" || !drawn) throw new Error(`it was ${outcome.case}`);
    expect(filledIn(drawn)).toMatchObject({ "traits.name": "Ada" });
    app.clock.advance(hourMs);
    const got = await app.client(FlowService).getFlow({ flowId: drawn.id });
    expect(got.replaced).toBe(true);
    await completed(got.flow?.id ?? "");
    expect((await refusal(begin(app, token))).reason).toBe("INVITATION_INVALID");
  });

  test("works as well where none is required, and then fills in the form", async () => {
    const { id, token } = await invite(app, { traits: { name: "Ada" } });
    const flow = await begin(open, token);
    expect(filledIn(flow)).toMatchObject({ "traits.name": "Ada" });
    const { identity } = (await completed(flow.id, undefined, open)).signedIn ?? {};
    const { invitation } = await app.client(InvitationService).getInvitation({ invitationId: id });
    expect(invitation?.identityId).toBe(identity?.id);
  });

  test("fills in what a registration leaves out, unless it empties it", async () => {
    const traits = { name: "Ada", tags: ["one", "two"] };
    const register = async (sent: JsonObject) => {
      const { token } = await invite(app, { traits });
      const { id } = await begin(open, token);
      const step = { case: "password", value: { password: goodPassword } } as const;
      const all = { email: freshEmail(), ...sent };
      const submission = { flowId: id, traits: all, step };
      const { outcome } = await open.client(RegistrationService).submitRegistrationFlow(submission);
      if (outcome.case !== "completed") throw new Error(`it was ${outcome.case}`);
      const { email: _own, ...rest } = outcome.value.signedIn?.identity?.traits ?? {};
      return rest;
    };
    expect(await register({})).toEqual(traits);
    expect(await register({ name: null, tags: [] })).toEqual({ tags: [] });
  });

  test("is good for a browser, which keeps its cookie and form token", async () => {
    const { token } = await invite(app);
    const browser = new Browser(app.publicUrl);
    const service = "/ostiary.flow.v1.RegistrationService";
    const created = await browser.post(`${service}/CreateRegistrationFlow`, {
      client: "CLIENT_KIND_BROWSER",
      invitationToken: token,
    });
    const { id: flowId, csrfToken } = created.body.flow;
    const submission = { flowId, traits: { email: freshEmail() }, password: { password: goodPassword } };
    const without = await browser.post(`${service}/SubmitRegistrationFlow`, submission);
    expect(without.reason).toBe("CSRF_TOKEN_MISSING");
    const submitted = await browser.post(`${service}/SubmitRegistrationFlow`, { ...submission, csrfToken });
    expect(submitted.body.completed?.signedIn?.session).toBeDefined();
  });
});

// Security rule (SR-INVITE-1): what began before an invitation was required, without one, makes no account.
describe("a flow that began while none was required", () => {
  test("is refused once one is, also when it expires", async () => {
    const { id: flowId } = await begin(open);
    expect(await resultOf(complete(app, flowId))).toBe("INVITATION_REQUIRED");
    // The control: where none is required it goes on.
    expect(await resultOf(complete(open, flowId))).toBe("completed");
    const { id: old } = await begin(open);
    app.clock.advance(hourMs);
    expect(await resultOf(complete(app, old))).toBe("INVITATION_REQUIRED");
    const got = app.client(FlowService).getFlow({ flowId: old });
    expect((await refusal(got)).reason).toBe("INVITATION_REQUIRED");
  });
});

// Security rule (SR-INVITE-3): an invitation verifies the address that it was sent to, and no other.
describe("the address of an invitation", () => {
  test("is verified if it was sent there and is that of the account", async () => {
    const address = freshEmail();
    const { token } = await invite(app, { address });
    const flow = await begin(app, token);
    expect(filledIn(flow)).toMatchObject({ "traits.email": address });
    const done = await completed(flow.id, { email: address.toUpperCase(), other: freshEmail() });
    expect(await verifiedAddressesOf(done.signedIn?.identity?.id)).toEqual([address]);
    // The other one is verified as ever.
    expect(done.continueWith[0]?.action.case).toBe("verification");
  });

  test("is not verified if the account has another one, or the invitation was handed over", async () => {
    const address = freshEmail();
    const sent = await invite(app, { address });
    const other = await completed((await begin(app, sent.token)).id, { email: freshEmail() });
    expect(await verifiedAddressesOf(other.signedIn?.identity?.id)).toEqual([]);
    const handed = await invite(app, { traits: { email: address } });
    const same = await completed((await begin(app, handed.token)).id, { email: address });
    expect(await verifiedAddressesOf(same.signedIn?.identity?.id)).toEqual([]);
  });
});

describe("where the address is proven before there is an account", () => {
  let strict: TestApp;
  beforeAll(async () => {
    const registration = { address_proof: "before_session", mode: "invitation" };
    strict = await startTestApp({ config: { tenant_defaults: { flows: { registration } } } });
  });
  afterAll(() => strict.stop());

  test("an invitation that was sent there is the proof", async () => {
    const email = freshEmail();
    const { token } = await invite(strict, { address: email });
    expect(await resultOf(complete(strict, (await begin(strict, token)).id, { email }))).toBe("completed");
    expect((await strict.messages(email)).map(({ template }) => template)).toEqual(["invitation"]);
  });

  test.each(["another address than the invited one", "an invitation that was handed over"])(
    "a code is asked for with %s, and the invitation is used when it is entered",
    async (name) => {
      const email = freshEmail();
      const address = name.startsWith("another") ? freshEmail() : "";
      const { id: invitationId, token } = await invite(strict, { address });
      const { id: flowId } = await begin(strict, token);
      expect(await resultOf(complete(strict, flowId, { email }))).toBe("nextStep");
      const enter = (code: string) =>
        strict
          .client(RegistrationService)
          .submitRegistrationFlow({ flowId, step: { case: "code", value: { code } } });
      const code = (await strict.messages(email)).at(-1)?.code ?? "";
      expect(await resultOf(enter(code === "000000" ? "111111" : "000000"))).toBe("CODE_INVALID");
      expect(await resultOf(enter(code))).toBe("completed");
      const { invitation } = await strict.client(InvitationService).getInvitation({ invitationId });
      expect(invitation?.useTime).toBeDefined();
    },
  );

  test("a dead invitation is refused when the code is entered", async () => {
    const email = freshEmail();
    const { id: invitationId, token } = await invite(strict);
    const { id: flowId } = await begin(strict, token);
    expect(await resultOf(complete(strict, flowId, { email }))).toBe("nextStep");
    await strict.client(InvitationService).revokeInvitation({ invitationId });
    const code = (await strict.messages(email)).at(-1)?.code ?? "";
    const entered = strict
      .client(RegistrationService)
      .submitRegistrationFlow({ flowId, step: { case: "code", value: { code } } });
    expect(await resultOf(entered)).toBe("INVITATION_INVALID");
  });
});

test("while registration is switched off an invitation helps nobody", async () => {
  const closed = await startTestApp({
    config: { tenant_defaults: { flows: { registration: { mode: "closed" } } } },
  });
  try {
    const { token } = await invite(closed);
    expect((await refusal(begin(closed, token))).reason).toBe("REGISTRATION_DISABLED");
  } finally {
    await closed.stop();
  }
});
