import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SessionService } from "../../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, register } from "../../support/accounts.ts";
import { refusal } from "../../support/errors.ts";
import { type ProviderId, type SocialApp, somebody, startSocialApp, Visitor } from "../../support/social.ts";
import { UpstreamVisitor } from "../../support/upstream/visitor.ts";

/* Signing out here, and then at the provider (OpenID Connect RP-Initiated Logout 1.0). */

const bye = "https://app.example.com/bye";
const other = "https://app.example.com/other";
let app: SocialApp;

beforeAll(async () => {
  app = await startSocialApp({
    oidc: { post_logout_redirect_urls: [bye, other] },
    providers: {
      first: { logout_at_provider: true, keep_tokens: true },
      second: { logout_at_provider: true },
    },
  });
  for (const id of ["first", "second"] as const) {
    const { clientId, clientSecret } = app.providers[id];
    await app.upstream[id].setClient([`${app.publicUrl}/oidc/callback/${id}`], {
      clientId,
      clientSecret,
      metadata: { post_logout_redirect_uris: [bye, other] },
    });
  }
});
afterAll(() => app.stop());

/** Signs in by a provider, and signs out again. */
async function signOut(provider: ProviderId, { returnTo = "", at = new UpstreamVisitor() } = {}) {
  const visitor = new Visitor(app);
  await visitor.by(provider, { ...somebody(), visitor: at });
  expect(await visitor.session()).toBeDefined();
  const { body } = await logOut(visitor, returnTo);
  expect(await visitor.session()).toBeUndefined();
  return body.redirectUrl;
}

function logOut(visitor: Visitor, returnTo = "") {
  return visitor.browser.post("/ostiary.session.v1.SessionService/Logout", { returnTo });
}

describe("somebody who signs out", () => {
  test("is led on to the provider, which signs them out and leads them back", async () => {
    const at = new UpstreamVisitor();
    const url = new URL(await signOut("first", { at }));
    expect(url.origin).toBe(app.upstream.first.url);
    const { id_token_hint, ...query } = Object.fromEntries(url.searchParams);
    expect(query).toEqual({ client_id: app.providers.first.clientId, post_logout_redirect_uri: bye });
    expect(id_token_hint?.split(".")).toHaveLength(3);
    expect(await at.signOut(url.href)).toBe(bye);
    // Signed out there: they are asked again who they are.
    const visitor = await new Visitor(app).begin("login");
    const page = await fetch(await visitor.leave("first"), { redirect: "manual" });
    expect(page.headers.get("location")).toContain("/interaction/");
  });

  test("is led on without the ID token where tokens are not kept", async () => {
    const url = new URL(await signOut("second"));
    expect(Object.fromEntries(url.searchParams)).toEqual({
      client_id: app.providers.second.clientId,
      post_logout_redirect_uri: bye,
    });
  });

  test("comes back where the page wants, of the list (SR-OIDC-23)", async () => {
    const at = new UpstreamVisitor();
    const url = await signOut("first", { returnTo: other, at });
    expect(await at.signOut(url)).toBe(other);
  });

  test.each([
    "https://evil.example/",
    `${bye}/`,
    `${bye}?x=1`,
    "https://app.example.com",
    "javascript:alert(1)",
  ])("comes back nowhere else: %s is refused, and nobody is signed out (SR-OIDC-23)", async (returnTo) => {
    const visitor = new Visitor(app);
    await visitor.by("first", somebody());
    expect(await logOut(visitor, returnTo)).toMatchObject({ reason: "RETURN_TO_NOT_ALLOWED" });
    expect(await visitor.session()).toBeDefined();
  });

  test("is led nowhere where the provider has no such place", async () => {
    const visitor = new Visitor(app);
    const subject = String(Math.floor(Math.random() * 1e9));
    const emails = [{ email: freshEmail(), primary: true, verified: true }];
    await visitor.by("github", { subject, claims: { login: "ada", name: "Ada", emails } });
    expect(await visitor.session()).toBeDefined();
    expect((await logOut(visitor)).body).toEqual({});
  });

  test("is led nowhere without a session, and without one of a provider", async () => {
    expect((await logOut(new Visitor(app))).body).toEqual({});
    const { sessionToken: bearer } = await register(app);
    expect((await app.client(SessionService, { bearer }).logout({})).redirectUrl).toBe("");
  });

  test("is led nowhere unless the operator wants it so", async () => {
    const usual = await startSocialApp();
    try {
      const visitor = new Visitor(usual);
      await visitor.by("first", somebody());
      expect((await logOut(visitor)).body).toEqual({});
      expect(await visitor.session()).toBeUndefined();
      const call = usual.client(SessionService).logout({ returnTo: bye });
      expect(await refusal(call)).toMatchObject({ reason: "RETURN_TO_NOT_ALLOWED" });
    } finally {
      await usual.stop();
    }
  });
});
