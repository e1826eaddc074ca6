import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:http2";
import type { JWTPayload } from "jose";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../../gen/ostiary/flow/v1/login_service_pb.js";
import { SessionService } from "../../../gen/ostiary/session/v1/session_service_pb.js";
import { startTestApp, type TestApp } from "../../support/app.ts";
import { TestClock } from "../../support/clock.ts";
import { type SocialApp, somebody, startSocialApp, Visitor } from "../../support/social.ts";
import {
  type HostileProvider,
  hostileClient,
  makeProviderKey,
  startHostileProvider,
} from "../../support/upstream/hostile-provider.ts";
import { UpstreamVisitor } from "../../support/upstream/visitor.ts";

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout";
const refusal = { error: "invalid_request", error_description: "The logout token was not accepted." };

describe("a real provider that tells of a logout", () => {
  let app: SocialApp;

  beforeAll(async () => {
    app = await startSocialApp();
    const { clientId, clientSecret } = app.providers.first;
    await app.upstream.first.setClient([`${app.publicUrl}/oidc/callback/first`], {
      clientId,
      clientSecret,
      metadata: { backchannel_logout_uri: `${app.localUrl}/oidc/logout/first` },
    });
  });
  afterAll(() => app.stop());

  test("ends the session of that browser, and not that of the same person in another one (SR-OIDC-20)", async () => {
    const ada = somebody();
    const [phone, laptop] = [new UpstreamVisitor(), new UpstreamVisitor()];
    const [onPhone, onLaptop] = [new Visitor(app), new Visitor(app)];
    await onPhone.by("first", { ...ada, visitor: phone });
    await onLaptop.by("first", { ...ada, visitor: laptop });
    const [ended, kept] = [await onPhone.session(), await onLaptop.session()];
    expect(ended.identityId).toBe(kept.identityId);

    await phone.signOut(`${app.upstream.first.url}/session/end`);
    expect(await onPhone.session()).toBeUndefined();
    expect((await onLaptop.session()).id).toBe(kept.id);
    expect(await eventsOf(app, ended.id)).toEqual([
      { type: "session.revoked", actor: "server", data: { reason: "provider_logout", provider: "first" } },
    ]);
    expect(app.upstream.errors()).toBe("");
  });
});

describe("a logout token", () => {
  let app: TestApp;
  let acme: HostileProvider;
  const clock = new TestClock();

  beforeAll(async () => {
    acme = await startHostileProvider({ clock });
    const client = { issuer: acme.url, client_secret: "s" };
    app = await startTestApp({
      clock,
      config: {
        server: { outbound: { allowed_private_hosts: [acme.host] } },
        tenant_defaults: {
          oidc: {
            providers: [
              { id: "acme", client_id: hostileClient.clientId, ...client },
              { id: "bolt", client_id: "another-client", ...client },
            ],
          },
        },
      },
    });
  });
  afterAll(async () => {
    await app.stop();
    await acme.stop();
  });

  /** Signs in natively, by an ID token of the provider. */
  async function signIn(claims: { sub?: string; sid?: string } = {}, provider = "acme"): Promise<string> {
    const service = app.client(LoginService);
    const { flow } = await service.createLoginFlow({ client: ClientKind.NATIVE });
    const offers = flow?.stage.case === "chooseMethod" ? flow.stage.value.offers : [];
    const [nonce = ""] = offers.flatMap(({ method }) => (method.case === "oidc" ? [method.value.nonce] : []));
    const sub = claims.sub ?? randomUUID();
    const email = `${sub.replaceAll(/[^a-z0-9-]/g, "")}@example.com`;
    const aud = provider === "acme" ? hostileClient.clientId : "another-client";
    const idToken = await acme.sign(
      acme.claims({ nonce, aud, email, email_verified: true, sid: randomUUID(), ...claims, sub }),
    );
    const { outcome } = await service.submitLoginFlow({
      flowId: flow?.id ?? "",
      step: { case: "oidc", value: { provider, idToken } },
    });
    if (outcome.case !== "completed") throw new Error(`it was ${JSON.stringify(outcome)}`);
    return outcome.value.signedIn?.sessionToken ?? "";
  }

  const isLive = (token: string) =>
    app
      .client(SessionService)
      .checkSession({ token })
      .then(
        () => true,
        () => false,
      );

  const claimsOf = (change: Readonly<Record<string, unknown>>): JWTPayload => {
    const { nonce: _, sub: _sub, ...claims } = acme.claims();
    return { ...claims, jti: randomUUID(), events: { [logoutEvent]: {} }, ...change };
  };
  const tokenOf = (change: Readonly<Record<string, unknown>>) =>
    acme.sign(claimsOf(change), { header: { typ: "logout+jwt" } });

  const send = (token: string, { path = "/oidc/logout/acme", headers = {} } = {}) =>
    fetch(app.localUrl + path, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
      body: new URLSearchParams({ logout_token: token }).toString(),
    });

  test("with a session ends that session alone", async () => {
    const [sub, sid] = [randomUUID(), randomUUID()];
    const [ended, kept, stranger] = [await signIn({ sub, sid }), await signIn({ sub }), await signIn()];
    const answer = await send(await tokenOf({ sid }));
    expect(answer.status).toBe(200);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(await answer.text()).toBe("");
    expect([await isLive(ended), await isLive(kept), await isLive(stranger)]).toEqual([false, true, true]);
  });

  test("with a subject ends all sessions of that account, and none that another provider made", async () => {
    const sub = randomUUID();
    const [one, two] = [await signIn({ sub }), await signIn({ sub })];
    // The same account, by another client of the same issuer.
    const other = await signIn({ sub }, "bolt");
    const stranger = await signIn();
    expect((await send(await tokenOf({ sub }))).status).toBe(200);
    const live = await Promise.all([one, two, other, stranger].map(isLive));
    expect(live).toEqual([false, false, true, true]);
  });

  test("with both ends what both name", async () => {
    const [sub, sid] = [randomUUID(), randomUUID()];
    const session = await signIn({ sub, sid });
    expect((await send(await tokenOf({ sub: randomUUID(), sid }))).status).toBe(200);
    expect((await send(await tokenOf({ sub, sid: randomUUID() }))).status).toBe(200);
    expect(await isLive(session)).toBe(true);
    expect((await send(await tokenOf({ sub, sid }))).status).toBe(200);
    expect(await isLive(session)).toBe(false);
  });

  test("of a session that is over, or was never here, is right as well", async () => {
    const sid = randomUUID();
    const session = await signIn({ sid });
    await app.client(SessionService, { bearer: session }).logout({});
    expect((await send(await tokenOf({ sid }))).status).toBe(200);
    expect((await send(await tokenOf({ sid: randomUUID() }))).status).toBe(200);
  });

  test("counts once: it ends no session that began later (SR-OIDC-21)", async () => {
    const sub = randomUUID();
    await signIn({ sub });
    const token = await tokenOf({ sub });
    expect((await send(token)).status).toBe(200);
    const later = await signIn({ sub });
    expect((await send(token)).status).toBe(400);
    // For as long as it would be taken: clocks differ.
    clock.advance(600_000 + 20_000);
    const answer = await send(token);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual(refusal);
    expect(await isLive(later)).toBe(true);
  });

  test("that comes 16 times at once counts once", async () => {
    const token = await tokenOf({ sid: randomUUID() });
    const answers = await Promise.all(Array.from({ length: 16 }, () => send(token)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(15).fill(400)]);
  });

  test.each<[string, (change: { sid: string }) => Promise<string>]>([
    ["by a key that is none of the provider's", async ({ sid }) => forged({ sid })],
    ["without a signature", async ({ sid }) => unsigned({ sid })],
    ["of another issuer", ({ sid }) => tokenOf({ sid, iss: "https://evil.example" })],
    ["for another client", ({ sid }) => tokenOf({ sid, aud: "another-client" })],
    ["with a nonce", ({ sid }) => tokenOf({ sid, nonce: "n" })],
    ["without the event", ({ sid }) => tokenOf({ sid, events: {} })],
    ["without an id", ({ sid }) => tokenOf({ sid, jti: undefined })],
    ["of long ago", ({ sid }) => tokenOf({ sid, iat: 1, exp: 2 })],
    ["that names nobody", () => tokenOf({})],
    ["that is an ID token", ({ sid }) => acme.sign(acme.claims({ sid }))],
    ["that is no token", async () => "x"],
    ["that is empty", async () => ""],
  ])("%s is refused, and ends nothing (SR-OIDC-22)", async (_name, make) => {
    const sid = randomUUID();
    const session = await signIn({ sid });
    const answer = await send(await make({ sid }));
    expect(answer.status).toBe(400);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(await answer.json()).toEqual(refusal);
    expect(await isLive(session)).toBe(true);
  });

  async function forged(change: object): Promise<string> {
    const key = await makeProviderKey("RS256");
    return acme.sign(claimsOf({ ...change }), { key, header: { typ: "logout+jwt" } });
  }

  function unsigned(change: object): string {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    return `${part({ alg: "none", typ: "logout+jwt" })}.${part(claimsOf({ ...change }))}.`;
  }

  test("on the path of another provider, or of none, is refused in the same words (SR-OIDC-22)", async () => {
    const sid = randomUUID();
    const session = await signIn({ sid });
    for (const path of [
      "/oidc/logout/bolt",
      "/oidc/logout/nobody",
      "/oidc/logout/acme/x",
      "/oidc/logout/%00",
    ]) {
      const answer = await send(await tokenOf({ sid }), { path });
      expect([path, answer.status, await answer.json()]).toEqual([path, 400, refusal]);
    }
    expect(await isLive(session)).toBe(true);
  });

  test("comes as a form, once", async () => {
    const token = await tokenOf({ sid: randomUUID() });
    const json = { "content-type": "application/json" };
    const post = (body: string, headers = {}) =>
      fetch(`${app.localUrl}/oidc/logout/acme`, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded; charset=utf-8", ...headers },
        body,
      });
    expect((await post(JSON.stringify({ logout_token: token }), json)).status).toBe(400);
    expect((await post(`logout_token=${token}&logout_token=${token}`)).status).toBe(400);
    expect((await post(`logout_token=${token}`)).status).toBe(200);
  });

  test("is posted: other methods are refused", async () => {
    const token = await tokenOf({ sid: randomUUID() });
    const answer = await fetch(`${app.localUrl}/oidc/logout/acme?logout_token=${token}`);
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST"]);
  });

  test("of many kilobytes is refused", async () => {
    const answer = await send("x".repeat(17 * 1024));
    expect([answer.status, await answer.json()]).toEqual([400, refusal]);
  });

  test("is taken over HTTP/2", async () => {
    const sid = randomUUID();
    const session = await signIn({ sid });
    const client = connect(app.localUrl);
    const stream = client.request({
      ":method": "POST",
      ":path": "/oidc/logout/acme",
      "content-type": "application/x-www-form-urlencoded",
    });
    stream.end(new URLSearchParams({ logout_token: await tokenOf({ sid }) }).toString());
    const [headers] = await once(stream, "response");
    expect([headers[":status"], headers["cache-control"]]).toEqual([200, "no-store"]);
    client.destroy();
    expect(await isLive(session)).toBe(false);
  });

  test("finds the sessions by an index", async () => {
    await withDatabase(app, async (database) => {
      await database.query("SET enable_seqscan = off");
      const { rows } = await database.query(`EXPLAIN SELECT FROM ostiary.session WHERE revoked_at IS NULL
        AND authentication_methods @> '[{"kind": "oidc"}]' AND authentication_methods @> '[{"kind": "oidc", "provider": "a"}]'`);
      expect(rows.map((row) => row["QUERY PLAN"]).join("\n")).toContain("session_provider");
    });
  });
});

async function withDatabase<T>(app: TestApp, work: (database: Client) => Promise<T>): Promise<T> {
  const database = new Client({ connectionString: app.databaseUrl });
  await database.connect();
  try {
    return await work(database);
  } finally {
    await database.end();
  }
}

/** How a session ended. */
function eventsOf(app: TestApp, sessionId: string) {
  return withDatabase(app, async (database) => {
    const { rows } = await database.query(
      `SELECT type, actor ->> 'kind' AS actor, data FROM ostiary.event
       WHERE session_id = $1 AND type = 'session.revoked'`,
      [sessionId],
    );
    return rows;
  });
}
