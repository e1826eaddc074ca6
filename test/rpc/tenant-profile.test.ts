import { toJson } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MethodKind } from "../../gen/ostiary/common/v1/method_kind_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import {
  LoginStyle,
  RegistrationMode,
  TenantProfileSchema,
} from "../../gen/ostiary/flow/v1/tenant_profile_pb.js";
import { IdentifierKind } from "../../gen/ostiary/identity/v1/identity_pb.js";
import { createTokens } from "../../src/crypto/tokens.ts";
import { goodPassword, register, sessionTokenOf } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { Browser } from "../support/browser.ts";

const path = "/ostiary.flow.v1.FlowService/GetTenantProfile";
const getPath = `${path}?connect=v1&encoding=json&message=%7B%7D`;
const origin = "https://app.example.com";

const branding = {
  ...{ name: "Acme", logo_url: "/logo.svg", terms_url: "https://example.com/terms" },
  ...{ colors: { primary: "#1A56DB" }, support_email: "help@example.com" },
};
const schema = (properties: object) => ({ type: "object", properties });
const schemas = [
  {
    id: "person",
    document: schema({
      email: { type: "string", format: "email", title: "Mail", ostiary: { identifier: "email" } },
      nick: { type: "string", title: "Nickname", ostiary: { identifier: "username" } },
    }),
  },
  { id: "member", document: schema({ phone: { type: "string", ostiary: { identifier: "phone" } } }) },
  {
    id: "staff",
    self_service: false,
    document: schema({
      number: { type: "string", title: "Staff number", ostiary: { identifier: "username" } },
    }),
  },
];

let app: TestApp;
let invitationOnly: TestApp;
let closed: TestApp;
beforeAll(async () => {
  app = await startTestApp({
    config: {
      tenant_defaults: {
        branding,
        allowed_origins: [origin],
        identity: { schemas },
        courier: { default_language: "de" },
      },
    },
  });
  const beside = { databaseUrl: app.databaseUrl, clock: app.clock };
  invitationOnly = await startTestApp({
    config: {
      tenant_defaults: {
        flows: { registration: { mode: "invitation" }, login: { style: "identifier_first" } },
        password: { min_length: 15, breach_check: { enabled: true } },
        code: { login: false },
      },
    },
    ...beside,
  });
  closed = await startTestApp({
    config: {
      tenant_defaults: {
        flows: {
          registration: { mode: "closed" },
          recovery: { enabled: false },
          verification: { enabled: false },
          settings: { account_deletion: { enabled: true } },
        },
      },
    },
    ...beside,
  });
});
afterAll(async () => {
  await closed.stop();
  await invitationOnly.stop();
  await app.stop();
});

async function profileOf(server: TestApp) {
  const { profile } = await server.client(FlowService).getTenantProfile({});
  if (profile === undefined) throw new Error("there is no profile");
  return profile;
}

const password = { kind: MethodKind.PASSWORD };
const code = { kind: MethodKind.CODE };
const totp = { kind: MethodKind.TOTP };
const backupCode = { kind: MethodKind.BACKUP_CODE };

describe("the tenant's profile", () => {
  test("says what a page must know before it begins a flow", async () => {
    const profile = await profileOf(app);
    expect(profile).toMatchObject({
      branding: {
        name: "Acme",
        logoUrl: `${app.publicUrl}/logo.svg`,
        logoDarkUrl: "",
        termsUrl: "https://example.com/terms",
        supportEmail: "help@example.com",
        colors: { primary: "#1a56db", background: "" },
      },
      languages: ["de", "en"],
      defaultSchemaId: "person",
      passwordRules: { minLength: 8, maxLength: 256, breachCheck: false },
      login: { methods: [password, code], style: LoginStyle.ONE_STEP },
      registration: {
        mode: RegistrationMode.OPEN,
        methods: [password, code],
        schemaIds: ["person", "member"],
      },
      verification: { enabled: true, methods: [code] },
      recovery: { enabled: true, methods: [code] },
      settings: { methods: [password, totp, backupCode], accountDeletion: false },
    });
    expect(profile.branding?.darkColors).toBeUndefined();
  });

  test("security rule (SR-PAGES-4): names what people sign in with, but of no schema that they cannot choose", async () => {
    const { identifiers } = await profileOf(app);
    expect(identifiers.map(({ kind, label }) => [kind, label?.id, label?.text])).toEqual([
      [IdentifierKind.EMAIL, 9000200, "Mail"],
      [IdentifierKind.USERNAME, 9000200, "Nickname"],
      [IdentifierKind.PHONE, 9000200, "phone"],
    ]);
    expect(JSON.stringify(toJson(TenantProfileSchema, await profileOf(app)))).not.toMatch(/staff/i);
  });

  test("says that only who is invited can register, and what is configured differently", async () => {
    expect(await profileOf(invitationOnly)).toMatchObject({
      branding: { name: "Ostiary" },
      passwordRules: { minLength: 15, breachCheck: true },
      login: { methods: [password], style: LoginStyle.IDENTIFIER_FIRST },
      registration: { mode: RegistrationMode.INVITATION, methods: [password, code], schemaIds: ["default"] },
    });
  });

  test("says that nobody can register, recover or verify", async () => {
    expect(await profileOf(closed)).toMatchObject({
      registration: { mode: RegistrationMode.CLOSED, methods: [], schemaIds: [] },
      recovery: { enabled: false, methods: [] },
      verification: { enabled: false, methods: [] },
      settings: { accountDeletion: true },
    });
  });

  test.each(protocols)("is the same over %s, with what caches go by", async (protocol) => {
    const headers = new Headers();
    const onHeader = (received: Headers) => {
      for (const [name, value] of received) headers.set(name, value);
    };
    const { profile } = await app.client(FlowService, { protocol }).getTenantProfile({}, { onHeader });
    expect(profile).toEqual(await profileOf(app));
    expect(headers.get("cache-control")).toBe("public, max-age=300");
    expect(headers.get("etag")).toBe((await fetch(app.localUrl + getPath)).headers.get("etag"));
  });

  test("costs no query", async () => {
    app.statements.length = 0;
    await profileOf(app);
    expect(app.statements).toEqual([]);
  });
});

describe("by GET", () => {
  test("is answered with an etag, and with 304 to who has it", async () => {
    const first = await fetch(app.localUrl + getPath);
    const etag = first.headers.get("etag") ?? "";
    expect(first.status).toBe(200);
    expect(etag).toMatch(/^"[\w-]{22}"$/);
    expect(await first.json()).toMatchObject({ profile: { branding: { name: "Acme" } } });
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const again = await fetch(app.localUrl + getPath, { headers: { "if-none-match": known } });
      expect([again.status, await again.text()]).toEqual([304, ""]);
      expect(again.headers.get("etag")).toBe(etag);
      expect(again.headers.get("cache-control")).toBe("public, max-age=300");
      expect(again.headers.get("vary")).toBe("Origin");
    }
    const other = await fetch(app.localUrl + getPath, { headers: { "if-none-match": '"other"' } });
    expect(other.status).toBe(200);
  });

  test("has another etag with another configuration", async () => {
    const etags = await Promise.all(
      [app, invitationOnly, closed].map(async ({ localUrl }) =>
        (await fetch(localUrl + getPath)).headers.get("etag"),
      ),
    );
    expect(new Set(etags).size).toBe(3);
  });

  test("is there in binary as well", async () => {
    const response = await fetch(`${app.localUrl}${path}?connect=v1&encoding=proto&message=`);
    expect(response.headers.get("content-type")).toBe("application/proto");
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(100);
  });

  test("a POST is answered in full, whatever the caller has", async () => {
    const etag = (await fetch(app.localUrl + getPath)).headers.get("etag") ?? "";
    const headers = { "content-type": "application/json", "if-none-match": etag };
    const response = await fetch(app.localUrl + path, { method: "POST", headers, body: "{}" });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(await (await fetch(app.localUrl + getPath)).text());
  });

  test("an error is never kept", async () => {
    const response = await fetch(`${app.localUrl}${path}?connect=v1&encoding=json&message=%7B%22x%22%3A1%7D`);
    expect(response.status).toBe(400);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("etag")).toBeNull();
  });

  test("security rule (SR-PAGES-4): no credential changes a byte of the answer, and no cookie comes with it", async () => {
    const { email } = await register(app);
    const token = await sessionTokenOf(app, email);
    const [browser, former] = [await signedIn(email), await signedIn(email)];
    const ended = cookieOf(former);
    await former.post("/ostiary.session.v1.SessionService/Logout", {});
    const plain = await (await fetch(app.localUrl + getPath)).text();
    const wrong = createTokens().issue("session_cookie", "default").token.reveal();
    const callers: readonly Record<string, string>[] = [
      { authorization: `Bearer ${token}` },
      { authorization: "Bearer ost_ses_wrong" },
      { cookie: cookieOf(browser) },
      { cookie: ended },
      { cookie: `__Host-ostiary_session=${wrong}; ostiary_session=${wrong}` },
      { authorization: `Bearer ${app.apiKey}` },
      { "accept-language": "de" },
      { origin },
    ];
    for (const headers of callers) {
      const response = await fetch(app.localUrl + getPath, { headers });
      expect(await response.text()).toBe(plain);
      expect(response.headers.getSetCookie()).toEqual([]);
      expect(response.headers.get("vary")).toBe("Origin");
    }
  });

  test("a page of an allowed origin may read it, another one may not", async () => {
    const allow = async (from: string) =>
      (await fetch(app.localUrl + getPath, { headers: { origin: from } })).headers.get(
        "access-control-allow-origin",
      );
    expect(await allow(origin)).toBe(origin);
    expect(await allow("https://elsewhere.example.com")).toBeNull();
  });
});

/** A browser in which somebody has signed in. */
async function signedIn(identifier: string): Promise<Browser> {
  const browser = new Browser(app.publicUrl, app.localUrl);
  const service = "/ostiary.flow.v1.LoginService";
  const { body } = await browser.post(`${service}/CreateLoginFlow`, { client: "CLIENT_KIND_BROWSER" });
  const { id: flowId, csrfToken } = body.flow;
  const step = { password: { password: goodPassword } };
  await browser.post(`${service}/SubmitLoginFlow`, { flowId, csrfToken, identifier, ...step });
  expect(cookieOf(browser)).toContain("ostiary_session=ost_cki_");
  return browser;
}

function cookieOf({ cookies }: Browser): string {
  return [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
}
