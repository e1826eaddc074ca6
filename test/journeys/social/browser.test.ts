import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword } from "../../support/accounts.ts";
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
    const { identity } = await identities().getIdentity({ key: { case: "id", value: session.identityId } });
    expect(identity).toMatchObject({
      traits: { email: ada.email, name: "Ada Lovelace" },
      verifiableAddresses: [{ value: ada.email }],
    });
    expect(identity?.verifiableAddresses[0]?.verifyTime).toBeDefined();
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
