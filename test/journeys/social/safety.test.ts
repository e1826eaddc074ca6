import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { administer } from "../../support/postgres.ts";
import { type SocialApp, somebody, startSocialApp, Visitor } from "../../support/social.ts";

/* Attacks on logins by a provider: what comes back is somebody else's, was used, or belongs elsewhere. */

let app: SocialApp;

beforeAll(async () => {
  app = await startSocialApp();
});
afterAll(() => app.stop());

// biome-ignore lint/suspicious/noExplicitAny: the JSON of a flow, as a page's script would see it
const messagesOf = (flow: any) => flow.form.messages.map(({ id }: { id: number }) => id);

/** A visitor who stands at the provider, with the callback that would finish it. */
async function onTheWay(as = somebody()) {
  const visitor = await new Visitor(app).begin("login");
  return { visitor, as, callback: await visitor.signIn("first", as) };
}

/** The page that says why it does not go on. */
const refusal = (status: number, text: string) => ({
  status,
  location: "",
  text: expect.stringContaining(text),
});

// Security rule (SR-SOCIAL-4): login CSRF.
test("somebody else's answer signs nobody in", async () => {
  const attacker = await onTheWay();
  const victim = new Visitor(app);
  expect(await victim.comeBack(attacker.callback)).toMatchObject(refusal(403, "another browser"));
  await victim.begin("login");
  expect(await victim.comeBack(attacker.callback)).toMatchObject(refusal(403, "another browser"));
  expect(await victim.session()).toBeUndefined();
  // The attacker's own flow is as it was.
  await attacker.visitor.comeBack(attacker.callback);
  expect(await attacker.visitor.session()).toBeDefined();
});

// Security rule (SR-SOCIAL-1).
describe("an answer that came back", () => {
  test("is good once", async () => {
    const stranger = await onTheWay();
    await stranger.visitor.comeBack(stranger.callback);
    const made = await stranger.visitor.session();
    // The login has gone on in a registration; it remembers nothing of what came back.
    await stranger.visitor.comeBack(stranger.callback);
    expect(messagesOf(stranger.visitor.flow)).toContain(9000704);
    const { visitor, callback } = await onTheWay(stranger.as);
    await visitor.comeBack(callback);
    const { id } = await visitor.session();
    expect(await visitor.comeBack(callback)).toMatchObject(refusal(409, "already been finished"));
    expect((await visitor.session()).id).toBe(id);
    expect((await stranger.visitor.session()).id).toBe(made.id);
  });

  test("is good once, also of many at the same moment", async () => {
    const { visitor, callback } = await onTheWay();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => visitor.browser.open(callback.slice(app.publicUrl.length))),
    );
    const signedIn = answers.filter(({ headers }) =>
      headers.getSetCookie().some((cookie) => /session/.test(cookie)),
    );
    expect(signedIn).toHaveLength(1);
  });

  test("is not good for another provider, nor for a flow that asked another one since", async () => {
    const { visitor, callback } = await onTheWay();
    const elsewhere = callback.replace("/callback/first", "/callback/second");
    expect(await visitor.comeBack(elsewhere)).toMatchObject(refusal(404, "started too long ago"));
    expect(await visitor.comeBack(callback.replace("/callback/first", "/callback/nobody"))).toMatchObject(
      refusal(404, "started too long ago"),
    );
    await visitor.leave("second");
    await visitor.comeBack(callback);
    expect(messagesOf(visitor.flow)).toContain(9000704);
    expect(await visitor.session()).toBeUndefined();
  });

  test("is not good with a state that was changed, made elsewhere or left out", async () => {
    const { visitor, callback } = await onTheWay();
    const url = new URL(callback);
    for (const state of ["", "x", `${url.searchParams.get("state")}x`]) {
      url.searchParams.set("state", state);
      expect(await visitor.comeBack(url.href)).toMatchObject(refusal(404, "started too long ago"));
    }
    const other = await onTheWay();
    url.searchParams.set("state", new URL(other.callback).searchParams.get("state") ?? "");
    expect((await visitor.comeBack(url.href)).status).toBe(403);
    expect(await visitor.session()).toBeUndefined();
  });

  test("with the code of another login ends with a refusal, and the page goes on", async () => {
    const [one, other] = [await onTheWay(), await onTheWay()];
    const url = new URL(one.callback);
    url.searchParams.set("code", new URL(other.callback).searchParams.get("code") ?? "");
    await one.visitor.comeBack(url.href);
    expect(messagesOf(one.visitor.flow)).toContain(9000704);
    expect(await one.visitor.session()).toBeUndefined();
    // The way on.
    await one.visitor.comeBack(await one.visitor.signIn("first", one.as));
    expect(await one.visitor.session()).toBeDefined();
  });

  test("with another issuer than the one that was asked is refused (mix-up, RFC 9207)", async () => {
    const { visitor, callback } = await onTheWay();
    const url = new URL(callback);
    url.searchParams.set("iss", app.providers.second.url);
    await visitor.comeBack(url.href);
    expect(messagesOf(visitor.flow)).toContain(9000704);
  });

  test("for a flow that has expired begins a fresh one, and signs nobody in", async () => {
    const { visitor, callback } = await onTheWay();
    app.clock.advance(25 * 3_600_000);
    const { location } = await visitor.comeBack(callback);
    expect(location).toContain("/ui/login#flow=");
    expect(visitor.flow.chooseMethod).toBeDefined();
    expect(await visitor.session()).toBeUndefined();
  });

  test("says that the person, or the provider, has not agreed", async () => {
    const visitor = await new Visitor(app).begin("login");
    await visitor.comeBack(await visitor.signIn("first", { ...somebody(), cancels: true }));
    expect(messagesOf(visitor.flow)).toContain(9000703);
    expect(visitor.flow.chooseMethod.offers.length).toBeGreaterThan(3);
  });

  test("is refused by a clear page if it is a body too large or no form", async () => {
    const post = (body: string) =>
      fetch(`${app.localUrl}/oidc/callback/first`, { method: "POST", body, redirect: "manual" });
    expect((await post("x".repeat(20_000))).status).toBe(413);
    expect((await post("state=x")).status).toBe(404);
    for (const method of ["PUT", "HEAD", "DELETE"]) {
      const other = await fetch(`${app.localUrl}/oidc/callback/first`, { method });
      expect(other.status).toBe(405);
      expect(other.headers.get("allow")).toBe("GET, POST");
    }
  });
});

// Security rule (SR-SOCIAL-6).
test("what a provider posts from its own page is taken by ours, where the cookie is compared", async () => {
  const { visitor, callback } = await onTheWay();
  const { pathname, search } = new URL(callback);
  const posted = await fetch(app.localUrl + pathname, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", origin: app.providers.first.url },
    body: search.slice(1),
    redirect: "manual",
  });
  expect(posted.status).toBe(303);
  const location = posted.headers.get("location") ?? "";
  expect(posted.headers.getSetCookie()).toEqual([]);
  expect([...new URL(location).searchParams.keys()]).toEqual(["received"]);
  // Neither code nor state is in the address.
  expect(location).not.toContain(new URL(callback).searchParams.get("code"));
  expect((await new Visitor(app).comeBack(location)).status).toBe(403);
  await visitor.comeBack(location);
  expect(await visitor.session()).toBeDefined();
  await visitor.comeBack(location);
  expect(messagesOf(visitor.flow)).toContain(9000704);
  const late = await onTheWay();
  const handle = await fetch(app.localUrl + pathname, {
    method: "POST",
    body: new URL(late.callback).search.slice(1),
    redirect: "manual",
  });
  app.clock.advance(61_000);
  expect((await late.visitor.comeBack(handle.headers.get("location") ?? "")).status).toBe(404);
});

// Security rule (SR-SOCIAL-5).
test("the address that the provider sends back to follows from the configuration alone", async () => {
  const visitor = await new Visitor(app).begin("login");
  const { id: flowId, csrfToken } = visitor.flow;
  const { body } = await visitor.browser.post(
    "/ostiary.flow.v1.LoginService/SubmitLoginFlow",
    { flowId, csrfToken, oidc: { provider: "first" } },
    { "x-forwarded-host": "evil.example", "x-forwarded-proto": "https", forwarded: "host=evil.example" },
  );
  const { searchParams } = new URL(body.redirect.url);
  expect(searchParams.get("redirect_uri")).toBe(`${app.publicUrl}/oidc/callback/first`);
  expect(searchParams.get("code_challenge_method")).toBe("S256");
});

test("a step that says it is a callback is none", async () => {
  const { visitor, callback } = await onTheWay();
  const query = new URL(callback).search.slice(1);
  const answer = await visitor.submit({ oidc: { callback: { provider: "first", query } } });
  expect(answer.reason).toBe("REQUEST_MALFORMED");
  const exchanged = await visitor.submit({ oidc: { provider: "first", exchangeCode: query } });
  // Of a browser's flow it is not read: the login begins anew.
  expect(exchanged.body.redirect).toBeDefined();
});

test("neither the log nor the events have a code, a token, a secret or a claim", async () => {
  const ada = somebody();
  const { visitor, callback } = await onTheWay(ada);
  await visitor.comeBack(callback);
  const failed = await onTheWay(ada);
  const url = new URL(failed.callback);
  url.searchParams.set("code", "another");
  await failed.visitor.comeBack(url.href);
  const rows = await administer(app.databaseUrl, (query) => query("SELECT to_jsonb(e) FROM ostiary.event e"));
  const written = JSON.stringify([app.log, rows]);
  expect(written).toContain("a login at a provider has failed");
  const { searchParams } = new URL(callback);
  const secrets = [
    ...["code", "state"].map((name) => searchParams.get(name)),
    ...[app.providers.first.clientSecret, ada.subject, ada.email, "Ada Lovelace"],
  ];
  for (const secret of secrets) expect(written).not.toContain(secret);
});
