import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { InvitationService } from "../../gen/ostiary/identity/v1/invitation_service_pb.js";
import type { JsonObject } from "../../src/domain/json.ts";
import { freshEmail, goodPassword, logIn, sessionTokenOf } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { begin, complete, invite } from "../support/invitations.ts";
import { beginRegistration, flowAfter, registrationResult, steps } from "../support/registrations.ts";

const address = { identifier: "email", verifiable: "email", recovery: "email" };
const own = { type: "string", ostiary: { identifier: "username" } };
const kratos = { type: "string", "ory.sh/kratos": { credentials: { password: { identifier: true } } } };

/** People with an address and a user name: in our own words, in those of Kratos, and with the user name first. */
function schemas() {
  const email = () => ({ type: "string", format: "email", ostiary: { ...address } });
  const person = (id: string, properties: JsonObject) => ({ id, document: { type: "object", properties } });
  return [
    person("own", { email: email(), username: structuredClone(own), name: { type: "string" } }),
    person("kratos", { email: email(), username: structuredClone(kratos) }),
    person("name-first", { username: structuredClone(kratos), email: email() }),
  ];
}

function configOf(more: object = {}) {
  return { tenant_defaults: { identity: { default_schema: "own", schemas: schemas() }, ...more } };
}

let app: TestApp;
let proving: TestApp;

beforeAll(async () => {
  app = await startTestApp({ config: configOf() });
  proving = await startTestApp({
    config: configOf({ flows: { registration: { address_proof: "before_session" } } }),
  });
});

afterAll(async () => {
  await app.stop();
  await proving.stop();
});

const isEmail = 9000106;
const isPhone = 9000107;

/** The numbers of what is said at a node. */
function saidAt(flow: Flow | undefined, name: string): readonly number[] {
  return flow?.form?.nodes.find((node) => node.name === name)?.messages.map(({ id }) => id) ?? [];
}

async function register(server: TestApp, traits: JsonObject) {
  const registering = await beginRegistration(server);
  return registering.submit(steps.password, traits);
}

// Security rule (SR-OWNER-7): a user name in the form of an address is refused, unless it is a verified one of the same identity, whether
// or not anybody has it (ASVS V6.1.3).
describe("a user name in the form of an address", () => {
  test.each([
    ["victim@example.com", isEmail],
    [" VICTIM@Example.COM ", isEmail],
    ["ｖｉｃｔｉｍ＠ｅｘａｍｐｌｅ．ｃｏｍ", isEmail],
    ["victim@bücher.example", isEmail],
    ["+41 79 123 45 67", isPhone],
    ["+41\u201179\u2013123\u221245 67", isPhone],
    ["\u202a+41 79 123 45 67\u202c", isPhone],
    ["tel:+41-79-123-45-67", isPhone],
  ])("%j is refused at its field in a registration, and makes nothing", async (username, id) => {
    for (const server of [app, proving]) {
      const answer = await register(server, { email: freshEmail(), username });
      expect(registrationResult(answer)).toBe("TRAITS_INVALID");
      expect(saidAt(flowAfter(answer), "traits.username")).toEqual([id]);
    }
  });

  test("is answered alike whether somebody has it or nobody", async () => {
    const taken = freshEmail();
    expect(registrationResult(await register(app, { email: taken }))).toBe("completed");
    for (const username of [taken, freshEmail()]) {
      const answer = await register(app, { email: freshEmail(), username });
      expect(saidAt(flowAfter(answer), "traits.username")).toEqual([isEmail]);
    }
  });

  test("leaves its owner free to register", async () => {
    const victim = freshEmail();
    await register(app, { email: freshEmail(), username: victim });
    expect(registrationResult(await register(app, { email: victim }))).toBe("completed");
    expect((await logIn(app, victim)).case).toBe("completed");
  });

  test("is refused for one's own address while that is not proven, and taken once it is", async () => {
    const email = freshEmail();
    const traits = { email, username: email.toUpperCase() };
    const unproven = await register(app, traits);
    expect(saidAt(flowAfter(unproven), "traits.username")).toEqual([isEmail]);

    const registering = await beginRegistration(proving);
    expect(registrationResult(await registering.submit(steps.password, traits))).toBe("nextStep");
    const { code = "" } = (await proving.messages(email)).at(-1) ?? {};
    expect(registrationResult(await registering.submit({ case: "code", value: { code } }))).toBe("completed");
    expect((await logIn(proving, email)).case).toBe("completed");
  });

  test("is taken where a code proves the address before the account is made", async () => {
    const email = freshEmail();
    const registering = await beginRegistration(app);
    const asked = await registering.submit(steps.askForCode, { email, username: email });
    expect(registrationResult(asked)).toBe("nextStep");
    const other = await (await beginRegistration(app)).submit(steps.askForCode, {
      email: freshEmail(),
      username: freshEmail(),
    });
    expect(saidAt(flowAfter(other), "traits.username")).toEqual([isEmail]);
  });
});

describe("an operator", () => {
  const identities = () => app.client(IdentityService);
  const violations = [{ field: "traits.username", reason: "VALUE" }];

  test.each(["own", "kratos", "name-first"])(
    "is refused such a user name in the schema %s",
    async (schemaId) => {
      const traits = { email: freshEmail(), username: freshEmail() };
      expect(await refusal(identities().createIdentity({ schemaId, traits }))).toMatchObject({
        reason: "TRAITS_INVALID",
        violations,
      });
      const same = { email: traits.email, username: traits.email };
      expect((await refusal(identities().createIdentity({ schemaId, traits: same }))).violations).toEqual(
        violations,
      );
      const verifiedAddresses = [traits.email];
      const made = await identities().createIdentity({
        schemaId,
        traits: same,
        verifiedAddresses: verifiedAddresses.map((value) => ({ value })),
      });
      expect(made.identity?.traits).toEqual(same);
      const allowed = { schemaId, traits, allowUnverifiedAddressAsUserName: true };
      expect(
        (await identities().createIdentity({ ...allowed, traits: { ...traits, email: freshEmail() } }))
          .identity?.traits,
      ).toMatchObject({ username: traits.username });
    },
  );

  test("is refused it in a batch, one by one", async () => {
    const traits = () => ({ email: freshEmail(), username: freshEmail() });
    const { results } = await identities().batchCreateIdentities({
      requests: [
        { traits: traits() },
        { traits: traits(), allowUnverifiedAddressAsUserName: true },
        { traits: { email: freshEmail(), username: "+41 79 123 45 67" } },
      ],
    });
    expect(results.map(({ result }) => result.case)).toEqual(["error", "identity", "error"]);
  });

  test("is refused it in an update, with another schema too, unless it is allowed or was there before", async () => {
    const email = freshEmail();
    const [username, other] = [freshEmail(), freshEmail()];
    const { identity } = await identities().createIdentity({ traits: { email } });
    const identityId = identity?.id ?? "";
    const update = (traits: JsonObject, more: object = {}) =>
      identities().updateIdentity({ identityId, traitsChange: { case: "traits", value: traits }, ...more });
    expect((await refusal(update({ email, username }))).violations).toEqual(violations);
    expect((await refusal(update({ email, username }, { schemaId: "kratos" }))).violations).toEqual(
      violations,
    );
    await update({ email, username }, { allowUnverifiedAddressAsUserName: true });
    await update({ email, username, name: "Ada" });
    expect((await refusal(update({ email, username: other }))).violations).toEqual(violations);
  });

  test("is refused it in an invitation, but for the address that the invitation proves", async () => {
    const invitations = app.client(InvitationService);
    const email = freshEmail();
    const refused = await refusal(invitations.createInvitation({ traits: { username: email } }));
    expect(refused).toMatchObject({ reason: "TRAITS_INVALID", violations });
    const page = "https://app.example.com/join";
    const inviting = await startTestApp({ config: configOf({ flows: { registration: { ui_url: page } } }) });
    try {
      const { token } = await invite(inviting, { address: email, traits: { username: email } });
      const flow = await begin(inviting, token);
      const foreign = { email: freshEmail(), username: email };
      expect(registrationResult(await complete(inviting, flow.id, foreign))).toBe("TRAITS_INVALID");
      expect(registrationResult(await complete(inviting, flow.id, { email, username: email }))).toBe(
        "completed",
      );
    } finally {
      await inviting.stop();
    }
  });
});

describe("in the settings", () => {
  /** Somebody who is signed in, and what their settings answer to other traits. */
  async function somebody(traits: { email: string; username?: string }, more: object = {}) {
    const { identity } = await app.client(IdentityService).createIdentity({
      traits,
      verifiedAddresses: [{ value: traits.email }],
      credentials: { password: { value: { case: "password", value: goodPassword } } },
      ...more,
    });
    const bearer = await sessionTokenOf(app, traits.email);
    const client = app.client(SettingsService, { bearer });
    const { flow } = await client.createSettingsFlow({ client: ClientKind.NATIVE });
    const flowId = flow?.id ?? "";
    const submit = (step: object) => client.submitSettingsFlow({ flowId, ...step });
    const save = (changed: JsonObject) => submit({ traits: changed, step: { case: "profile", value: {} } });
    return { id: identity?.id ?? "", submit, save };
  }

  const resultOf = ({ outcome }: { outcome: { case: string | undefined; value?: unknown } }) => outcome.case;
  const refusedAt = ({
    outcome,
    flow: drawn,
  }: Awaited<ReturnType<Awaited<ReturnType<typeof somebody>>["save"]>>) =>
    outcome.case === "rejected" ? saidAt(drawn, "traits.username") : outcome.case;

  test("a foreign address is refused, one's own verified one is taken", async () => {
    const email = freshEmail();
    const { save } = await somebody({ email });
    expect(refusedAt(await save({ email, username: freshEmail() }))).toEqual([isEmail]);
    expect(refusedAt(await save({ email, username: "tel:+41 79 123 45 67" }))).toEqual([isPhone]);
    expect(resultOf(await save({ email, username: email }))).toBe("saved");
  });

  test("the address cannot go while the user name is still it, and both can change together", async () => {
    const [email, next] = [freshEmail(), freshEmail()];
    const { id, save, submit } = await somebody({ email, username: email });
    expect(refusedAt(await save({ email: next, username: email }))).toEqual([isEmail]);
    expect(resultOf(await save({ email: next, username: next }))).toBe("nextStep");
    const { code = "" } = (await app.messages(next)).at(-1) ?? {};
    expect(resultOf(await submit({ step: { case: "code", value: { code } } }))).toBe("saved");
    const { identity } = await app.client(IdentityService).getIdentity({ identityId: id });
    expect(identity?.traits).toEqual({ email: next, username: next });
  });

  test("one that an operator allowed stays when something else is saved", async () => {
    const traits = { email: freshEmail(), username: freshEmail() };
    const { save } = await somebody(traits, { allowUnverifiedAddressAsUserName: true });
    expect(resultOf(await save({ ...traits, name: "Ada" }))).toBe("saved");
    expect(refusedAt(await save({ ...traits, username: freshEmail() }))).toEqual([isEmail]);
  });
});
