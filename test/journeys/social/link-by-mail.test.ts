import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword } from "../../support/accounts.ts";
import { tokenOf } from "../../support/links.ts";
import { administer } from "../../support/postgres.ts";
import { type SocialApp, somebody, startSocialApp, Visitor } from "../../support/social.ts";

/* A stranger comes by an account elsewhere, types the address of somebody who has an account here, and hopes for a click. */

let app: SocialApp;

beforeAll(async () => {
  app = await startSocialApp({ tenant: { link: { enabled: true } } });
});
afterAll(() => app.stop());

const identities = () => app.client(IdentityService);

/** An account with a verified address, and a stranger's browser that is asked to prove it. */
async function asked() {
  const email = freshEmail();
  const { identity } = await identities().createIdentity({
    traits: { email },
    verifiedAddresses: [{ value: email }],
    credentials: { password: { value: { case: "password", value: goodPassword } } },
  });
  const identityId = identity?.id ?? "";
  const stranger = new Visitor(app);
  await stranger.by("first", somebody({ email }));
  expect(stranger.flow.form.messages.map(({ id }: { id: number }) => id)).toEqual([9000701]);
  // For programs that keep passwords: what the provider has shown to be theirs.
  const named = stranger.flow.form.nodes.find(({ name }: { name: string }) => name === "username");
  expect(named).toMatchObject({ input: { type: "INPUT_TYPE_HIDDEN", value: email, readOnly: true } });
  return { identityId, email, stranger };
}

const kindsOf = async (identityId: string) =>
  (await identities().listCredentials({ identityId })).credentials.map(({ details }) => details.case).sort();

// Security rule (SR-LINK-8).
describe("a mailed link", () => {
  test("is no way to prove the account that is linked", async () => {
    const { email, stranger } = await asked();
    const offered = stranger.flow.chooseMethod.offers.flatMap((offer: object) => Object.keys(offer));
    expect(offered).toContain("code");
    expect(offered).not.toContain("link");
    expect((await stranger.submit({ sendLink: {} })).reason).toBe("STEP_NOT_OFFERED");
    const sent = await app.messages(email);
    expect(sent.filter(({ url }) => url.includes("/ui/login"))).toEqual([]);
  });

  test("that such a login has sent all the same signs its owner in, and links nothing", async () => {
    const { identityId, email, stranger } = await asked();
    const other = new Visitor(app);
    await other.begin("login");
    await other.submit({ sendLink: {} }, { identifier: email });
    await administer(app.databaseUrl, (query) =>
      query(
        `UPDATE ostiary.flow f SET data = jsonb_set(f.data, '{purpose}', l.data -> 'purpose')
         FROM ostiary.flow l WHERE f.identity_id = l.identity_id AND f.identity_id = $1
           AND l.data -> 'purpose' ->> 'kind' = 'link' AND f.data -> 'state' ->> 'at' = 'link_sent'`,
        [identityId],
      ),
    );
    const sent = (await app.messages(email)).findLast(({ url }) => url.includes("/ui/login"));
    const owner = new Visitor(app);
    await owner.begin("login", { linkToken: tokenOf(sent?.url ?? "") });
    await owner.submit({ confirmLink: {} });
    expect((await owner.session()).identityId).toBe(identityId);
    expect(await kindsOf(identityId)).toEqual(["password"]);
    await stranger.submit({ password: { password: goodPassword } });
    expect(await kindsOf(identityId)).toEqual(["oidc", "password"]);
  });
});
