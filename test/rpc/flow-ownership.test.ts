import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow, FlowKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { goodPassword, register, sessionTokenOf } from "../support/accounts.ts";
import { type Protocol, protocols, startTestApp, type TestApp } from "../support/app.ts";
import { Browser } from "../support/browser.ts";
import { verifiedAccount } from "../support/deletion.ts";
import { refusal } from "../support/errors.ts";
import { flowKinds, type Shown } from "../support/flow-kinds.ts";
import { administer } from "../support/postgres.ts";

const native = { client: ClientKind.NATIVE };
const browser = { client: ClientKind.BROWSER };
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(() => app.stop());

const sql = (text: string) => administer(app.databaseUrl, (query) => query<{ count: string }>(text));
const flowCount = async () => (await sql("SELECT count(*) FROM ostiary.flow"))[0]?.count;

/** What a flow can have become meanwhile. */
const states: readonly (readonly [state: string, become: () => Promise<unknown>])[] = [
  ["live", async () => {}],
  ["expired", () => sql("UPDATE ostiary.flow SET expires_at = created_at")],
  ["completed", () => sql("UPDATE ostiary.flow SET state = 'completed'")],
  [
    "completed and expired",
    () => sql("UPDATE ostiary.flow SET state = 'completed', expires_at = created_at"),
  ],
];

/** How a call ended: its reason, or the outcome or state that it showed, as text without anything of the account. */
async function ended(call: () => Promise<unknown>): Promise<string> {
  try {
    const answer = (await call()) as {
      readonly outcome?: { readonly case: string };
      readonly state?: number;
    };
    return answer.outcome?.case ?? "shown";
  } catch (error) {
    return (await refusal(Promise.reject(error))).reason ?? String(error);
  }
}

/** A browser in which somebody has signed in: the cookie of its flows, and that of the session. */
async function signedInBrowser(email: string): Promise<{ own: string; session: string }> {
  const visitor = new Browser(app.publicUrl);
  const path = "/ostiary.flow.v1.LoginService";
  const { flow } = (await visitor.post(`${path}/CreateLoginFlow`, { client: "CLIENT_KIND_BROWSER" })).body;
  await visitor.post(`${path}/SubmitLoginFlow`, {
    flowId: flow.id,
    csrfToken: flow.csrfToken,
    identifier: email,
    password: { password: goodPassword },
  });
  const named = (name: string) => `${name}=${visitor.cookies.get(name)}`;
  return { own: named("ostiary_browser"), session: named("ostiary_session") };
}

/** As `signedInBrowser`, of somebody who has signed out since; their cookie was kept. */
async function signedOutBrowser(email: string): Promise<string> {
  const { session } = await signedInBrowser(email);
  await app.client(SessionService, cookie(session)).logout({});
  return session;
}

const cookie = (...values: readonly string[]): Shown => ({ headers: { cookie: values.join("; ") } });

describe.each(protocols)("a settings flow of a native client over %s", (protocol: Protocol) => {
  describe.each(states)("that is %s", (state, become) => {
    test("answers its owner's session alone, shows nothing to others and makes no row for them", async () => {
      const owner = await register(app);
      const stranger = await register(app);
      const loggedOut = await sessionTokenOf(app, owner.email);
      await app.client(SessionService, { bearer: loggedOut }).logout({});
      const { own, session } = await signedInBrowser(owner.email);
      const flow = await flowKinds.settings.create(app, native, { protocol, bearer: owner.sessionToken });
      await become();
      const before = await flowCount();
      const callers: readonly (readonly [string, Shown, string])[] = [
        ["nobody", {}, "SESSION_CREDENTIAL_MISSING"],
        ["a stranger", { bearer: stranger.sessionToken }, "FLOW_NOT_FOUND"],
        ["who logged out", { bearer: loggedOut }, "SESSION_REVOKED"],
        // Security rule (SR-FLOW-2): a native flow takes the Authorization header alone.
        ["a cookie", cookie(own, session), "SESSION_CREDENTIAL_MISSING"],
      ];
      for (const [name, shown, reason] of callers) {
        const by = { protocol, ...shown };
        expect([name, await ended(() => flowKinds.settings.get(app, flow.id, by))]).toEqual([name, reason]);
        expect([name, await ended(() => flowKinds.settings.submit(app, flow, by))]).toEqual([name, reason]);
      }
      expect(await flowCount()).toBe(before);
      const bearer = { protocol, bearer: owner.sessionToken };
      const isExpired = state === "expired";
      const isLive = state === "live";
      const { replaced } = await app.client(FlowService, bearer).getFlow({ flowId: flow.id });
      expect(replaced).toBe(isExpired);
      expect(await ended(() => flowKinds.settings.submit(app, flow, bearer))).toBe(
        isExpired ? "expired" : isLive ? "rejected" : "FLOW_COMPLETED",
      );
    });
  });
});

describe.each(protocols)("a settings flow of a browser over %s", (protocol) => {
  test.each(states)(
    "that is %s answers its owner in its browser alone, and says who else has signed in",
    async (state, become) => {
      const owner = await register(app);
      const stranger = await register(app);
      const here = await signedInBrowser(owner.email);
      const elsewhere = await signedInBrowser(owner.email);
      const other = (await signedInBrowser(stranger.email)).session;
      const flow = await flowKinds.settings.create(app, browser, cookie(here.own, here.session));
      const loggedOut = await signedOutBrowser(owner.email);
      await become();
      const before = await flowCount();
      const callers: readonly (readonly [string, Shown, string])[] = [
        ["nobody", {}, "FLOW_CLIENT_MISMATCH"],
        ["the owner elsewhere", cookie(elsewhere.own, here.session), "FLOW_CLIENT_MISMATCH"],
        ["a bearer token", { bearer: owner.sessionToken }, "FLOW_CLIENT_MISMATCH"],
        ["nobody here", cookie(here.own), "SESSION_CREDENTIAL_MISSING"],
        ["who logged out", cookie(here.own, loggedOut), "SESSION_REVOKED"],
        ["somebody else here", cookie(here.own, other), "FLOW_IDENTITY_MISMATCH"],
      ];
      for (const [name, by, reason] of callers) {
        expect([name, await ended(() => flowKinds.settings.get(app, flow.id, { protocol, ...by }))]).toEqual([
          name,
          reason,
        ]);
        expect([name, await ended(() => flowKinds.settings.submit(app, flow, { protocol, ...by }))]).toEqual([
          name,
          reason,
        ]);
      }
      const own = { protocol, ...cookie(here.own, here.session) };
      const forged = { ...flow, csrfToken: "" };
      expect(await ended(() => flowKinds.settings.submit(app, forged, own))).toBe("CSRF_TOKEN_MISSING");
      expect(await flowCount()).toBe(before);
      expect(await ended(() => flowKinds.settings.submit(app, flow, own))).toBe(
        state === "expired" ? "expired" : state === "live" ? "rejected" : "FLOW_COMPLETED",
      );
    },
  );
});

const open = ["login", "registration", "recovery", "verification"] as const;

describe.each(open)("a browser's flow of the kind %s", (kind) => {
  test.each(states)(
    "that is %s answers nobody but its browser, and only with the form token",
    async (_, become) => {
      const cookies: string[] = [];
      const another: string[] = [];
      const calls = flowKinds[kind];
      const flow = await calls.create(app, browser, { onCookies: (set) => cookies.push(...set) });
      await calls.create(app, browser, { onCookies: (set) => another.push(...set) });
      await become();
      const before = await flowCount();
      for (const shown of [{}, cookie(...another), { bearer: (await register(app)).sessionToken }]) {
        expect(await ended(() => calls.get(app, flow.id, shown))).toBe("FLOW_CLIENT_MISMATCH");
        expect(await ended(() => calls.submit(app, flow, shown))).toBe("FLOW_CLIENT_MISMATCH");
      }
      const forged = { ...flow, csrfToken: "" };
      expect(await ended(() => calls.submit(app, forged, cookie(...cookies)))).toBe("CSRF_TOKEN_MISSING");
      expect(
        await ended(() => calls.submit(app, { ...flow, csrfToken: "made up" }, cookie(...cookies))),
      ).toBe("CSRF_TOKEN_INVALID");
      // The registrations of this table leave no flow behind that is active.
      expect(Number(await flowCount()) - Number(before)).toBeLessThanOrEqual(2);
    },
  );
});

describe("the settings of an account that is gone", () => {
  test.each(states)("answer like any flow that is not there, once they were %s", async (_, become) => {
    const owner = await register(app);
    const flow = await flowKinds.settings.create(app, native, { bearer: owner.sessionToken });
    await become();
    await sql(`DELETE FROM ostiary.identity WHERE id = '${owner.identity?.id}'`);
    expect(await ended(() => flowKinds.settings.get(app, flow.id))).toBe("FLOW_NOT_FOUND");
    expect(await ended(() => flowKinds.settings.submit(app, flow))).toBe("FLOW_NOT_FOUND");
  });
});

describe.each(protocols)("the settings after a recovery over %s", (protocol) => {
  async function recovered(): Promise<{ readonly email: string; readonly flow: Flow }> {
    const { email } = await verifiedAccount(app);
    const client = app.client(RecoveryService, { protocol });
    const { flow } = await client.createRecoveryFlow(native);
    const submit = (step: Parameters<typeof client.submitRecoveryFlow>[0]["step"]) =>
      client.submitRecoveryFlow({ flowId: flow?.id ?? "", address: email, ...(step && { step }) });
    await submit({ case: "sendCode", value: {} });
    const code = (await app.messages(email)).at(-1)?.code ?? "";
    const { outcome } = await submit({ case: "code", value: { code } });
    const action = outcome.case === "completed" ? outcome.value.continueWith[0]?.action : undefined;
    const settings = action?.case === "settings" ? action.value.flow : undefined;
    if (settings === undefined) throw new Error(`the recovery was ${outcome.case}`);
    return { email, flow: settings };
  }

  test("lead to another recovery once they have expired, and show nothing of the account", async () => {
    const { email, flow } = await recovered();
    expect(flow.account).toBeUndefined();
    await sql("UPDATE ostiary.flow SET expires_at = created_at");
    const { outcome, flow: replacement } = await flowKinds.settings.submit(app, flow, { protocol });
    if (outcome.case !== "expired") throw new Error(`the submit was ${outcome.case}`);
    expect(replacement?.kind).toBe(FlowKind.RECOVERY);
    expect(JSON.stringify(replacement?.form)).not.toContain(email);
    const asked = await flowKinds.recovery.submit(app, replacement ?? flow, { protocol });
    expect(asked.outcome.case).toBe("nextStep");

    const again = await flowKinds.settings.get(app, flow.id, { protocol });
    expect(again?.kind).toBe(FlowKind.RECOVERY);
    expect((await flowKinds.recovery.get(app, again?.id ?? "", { protocol }))?.id).toBe(again?.id);
  });
});

test("settings say whose account they change, in each answer that shows the flow", async () => {
  const owner = await register(app);
  const own = { bearer: owner.sessionToken };
  const flow = await flowKinds.settings.create(app, native, own);
  const account = { identityId: owner.identity?.id, displayName: owner.email };
  expect(flow.account).toMatchObject(account);
  expect((await flowKinds.settings.get(app, flow.id, own))?.account).toMatchObject(account);
  expect((await flowKinds.settings.submit(app, flow, own)).flow?.account).toMatchObject(account);
});
