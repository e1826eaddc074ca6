import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail } from "../../support/accounts.ts";
import { type SocialApp, somebody, startSocialApp, Visitor } from "../../support/social.ts";

/* What a provider's word is worth, what a login by it changes and costs, and providers that are away. */

let app: SocialApp;

beforeAll(async () => {
  app = await startSocialApp({
    providers: {
      first: { aal2_acr: ["strong"], aal2_amr: ["mfa"], update_on_login: "missing" },
      second: { update_on_login: "always" },
    },
  });
});
afterAll(() => app.stop());

// biome-ignore lint/suspicious/noExplicitAny: the JSON of a flow, as a page's script would see it
type Drawn = any;
const messagesOf = (flow: Drawn) => flow.form.messages.map(({ id }: { id: number }) => id);
const traitsOf = async (visitor: Visitor) => {
  const { identityId } = await visitor.session();
  return (await app.client(IdentityService).getIdentity({ identityId })).identity?.traits;
};

// Security rule (SR-SOCIAL-9).
describe("a login at a provider", () => {
  test.each([
    ["nothing", {}, "AAL1"],
    ["an acr that the operator has named", { acr: "strong" }, "AAL2"],
    ["another acr", { acr: "weak" }, "AAL1"],
    ["an amr that the operator has named", { amr: ["pwd", "mfa"] }, "AAL2"],
    ["another amr", { amr: ["pwd"] }, "AAL1"],
  ])("that says %s is worth its level", async (_name, says, level) => {
    const visitor = new Visitor(app);
    await visitor.by("first", { ...somebody(), ...says });
    expect((await visitor.session()).assuranceLevel).toBe(`ASSURANCE_LEVEL_${level}`);
  });

  test("of a provider for which the operator has named nothing is worth one factor", async () => {
    const visitor = new Visitor(app);
    await visitor.by("second", { ...somebody(), acr: "strong", amr: ["mfa"] });
    expect((await visitor.session()).assuranceLevel).toBe("ASSURANCE_LEVEL_AAL1");
  });
});

// Security rule (SR-LINK-5).
test("a login of an account that was switched off signs nobody in", async () => {
  const ada = somebody();
  const visitor = new Visitor(app);
  await visitor.by("first", ada);
  const { identityId } = await visitor.session();
  await app.client(IdentityService).deactivateIdentity({ identityId });
  const again = new Visitor(app);
  await again.by("first", ada);
  expect(messagesOf(again.flow)).toContain(9000705);
  expect(await again.session()).toBeUndefined();
});

describe("what a flow asks of a provider", () => {
  const askedFor = async (start: object, more: object = {}, visitor = new Visitor(app)) => {
    await visitor.begin("login", start);
    return new URL(await visitor.leave("first", more)).searchParams;
  };

  // Security rule (SR-SOCIAL-8).
  test("is a hint of what was typed in this flow, and of nothing else", async () => {
    expect((await askedFor({}, { identifier: "ada@example.com" })).get("login_hint")).toBe("ada@example.com");
    expect((await askedFor({}, { identifier: "countess" })).get("login_hint")).toBeNull();
    const visitor = new Visitor(app);
    await visitor.by("first", somebody());
    const again = await askedFor({ purpose: "LOGIN_PURPOSE_REFRESH" }, {}, visitor);
    expect(again.get("login_hint")).toBeNull();
    expect(again.get("max_age")).toBe("0");
    expect((await askedFor({})).get("max_age")).toBeNull();
  });

  test("is the level that a step-up demands", async () => {
    const visitor = new Visitor(app);
    const ada = somebody();
    await visitor.by("first", ada);
    const demands = [{ assuranceLevel: "ASSURANCE_LEVEL_AAL2" }];
    const asked = await visitor.begin("login", { purpose: "LOGIN_PURPOSE_STEP_UP", demands });
    const url = await asked.leave("first");
    expect(new URL(url).searchParams.get("acr_values")).toBe("strong");
    await visitor.comeBack(await app.upstream.signInAt(url, { ...ada, acr: "strong" }));
    expect((await visitor.session()).assuranceLevel).toBe("ASSURANCE_LEVEL_AAL2");
  });
});

test("no login steps up by a provider that says nothing of two factors", async () => {
  const demands = [{ assuranceLevel: "ASSURANCE_LEVEL_AAL2" }];
  const visitor = new Visitor(app);
  await visitor.by("second", somebody());
  const refused = await visitor.tryToBegin("login", { purpose: "LOGIN_PURPOSE_STEP_UP", demands });
  expect(refused.reason).toBe("STEP_UP_IMPOSSIBLE");
});

describe("the traits of an account, at a login by a provider that knows them otherwise", () => {
  // Security rule (SR-LINK-7).
  test("are filled in where they are missing, and no address changes", async () => {
    const ada = somebody();
    const { name: _name, ...nameless } = ada.claims;
    const visitor = new Visitor(app);
    await visitor.by("first", { ...ada, claims: nameless });
    expect(await traitsOf(visitor)).toEqual({ email: ada.email });
    await visitor.by("first", { ...ada, claims: { ...ada.claims, email: freshEmail(), name: "Ada" } });
    expect(await traitsOf(visitor)).toEqual({ email: ada.email, name: "Ada" });
    await visitor.by("first", { ...ada, claims: { ...ada.claims, name: "Another" } });
    expect(await traitsOf(visitor)).toEqual({ email: ada.email, name: "Ada" });
  });

  test("are brought up to date where the operator wants that, and no address changes", async () => {
    const ada = somebody();
    const visitor = new Visitor(app);
    await visitor.by("second", ada);
    await visitor.by("second", { ...ada, claims: { ...ada.claims, email: freshEmail(), name: "Another" } });
    expect(await traitsOf(visitor)).toEqual({ email: ada.email, name: "Another" });
  });
});

describe("a provider", () => {
  test("that does not answer stops nobody else, says so, and is back by itself", async () => {
    const visitor = await new Visitor(app).begin("login");
    await app.providers.github.setDown(true);
    const ada = {
      subject: "99",
      claims: { login: "ada", emails: [{ email: freshEmail(), primary: true, verified: true }] },
    };
    const callback = await app.providers.github.setDown(false).then(() => visitor.signIn("github", ada));
    await app.providers.github.setDown(true);
    await visitor.comeBack(callback);
    expect(messagesOf(visitor.flow)).toContain(9000702);
    await visitor.comeBack(await visitor.signIn("first", somebody()));
    expect(await visitor.session()).toBeDefined();
    await app.providers.github.setDown(false);
    const again = await new Visitor(app).begin("login");
    await again.comeBack(await again.signIn("github", ada));
    expect(await again.session()).toBeDefined();
  });

  test("that was taken out of the configuration signs nobody in; its users keep their other ways, and are told", async () => {
    const ada = somebody();
    const visitor = new Visitor(app);
    await visitor.by("first", ada);
    await visitor.begin("settings");
    await visitor.comeBack(await visitor.signIn("second", somebody()));
    const without = await app.without("first");
    try {
      const there = new Visitor(without);
      for (const [name, value] of visitor.browser.cookies) there.browser.cookies.set(name, value);
      await there.begin("settings");
      const said = there.flow.form.nodes.map(({ text }: Drawn) => text?.text?.id).filter(Boolean);
      expect(said).toContain(9000710);
      const { credentials } = there.flow.changeSettings;
      const idOf = (provider: string) =>
        credentials.find(({ oidc }: Drawn) => oidc?.provider === provider).id;
      // Codes are a way in as well; without them the other provider would be the last one.
      const removed = await there.submit({ removeCredential: { credentialId: idOf("first") } });
      expect(removed.body.saved).toBeDefined();
      const back = await new Visitor(without).begin("login");
      expect((await back.submit({ oidc: { provider: "first" } })).reason).toBe("STEP_NOT_OFFERED");
    } finally {
      await without.stop();
    }
  });
});

test("a callback takes four round trips to the database", async () => {
  const ada = somebody();
  await new Visitor(app).by("second", ada);
  const visitor = await new Visitor(app).begin("login");
  const callback = await visitor.signIn("second", ada);
  app.statements.length = 0;
  await visitor.comeBack(callback);
  expect(app.statements.length).toBeLessThanOrEqual(4);
  expect(await visitor.session()).toBeDefined();
});
