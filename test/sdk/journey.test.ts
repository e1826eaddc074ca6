import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { AssuranceLevel } from "../../gen/ostiary/option/v1/demand_pb.js";
import {
  createOstiary,
  createOstiaryAdmin,
  fieldViolationsOf,
  metadataOf,
  reasonOf,
  remedyOf,
  submit,
} from "../../sdk/typescript/src/index.ts";
import {
  createServerOstiary,
  requireSession,
  type ServerOstiary,
  SessionRefusedError,
} from "../../sdk/typescript/src/server.ts";
import { freshEmail, goodPassword, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ config: { server: { trusted_proxies: ["127.0.0.1"] } } });
});
afterAll(() => app.stop());

describe("a native client", () => {
  test("registers and logs in with the forms it is given, and calls with its token", async () => {
    const email = freshEmail();
    const { token, ostiary } = nativeClient();
    const registration = await ostiary.registration.createRegistrationFlow({ client: ClientKind.NATIVE });
    const registered = await submit(
      ostiary,
      given(registration.flow),
      form({ "traits.email": email, "password.password": goodPassword }),
      "password",
    );
    if (registered.kind !== "completed") throw new Error(registered.kind);
    expect(registered.completed.signedIn?.identity?.traits).toMatchObject({ email });

    const login = await ostiary.login.createLoginFlow({ client: ClientKind.NATIVE });
    const wrong = await submit(
      ostiary,
      given(login.flow),
      form({ identifier: email, "password.password": "not the password" }),
      "password",
    );
    if (wrong.kind !== "rejected") throw new Error(wrong.kind);
    expect(wrong.reason).toBe(RejectionReason.CREDENTIALS_INVALID);

    const right = await submit(
      ostiary,
      wrong.flow,
      form({ identifier: email, "password.password": goodPassword }),
      "password",
    );
    if (right.kind !== "completed") throw new Error(right.kind);
    token.current = right.completed.signedIn?.sessionToken;
    const { session } = await ostiary.sessions.getCurrentSession({});
    expect(session?.id).toBe(right.completed.signedIn?.session?.id);
  });

  test("does the same over gRPC with a transport of its own", async () => {
    const { sessionToken, session } = await register(app);
    const transport = createGrpcTransport({ baseUrl: app.localUrl });
    const ostiary = createOstiary({ transport, token: sessionToken });
    expect((await ostiary.sessions.getCurrentSession({})).session?.id).toBe(session?.id);
  });

  test("draws the fresh flow when the old one has expired", async () => {
    const { ostiary } = nativeClient();
    const { flow } = await ostiary.login.createLoginFlow({ client: ClientKind.NATIVE });
    app.clock.advance(24 * 60 * 60 * 1000);
    const outcome = await submit(ostiary, given(flow), form({ identifier: "a" }), "password");
    expect(outcome.kind).toBe("expired");
    expect(outcome.kind === "expired" && outcome.flow.id).not.toBe(flow?.id);
  });

  test("reads reason, remedy and metadata of errors", async () => {
    const { ostiary } = nativeClient();
    const error = await ostiary.sessions.getCurrentSession({}).catch((caught: unknown) => caught);
    expect(reasonOf(error)).toBe("SESSION_CREDENTIAL_MISSING");
    expect(remedyOf(error)).not.toBe("");
    const wrongKind = createOstiary({ baseUrl: app.localUrl, token: app.apiKey });
    const mismatch = await wrongKind.sessions.getCurrentSession({}).catch((caught: unknown) => caught);
    expect(reasonOf(mismatch)).toBe("SESSION_TOKEN_KIND_MISMATCH");
    expect(Object.keys(metadataOf(mismatch)).sort()).toEqual(["actual", "expected"]);
    const invalid = await ostiary.flows.getFlow({ flowId: "" }).catch((caught: unknown) => caught);
    expect(reasonOf(invalid)).toBe("REQUEST_INVALID");
    expect(fieldViolationsOf(invalid).map(({ field }) => field)).toEqual(["flowId"]);
  });
});

describe("an operator", () => {
  test("finds a person who registered, and ends their sessions", async () => {
    const { session, sessionToken, email } = await register(app);
    const admin = createOstiaryAdmin({ baseUrl: app.adminUrl, apiKey: () => app.apiKey });
    const { identity } = await admin.identities.getIdentity({ identityId: session?.identityId ?? "" });
    expect(identity?.identifiers.map(({ value }) => value)).toEqual([email]);
    await admin.sessions.revokeIdentitySessions({ identityId: identity?.id ?? "" });
    const guard = requireSession({ baseUrl: app.localUrl });
    const refused = await guard.check(asBearer(sessionToken)).catch((caught: unknown) => caught);
    expect(refused).toBeInstanceOf(SessionRefusedError);
    expect(refused).toMatchObject({ status: 401, reason: "SESSION_REVOKED" });
  });
});

describe("a guarded service", () => {
  test("knows who calls and how strongly they signed in", async () => {
    const { sessionToken, identity } = await register(app);
    const guard = requireSession({ baseUrl: app.localUrl, assuranceLevel: "aal1", maxAge: "15m" });
    const signedIn = await guard.check(asBearer(sessionToken));
    expect(signedIn.identity.traits).toEqual(identity?.traits);
    expect(signedIn.session.assuranceLevel).toBe(AssuranceLevel.AAL1);
  });

  test.each([
    ["too weak a login", { assuranceLevel: "aal2" }, "SESSION_ASSURANCE_TOO_LOW", 'acr_values="aal2"'],
    ["too old a login", { maxAge: "1m" }, "SESSION_AUTHENTICATION_TOO_OLD", 'max_age="60"'],
  ] as const)("turns away %s, saying so (RFC 9470)", async (_, rules, reason, missing) => {
    const { sessionToken } = await register(app);
    app.clock.advance(61_000);
    const guard = requireSession({ baseUrl: app.localUrl, ...rules });
    const refused = await guard.check(asBearer(sessionToken)).catch((caught: unknown) => caught);
    expect(refused).toMatchObject({ status: 401, reason });
    const response = refused instanceof SessionRefusedError ? refused.toResponse() : undefined;
    expect(response?.headers.get("www-authenticate")).toBe(
      `Bearer error="insufficient_user_authentication", ${missing}`,
    );
  });

  test("turns away a token of another kind, by name", async () => {
    const guard = requireSession({ baseUrl: app.localUrl });
    const refused = await guard.check(asBearer(app.apiKey)).catch((caught: unknown) => caught);
    expect(refused).toMatchObject({ status: 401, reason: "SESSION_TOKEN_KIND_MISMATCH" });
  });
});

describe("a server-rendered app", () => {
  test("takes its user's browser through registration and logout, cookies both ways", async () => {
    const browser = new CookieBrowser();
    const email = freshEmail();

    const first = browser.visits("GET");
    const { flow } = await first.registration.createRegistrationFlow({ client: ClientKind.BROWSER });
    browser.takes(first);
    expect(browser.names()).toEqual(["ostiary_browser"]);

    const second = browser.visits("POST");
    const data = form({ "traits.email": email, "password.password": goodPassword });
    const outcome = await submit(second, given(flow), data, "password");
    if (outcome.kind !== "completed") throw new Error(outcome.kind);
    expect(outcome.completed.signedIn?.sessionToken).toBe("");
    // The new session is there within the same request already.
    const { session } = await second.sessions.getCurrentSession({});
    expect(session?.id).toBe(outcome.completed.signedIn?.session?.id);
    expect(session?.device).toMatchObject({ ipAddress: "192.0.2.7", userAgent: "Test Browser" });
    browser.takes(second);
    expect(browser.names()).toEqual(["ostiary_browser", "ostiary_device", "ostiary_session"]);

    const guard = requireSession({ baseUrl: app.localUrl });
    const signedIn = await guard.check(browser.request("POST"));
    expect(signedIn).toMatchObject({ credential: "cookie", session: { id: session?.id } });

    const third = browser.visits("POST");
    await third.sessions.logout({});
    browser.takes(third);
    // By the device cookie the browser is known to the account that signed in on it, also after a logout.
    expect(browser.names()).toEqual(["ostiary_browser", "ostiary_device"]);
  });

  test("does the same over gRPC, with cookies as metadata", async () => {
    const transport = createGrpcTransport({ baseUrl: app.localUrl });
    const clientAddress = "192.0.2.7";
    const first = createServerOstiary({ transport, request: page("GET"), clientAddress });
    const { flow } = await first.registration.createRegistrationFlow({ client: ClientKind.BROWSER });
    const cookie = first.setCookies.map((header) => header.split(";")[0]).join("; ");
    expect(cookie).toMatch(/^ostiary_browser=/);

    const second = createServerOstiary({
      transport,
      request: page("POST", { cookie }),
      clientAddress,
    });
    const data = form({ "traits.email": freshEmail(), "password.password": goodPassword });
    expect((await submit(second, given(flow), data, "password")).kind).toBe("completed");
    const { session } = await second.sessions.getCurrentSession({});
    expect(session?.device).toMatchObject({ ipAddress: "192.0.2.7", userAgent: "Test Browser" });
  });

  test("gets told what is missing when the browser has not sent its cookie", async () => {
    const first = new CookieBrowser().visits("GET");
    const { flow } = await first.login.createLoginFlow({ client: ClientKind.BROWSER });
    const stranger = new CookieBrowser().visits("POST");
    const data = form({ identifier: "a", "password.password": "b" });
    const error = await submit(stranger, given(flow), data, "password").catch((caught: unknown) => caught);
    expect(reasonOf(error)).toBe("FLOW_CLIENT_MISMATCH");
  });

  // Security rule (SR-SDK-7): Ostiary sees no Origin of these calls, so the helper itself holds off other sites.
  test("refuses to act on a changing request that another site has started", async () => {
    const browser = new CookieBrowser();
    const evil = browser.visits("POST", { origin: "https://evil.example", "sec-fetch-site": "cross-site" });
    const error = await evil.login
      .createLoginFlow({ client: ClientKind.BROWSER })
      .catch((caught: unknown) => caught);
    expect(reasonOf(error)).toBe("ORIGIN_NOT_ALLOWED");
    const link = browser.visits("GET", { "sec-fetch-site": "cross-site" });
    expect((await link.login.createLoginFlow({ client: ClientKind.BROWSER })).flow?.id).toMatch(/^ost_flw_/);
  });
});

function page(method: string, headers: Record<string, string> = {}): Request {
  return new Request("http://localhost:3000/page", {
    method,
    headers: { "user-agent": "Test Browser", ...headers },
  });
}

function nativeClient() {
  const token: { current: string | undefined } = { current: undefined };
  return { token, ostiary: createOstiary({ baseUrl: app.localUrl, token: () => token.current }) };
}

function given(flow: Flow | undefined): Flow {
  if (flow === undefined) throw new Error("no flow came");
  return flow;
}

function form(values: Record<string, string>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(values)) data.append(name, value);
  return data;
}

function asBearer(token: string): Request {
  return new Request("https://service.example/", { headers: { authorization: `Bearer ${token}` } });
}

/** A browser at a server-rendered app on localhost: it keeps cookies, and also has one of the app's. */
class CookieBrowser {
  readonly #cookies = new Map<string, string>([["app", "1"]]);

  request(method: string, headers: Record<string, string> = {}): Request {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const all = { cookie, "user-agent": "Test Browser", ...headers };
    return new Request("http://localhost:3000/page", { method, headers: all });
  }

  /** The app gets a request, and calls on behalf of its sender. */
  visits(method: string, headers: Record<string, string> = {}): ServerOstiary {
    const request = this.request(method, headers);
    return createServerOstiary({ baseUrl: app.localUrl, request, clientAddress: "192.0.2.7" });
  }

  /** The app answers. */
  takes(ostiary: ServerOstiary): void {
    const answer = new Response("page");
    ostiary.applyTo(answer);
    for (const header of answer.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(header) ?? [];
      if (/max-age=0\b/i.test(header)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
  }

  /** The names of Ostiary's cookies that it has. */
  names(): string[] {
    return [...this.#cookies.keys()].filter((name) => name !== "app").sort();
  }
}
