import { afterAll, beforeAll, expect, test } from "vitest";
import { IdentityService } from "../../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword } from "../../support/accounts.ts";
import { OAuth2TestServer } from "../../support/oauth2-server.ts";
import { type SocialApp, somebody, startSocialApp, Visitor } from "../../support/social.ts";

/* Logins for an OAuth2 server, by a provider: the server stands between the two. */

let oauth2: OAuth2TestServer;
let app: SocialApp;

beforeAll(async () => {
  oauth2 = await OAuth2TestServer.start();
  const { server, tenant_defaults: tenant } = oauth2.config;
  app = await startSocialApp({ tenant, privateHosts: server.outbound.allowed_private_hosts });
});
afterAll(async () => {
  await app.stop();
  await oauth2.stop();
});

test.each(["login", "registration"] as const)(
  "a stranger's %s makes the account and is told once",
  async (kind) => {
    const visitor = new Visitor(app);
    const loginChallenge = oauth2.ask();
    const { status, location } = await visitor.by("first", somebody(), { kind, start: { loginChallenge } });
    expect({ status, isBack: location.startsWith(`${oauth2.publicUrl}/oauth2/auth?`) }).toEqual({
      ...{ status: 303, isBack: true },
    });
    expect(location).toContain("login_verifier");
    const { id, identityId } = await visitor.session();
    expect(oauth2.toldOf(loginChallenge)).toMatchObject([
      { action: "accept", body: { subject: identityId, identity_provider_session_id: id, amr: ["oidc"] } },
    ]);
  },
);

// Security rule (SR-SOCIAL-10).
test.each([
  ["prompt", "login", false],
  ["max_age", "3600", false],
  ["ui_locales", "en", true],
])(
  "a login at the provider long before, where %s=%s is asked for, counts: %s",
  async (name, value, counts) => {
    const visitor = new Visitor(app);
    await visitor.begin("login", { loginChallenge: oauth2.ask({ parameters: { [name]: value } }) });
    const url = await visitor.leave("first");
    app.clock.advance(-120_000);
    const callback = await app.upstream.signInAt(url, somebody());
    app.clock.advance(120_000);
    await visitor.comeBack(callback);
    expect((await visitor.session()) !== undefined).toBe(counts);
    if (!counts) expect(visitor.flow.form.messages.map(({ id }: { id: number }) => id)).toEqual([9000704]);
  },
);

test("what the account still needs is asked for first, and the request is kept", async () => {
  const visitor = new Visitor(app);
  const loginChallenge = oauth2.ask();
  const nameless = { ...somebody(), claims: {} };
  await visitor.by("first", nameless, { start: { loginChallenge } });
  expect(visitor.flow.kind).toBe("FLOW_KIND_REGISTRATION");
  expect(visitor.flow.oauth2LoginRequest.loginChallenge).toBe(loginChallenge);
  expect(oauth2.toldOf(loginChallenge)).toEqual([]);
  const { body } = await visitor.submit({ oidc: {} }, { traits: { email: freshEmail() } });
  expect(body.completed.returnTo).toContain("login_verifier");
  expect(oauth2.toldOf(loginChallenge)).toHaveLength(1);
});

test("a server that cannot be told is told again on the page of the login", async () => {
  const visitor = new Visitor(app);
  const loginChallenge = oauth2.ask();
  await visitor.begin("login", { loginChallenge });
  const callback = await visitor.signIn("first", somebody());
  oauth2.misbehaves = (request, response) => {
    if (request.method !== "PUT") return false;
    response.writeHead(503).end();
    return true;
  };
  await visitor.comeBack(callback);
  oauth2.misbehaves = () => false;
  expect(visitor.flow.handOver).toEqual({});
  const { body } = await visitor.submit({ resume: {} });
  expect(body.redirect.url).toContain("login_verifier");
  expect(oauth2.toldOf(loginChallenge)).toHaveLength(1);
});

test("an account that is linked on the way is proved first, and then told", async () => {
  const email = freshEmail();
  await app.client(IdentityService).createIdentity({
    traits: { email },
    verifiedAddresses: [{ value: email }],
    credentials: { password: { value: { case: "password", value: goodPassword } } },
  });
  const visitor = new Visitor(app);
  const loginChallenge = oauth2.ask();
  await visitor.by("first", somebody({ email }), { start: { loginChallenge } });
  expect(oauth2.toldOf(loginChallenge)).toEqual([]);
  const { body } = await visitor.submit({ password: { password: goodPassword } });
  expect(body.completed.returnTo).toContain("login_verifier");
  expect(oauth2.toldOf(loginChallenge)).toHaveLength(1);
});

test("an account that nobody ever proved goes through its question, which answers nobody", async () => {
  const email = freshEmail();
  const attacker = new Visitor(app);
  await attacker.begin("registration");
  await attacker.submit({ password: { password: goodPassword } }, { traits: { email } });
  const owner = new Visitor(app);
  const loginChallenge = oauth2.ask();
  await owner.by("first", somebody({ email }), { start: { loginChallenge } });
  expect(owner.flow.claimAccount).toEqual({ address: email });
  expect(owner.flow.oauth2LoginRequest).toBeUndefined();
  const disowned = await owner.submit({ disown: {} });
  expect(disowned.body.completed.continueWith[0].settings.flow.setNewSecret).toBeDefined();
  expect(oauth2.toldOf(loginChallenge)).toEqual([]);
});
