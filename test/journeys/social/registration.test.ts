import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../../gen/ostiary/identity/v1/identity_service_pb.js";
import { InvitationService } from "../../../gen/ostiary/identity/v1/invitation_service_pb.js";
import { freshEmail, goodPassword, register } from "../../support/accounts.ts";
import { type SocialApp, somebody, startSocialApp, Visitor } from "../../support/social.ts";

/* Accounts that are made by a provider: what it knows is filled in, what is missing is asked for. */

const address = { verifiable: "email", recovery: "email" };
const schemas = [
  {
    id: "person",
    document: {
      type: "object",
      properties: {
        email: { type: "string", format: "email", ostiary: { identifier: "email", ...address } },
        name: { type: "string" },
        city: { type: "string", title: "City" },
      },
      required: ["email", "city"],
      additionalProperties: false,
    },
  },
];

let app: SocialApp;

beforeAll(async () => {
  app = await startSocialApp({
    tenant: { identity: { schemas } },
    providers: {
      // What does not fit the schema is asked for.
      second: {
        mapping: { traits: { email: "claims.email", city: "claims.groups", nickname: "claims.name" } },
      },
      first: { name: "Acme", mapping: { public_metadata: { handle: "claims.preferred_username" } } },
    },
  });
});
afterAll(() => app.stop());

// biome-ignore lint/suspicious/noExplicitAny: the JSON of a flow, as a page's script would see it
type Drawn = any;
const inputOf = (flow: Drawn, name: string) =>
  flow.form.nodes.find((node: Drawn) => node.name === name)?.input?.value;
const messagesOf = (flow: Drawn) => flow.form.messages.map(({ id }: { id: number }) => id);
const identityOf = async (visitor: Visitor) => {
  const { identityId } = await visitor.session();
  return (await app.client(IdentityService).getIdentity({ identityId })).identity;
};

describe.each(["login", "registration"] as const)("a %s of a stranger", (kind) => {
  test("asks for what is missing, with the rest filled in, and makes the account then", async () => {
    const ada = somebody();
    const visitor = new Visitor(app);
    const named = { ...ada, claims: { ...ada.claims, preferred_username: "countess" } };
    const { location } = await visitor.by("first", named, { kind });
    expect(location).toContain("/ui/registration#flow=");
    expect(visitor.flow.fillProfile.offers).toMatchObject([{ oidc: { provider: "first" } }, {}, {}]);
    expect(visitor.flow.form.title.text).toBe("Almost there");
    expect(inputOf(visitor.flow, "traits.email")).toBe(ada.email);
    expect(inputOf(visitor.flow, "traits.name")).toBe("Ada Lovelace");
    expect(await visitor.session()).toBeUndefined();
    const empty = await visitor.submit({ oidc: {} });
    expect(empty.body.rejected).toMatchObject({ reason: "REJECTION_REASON_TRAITS_INVALID" });
    const { body } = await visitor.submit({ oidc: {} }, { traits: { city: "London" } });
    expect(body.completed.signedIn.identity.traits).toMatchObject({ city: "London", email: ada.email });
    expect(await identityOf(visitor)).toMatchObject({
      publicMetadata: { handle: "countess" },
      addresses: [{ value: ada.email, verifyTime: {} }],
    });
  });

  test("with another address than the provider has verified leaves that to be verified", async () => {
    const ada = somebody();
    const visitor = new Visitor(app);
    await visitor.by("first", ada, { kind });
    const email = freshEmail();
    await visitor.submit({ oidc: {} }, { traits: { city: "London", email } });
    const identity = await identityOf(visitor);
    expect(identity?.addresses).toMatchObject([{ value: email }]);
    expect(identity?.addresses[0]?.verifyTime).toBeUndefined();
  });

  test("goes back to the beginning, and what was vouched for is given up", async () => {
    const ada = somebody();
    const visitor = new Visitor(app);
    await visitor.by("first", ada, { kind });
    const { body } = await visitor.submit({ back: {} });
    expect(body.flow.chooseMethod ?? body.flow.fillProfile).toBeDefined();
    const late = await visitor.submit({ oidc: {} }, { traits: { city: "London" } });
    expect(late.reason).toBe("STEP_NOT_OFFERED");
  });
});

test("what the provider says otherwise than the schema has it is asked for", async () => {
  const ada = somebody();
  const visitor = new Visitor(app);
  await visitor.by("second", { ...ada, claims: { ...ada.claims, groups: ["a", "b"] } });
  expect(inputOf(visitor.flow, "traits.email")).toBe(ada.email);
  expect(inputOf(visitor.flow, "traits.city")).toBeUndefined();
  await visitor.submit({ oidc: {} }, { traits: { city: "London" } });
  expect((await identityOf(visitor))?.traits).toEqual({ email: ada.email, city: "London" });
});

test("what was typed before the provider was pressed is kept", async () => {
  const ada = somebody();
  const visitor = new Visitor(app);
  await visitor.begin("registration");
  await visitor.comeBack(await visitor.signIn("first", ada, { traits: { city: "Paris", name: "Countess" } }));
  expect(await identityOf(visitor)).toMatchObject({
    traits: { city: "Paris", name: "Countess", email: ada.email },
  });
});

test("an address that the provider has not verified is as one that was typed", async () => {
  const taken = await register(app, {}).catch(() => undefined);
  expect(taken).toBeUndefined();
  const { identity } = await app.client(IdentityService).createIdentity({
    traits: { email: freshEmail(), city: "Rome" },
    credentials: { password: { value: { case: "password", value: goodPassword } } },
  });
  const email = String(identity?.traits?.email);
  const visitor = new Visitor(app);
  await visitor.by("first", somebody({ email, verified: false }));
  // Nothing has said yet that it is taken.
  expect(visitor.flow.fillProfile).toBeDefined();
  const { body } = await visitor.submit({ oidc: {} }, { traits: { city: "London" } });
  // Registration tells it by default. Its owner goes on with a login, and links.
  expect(body.nextStep).toBeDefined();
  expect(body.flow.kind).toBe("FLOW_KIND_LOGIN");
  expect(messagesOf(body.flow)).toEqual([9000701]);
});

describe("where the address is proved first", () => {
  let social: SocialApp;
  beforeAll(async () => {
    social = await startSocialApp({
      tenant: { flows: { registration: { address_proof: "before_session" } } },
    });
  });
  afterAll(() => social.stop());

  test("one that the provider has verified is enough", async () => {
    const visitor = new Visitor(social);
    await visitor.by("first", somebody());
    expect(await visitor.session()).toBeDefined();
  });

  // Security rule (SR-ENUM-2).
  test("one that it has not is sent a code, and nobody learns whether it is taken", async () => {
    const email = freshEmail();
    await social.client(IdentityService).createIdentity({
      traits: { email },
      verifiedAddresses: [{ value: email }],
    });
    const [free, taken] = [new Visitor(social), new Visitor(social)];
    const other = somebody({ verified: false });
    await free.by("first", other);
    await taken.by("first", somebody({ email, verified: false }));
    expect(taken.flow.enterCode).toMatchObject({ sentTo: email });
    expect(free.flow.enterCode).toMatchObject({ sentTo: other.email });
    expect((await social.messages(email)).map(({ template }) => template)).toEqual(["registration_taken"]);
    const [{ code } = { code: "" }] = await social.messages(other.email);
    const { body } = await free.submit({ code: { code } });
    expect(body.completed.signedIn.session.authenticationMethods).toMatchObject([{ provider: "first" }]);
  });
});

// Security rule (SR-LINK-6).
describe.each(["closed", "invitation"])("where registration is %s", (mode) => {
  let social: SocialApp;
  beforeAll(async () => {
    social = await startSocialApp({ tenant: { flows: { registration: { mode } } } });
  });
  afterAll(() => social.stop());

  test("an unknown subject makes no account and no row", async () => {
    const visitor = new Visitor(social);
    const { location } = await visitor.by("first", somebody());
    expect(location).toContain("/ui/login#flow=");
    expect(messagesOf(visitor.flow)).toContain(9000705);
    const { identities } = await social.client(IdentityService).listIdentities({});
    expect(identities).toEqual([]);
    expect(await visitor.session()).toBeUndefined();
    // The way on is there.
    expect(visitor.flow.chooseMethod.offers.length).toBeGreaterThan(1);
  });

  test.runIf(mode === "invitation")("an invitation lets one in", async () => {
    const { invitationToken } = await social.client(InvitationService).createInvitation({});
    const visitor = new Visitor(social);
    await visitor.by("first", somebody(), { kind: "registration", start: { invitationToken } });
    expect(await visitor.session()).toBeDefined();
    const other = new Visitor(social);
    await other.by("first", somebody());
    expect(await other.session()).toBeUndefined();
  });
});
