import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword, sessionTokenOf } from "../../support/accounts.ts";
import { setUpTotp } from "../../support/factors.ts";
import { type SocialApp, somebody, startSocialApp, Visitor } from "../../support/social.ts";

/* People in browsers who sign in by providers, which are real ones in another process. */

let app: SocialApp;

beforeAll(async () => {
  app = await startSocialApp({
    tenant: { default_return_url: "https://app.example.com/home" },
    providers: { first: { name: "Acme" }, second: { name: "Bolt" }, github: { name: "Forge" } },
  });
});
afterAll(() => app.stop());

const identities = () => app.client(IdentityService);
const home = "https://app.example.com/home";

/** An account that an operator has made, with a password. */
async function account(change: { readonly email?: string; readonly isVerified?: boolean } = {}) {
  const { email = freshEmail(), isVerified = true } = change;
  const { identity } = await identities().createIdentity({
    traits: { email },
    verifiedAddresses: isVerified ? [{ value: email }] : [],
    credentials: { password: { value: { case: "password", value: goodPassword } } },
  });
  return { id: identity?.id ?? "", email };
}

async function linksOf(identityId: string) {
  const { credentials } = await identities().listCredentials({ identityId });
  return credentials.flatMap(({ details }) => (details.case === "oidc" ? [details.value] : []));
}

describe("somebody who has no account", () => {
  test.each(["login", "registration"] as const)("gets one by a %s, and is signed in", async (kind) => {
    const ada = somebody();
    const visitor = new Visitor(app);
    expect(await visitor.by("first", ada, { kind })).toMatchObject({ status: 303, location: home });
    const session = await visitor.session();
    expect(session).toMatchObject({
      assuranceLevel: "ASSURANCE_LEVEL_AAL1",
      authenticationMethods: [{ kind: "METHOD_KIND_OIDC", provider: "first" }],
    });
    const { identity } = await identities().getIdentity({ identityId: session.identityId });
    expect(identity?.traits).toEqual({ email: ada.email, name: "Ada Lovelace" });
    // The provider has verified it: nobody has to do so again.
    expect(identity?.addresses).toMatchObject([{ value: ada.email, verifyTime: {} }]);
    expect(await linksOf(session.identityId)).toMatchObject([
      { provider: "first", providerName: "Acme", issuer: app.providers.first.url, subject: ada.subject },
    ]);
  });

  test("is the same person the next time, in another browser", async () => {
    const ada = somebody();
    const [one, other] = [new Visitor(app), new Visitor(app)];
    await one.by("first", ada);
    await other.by("first", ada);
    expect((await other.session()).identityId).toBe((await one.session()).identityId);
    const again = new Visitor(app);
    await again.by("first", ada, { kind: "registration" });
    expect((await again.session()).identityId).toBe((await one.session()).identityId);
  });

  test("signs in by OAuth 2 without ID tokens, in the shape of GitHub's", async () => {
    const subject = "4711";
    const email = freshEmail();
    const visitor = new Visitor(app);
    const claims = {
      ...{ login: "ada", name: "Ada" },
      emails: [{ email, primary: true, verified: true }],
    };
    expect(await visitor.by("github", { subject, claims })).toMatchObject({ location: home });
    const { identityId } = await visitor.session();
    expect(await linksOf(identityId)).toMatchObject([{ provider: "github", subject }]);
  });
});

describe("an account that is there", () => {
  /** Signs in by password to the flow that is drawn. */
  const byPassword = (visitor: Visitor) => visitor.submit({ password: { password: goodPassword } });

  test("with the same verified address is proved first, and linked with the session that this gives", async () => {
    const { id, email } = await account();
    const ada = somebody({ email });
    const visitor = new Visitor(app);
    const { location } = await visitor.by("first", ada);
    expect(location).toContain("/ui/login#flow=");
    expect(visitor.flow.form.messages.map(({ id }: { id: number }) => id)).toEqual([9000701]);
    expect(await linksOf(id)).toEqual([]);
    const { body } = await byPassword(visitor);
    expect(body.completed.signedIn.identity.identityId ?? body.completed.signedIn.session.identityId).toBe(
      id,
    );
    expect(await linksOf(id)).toMatchObject([{ provider: "first", subject: ada.subject }]);
    // Its owner is told.
    const told = await app.messages(email);
    expect(told.map(({ template }) => template)).toContain("credential_added");
    // From then on the provider is enough.
    const again = new Visitor(app);
    expect(await again.by("first", ada)).toMatchObject({ location: home });
    expect((await again.session()).identityId).toBe(id);
  });

  test("is not linked while a wrong password is tried, nor by another account's proof", async () => {
    const [own, other] = [await account(), await account()];
    const visitor = new Visitor(app);
    const ada = somebody({ email: own.email });
    await visitor.by("first", ada);
    const wrong = await visitor.submit({ password: { password: "wrong horse battery" } });
    expect(wrong.body.rejected).toMatchObject({ reason: "REJECTION_REASON_CREDENTIALS_INVALID" });
    const named = await visitor.submit({ password: { password: goodPassword } }, { identifier: other.email });
    expect(named.body.completed?.signedIn.session.identityId).not.toBe(other.id);
    expect(await linksOf(other.id)).toEqual([]);
  });

  test("is linked at once where the operator has said that the provider decides about its domain", async () => {
    const social = await startSocialApp({
      providers: { first: { authoritative_domains: ["corp.example"] } },
    });
    try {
      const email = `ada-${crypto.randomUUID()}@corp.example`;
      const { identity } = await social.client(IdentityService).createIdentity({
        traits: { email },
        verifiedAddresses: [{ value: email }],
      });
      const [decided, unverified, another] = [new Visitor(social), new Visitor(social), new Visitor(social)];
      await unverified.by("first", somebody({ email, verified: false }));
      expect(await unverified.session()).toBeUndefined();
      await another.by("second", somebody({ email }));
      expect(await another.session()).toBeUndefined();
      await decided.by("first", somebody({ email }));
      expect((await decided.session()).identityId).toBe(identity?.id);
    } finally {
      await social.stop();
    }
  });

  // Security rule (SR-LINK-2).
  describe("at a provider that decides about its domain", () => {
    let social: SocialApp;
    beforeAll(async () => {
      const tenant = { second_factor: { policy: "optional" } };
      const providers = { first: { authoritative_domains: ["corp.example"] } };
      social = await startSocialApp({ tenant, providers });
    });
    afterAll(() => social.stop());
    const worker = async (isVerified = true) => {
      const email = `ada-${crypto.randomUUID()}@corp.example`;
      const { identity } = await social.client(IdentityService).createIdentity({
        traits: { email },
        verifiedAddresses: isVerified ? [{ value: email }] : [],
        credentials: { password: { value: { case: "password", value: goodPassword } } },
      });
      return { id: identity?.id ?? "", email };
    };

    test("is proved all the same where it has not verified the address", async () => {
      const { email } = await worker(false);
      const visitor = new Visitor(social);
      expect((await visitor.by("first", somebody({ email }))).location).toContain("/ui/login#flow=");
      expect(await visitor.session()).toBeUndefined();
    });

    test("is proved with its second factor, though no login asks for that", async () => {
      const { email } = await worker();
      const sessionToken = await sessionTokenOf(social, email);
      const { device } = await setUpTotp(social, { sessionToken });
      const visitor = new Visitor(social);
      await visitor.by("first", somebody({ email }));
      expect(await visitor.session()).toBeUndefined();
      expect(visitor.flow.form.messages.map(({ id }: { id: number }) => id)).toEqual([9000701]);
      await visitor.submit({ password: { password: goodPassword } });
      expect(await visitor.session()).toBeUndefined();
      social.clock.advance(30_000);
      await visitor.submit({ totp: { code: device.code() } });
      expect((await visitor.session()).assuranceLevel).toBe("ASSURANCE_LEVEL_AAL2");
    });

    // Security rule (SR-LINK-4).
    test("shows nobody again who they are before it is linked", async () => {
      const { id, email } = await worker();
      const visitor = new Visitor(social);
      await visitor.begin("login");
      await visitor.submit({ password: { password: goodPassword } }, { identifier: email });
      await visitor.begin("login", { purpose: "LOGIN_PURPOSE_REFRESH" });
      await visitor.comeBack(await visitor.signIn("first", somebody({ email })));
      expect(visitor.flow.form.messages.map(({ id }: { id: number }) => id)).toContain(9000706);
      const { credentials } = await social.client(IdentityService).listCredentials({ identityId: id });
      expect(credentials.map(({ details }) => details.case)).toEqual(["password"]);
    });
  });

  // Security rule (SR-LINK-3).
  test("that nobody ever proved is decided by its question: its attacker is locked out", async () => {
    const email = freshEmail();
    const attacker = new Visitor(app);
    await attacker.begin("registration");
    const { body } = await attacker.submit({ password: { password: goodPassword } }, { traits: { email } });
    const { identityId } = body.completed.signedIn.session;
    const owner = new Visitor(app);
    const { location } = await owner.by("first", somebody({ email }));
    expect(location).toContain("/ui/recovery#flow=");
    expect(owner.flow.claimAccount).toEqual({ address: email });
    // Security rule (SR-LINK-9): it only asks, and recovers no other account.
    expect((await owner.submit({ back: {} })).reason).toBe("STEP_NOT_OFFERED");
    expect(await attacker.session()).toBeDefined();
    const disowned = await owner.submit({ disown: {} });
    expect(disowned.body.completed.continueWith[0].settings.flow.setNewSecret).toBeDefined();
    expect(await attacker.session()).toBeUndefined();
    expect((await linksOf(identityId)).length).toBe(0);
  });

  test("with a second factor asks for it, by a provider too", async () => {
    const social = await startSocialApp({ tenant: { second_factor: { policy: "required" } } });
    try {
      const ada = somebody();
      const visitor = new Visitor(social);
      const { location } = await visitor.by("first", ada);
      expect(location).toContain("/ui/login#flow=");
      expect(visitor.flow.requiredAction.action.kind).toBe("REQUIRED_ACTION_KIND_ENROL_FACTOR");
      expect(await visitor.session()).toBeUndefined();
    } finally {
      await social.stop();
    }
  });
});

describe("the settings", () => {
  test("link a provider and unlink it, but not the last way in", async () => {
    const ada = somebody();
    const visitor = new Visitor(app);
    await visitor.by("first", ada);
    const { identityId } = await visitor.session();
    await visitor.begin("settings");
    const offered = visitor.flow.changeSettings.offers.filter((offer: object) => "oidc" in offer);
    expect(offered.map(({ oidc }: { oidc: { provider: string } }) => oidc.provider)).toEqual([
      "second",
      "github",
    ]);
    const bolt = somebody();
    const { location } = await visitor.comeBack(await visitor.signIn("second", bolt));
    expect(location).toContain("/ui/settings#flow=");
    expect((await linksOf(identityId)).map(({ provider }) => provider).sort()).toEqual(["first", "second"]);
    const credentials = () => visitor.flow.changeSettings.credentials;
    const idOf = (provider: string) =>
      credentials().find(({ oidc }: { oidc?: { provider: string } }) => oidc?.provider === provider).id;
    const removed = await visitor.submit({ removeCredential: { credentialId: idOf("first") } });
    expect(removed.body.saved).toBeDefined();
    // The address that the provider has verified is a way in as well where codes are: here they are.
    expect((await linksOf(identityId)).map(({ provider }) => provider)).toEqual(["second"]);
    // What was unlinked signs nobody in, and leads nowhere by its address but to a proof of the account.
    const again = new Visitor(app);
    expect((await again.by("first", ada)).location).toContain("/ui/login#flow=");
    expect(await again.session()).toBeUndefined();
  });

  test("refuse an account that is another one's", async () => {
    const [ada, bob] = [somebody(), somebody()];
    const [one, other] = [new Visitor(app), new Visitor(app)];
    await one.by("first", ada);
    await other.by("second", bob);
    await other.begin("settings");
    await other.comeBack(await other.signIn("first", ada));
    expect(other.flow.form.messages.map(({ id }: { id: number }) => id)).toContain(9000321);
    expect((await linksOf((await other.session()).identityId)).map(({ provider }) => provider)).toEqual([
      "second",
    ]);
  });
});

describe("somebody who shows again who they are", () => {
  test("does so by the provider of their account", async () => {
    const ada = somebody();
    const visitor = new Visitor(app);
    await visitor.by("first", ada);
    const before = await visitor.session();
    await visitor.begin("login", { purpose: "LOGIN_PURPOSE_REFRESH" });
    await visitor.comeBack(await visitor.signIn("first", ada));
    const after = await visitor.session();
    expect(after.identityId).toBe(before.identityId);
    expect(after.id).not.toBe(before.id);
  });

  // Security rule (SR-LINK-4).
  test("is not somebody else, whom the same provider knows", async () => {
    const [ada, bob] = [somebody(), somebody()];
    const [visitor, other] = [new Visitor(app), new Visitor(app)];
    await visitor.by("first", ada);
    await other.by("first", bob);
    const before = await visitor.session();
    await visitor.begin("login", { purpose: "LOGIN_PURPOSE_REFRESH" });
    await visitor.comeBack(await visitor.signIn("first", bob));
    expect(visitor.flow.form.messages.map(({ id }: { id: number }) => id)).toContain(9000706);
    expect((await visitor.session()).id).toBe(before.id);
    // Nor is a stranger linked by the way.
    await visitor.comeBack(await visitor.signIn("first", somebody()));
    expect(await linksOf(before.identityId)).toHaveLength(1);
  });
});
