import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { AssuranceLevel, type DemandSchema } from "../../gen/ostiary/option/v1/demand_pb.js";
import { SessionState } from "../../gen/ostiary/session/v1/session_pb.js";
import { SessionService, SessionView } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { createTokens } from "../../src/crypto/tokens.ts";
import { freshEmail, goodPassword, logIn, register, sessionTokenOf } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";

let app: TestApp;

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(() => app.stop());

describe.each(protocols)("a native client over %s", (protocol) => {
  test("registers, logs in, and another service checks the session", async () => {
    const { email, identity } = await register(app, { protocol });
    const outcome = await logIn(app, email.toUpperCase(), goodPassword, protocol);
    if (outcome.case !== "completed") throw new Error(`the login was ${outcome.case}`);
    const { sessionToken = "" } = outcome.value.signedIn ?? {};
    expect(sessionToken).toMatch(/^ost_ses_default_[0-9A-Za-z]{49}$/);

    const checker = app.client(SessionService, { protocol });
    const checked = await checker.checkSession({ token: sessionToken, view: SessionView.FULL });
    expect(checked.session?.identityId).toBe(identity?.id);
    expect(checked.session?.assuranceLevel).toBe(AssuranceLevel.AAL1);
    expect(checked.identity?.traits).toEqual({ email });

    const holder = app.client(SessionService, { protocol, bearer: sessionToken });
    const current = await holder.getCurrentSession({});
    expect(current.session?.id).toBe(checked.session?.id);
    expect(current.session?.current).toBe(true);
  });

  test("is told that a wrong password and an unknown identifier are the same thing (ASVS V6.3.8)", async () => {
    const { email } = await register(app, { protocol });
    const wrong = await logIn(app, email, "not the password", protocol);
    const unknown = await logIn(app, freshEmail(), goodPassword, protocol);
    for (const outcome of [wrong, unknown]) {
      if (outcome.case !== "rejected") throw new Error(`the login was ${outcome.case}`);
      expect(RejectionReason[outcome.value.reason]).toBe("CREDENTIALS_INVALID");
      expect(outcome.flow?.form?.messages.map((message) => message.id)).toEqual([4000006]);
    }
  });

  test("is told by form messages what registration did not accept", async () => {
    const { email } = await register(app, { protocol });
    const client = app.client(RegistrationService, { protocol });
    const { flow } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
    const submit = async (traits: { [key: string]: string }, password: string) => {
      const { outcome, flow: drawn } = await client.submitRegistrationFlow({
        flowId: flow?.id ?? "",
        traits,
        step: { case: "password", value: { password } },
      });
      if (outcome.case !== "rejected") throw new Error(`the registration was ${outcome.case}`);
      const { nodes = [], messages = [] } = drawn?.form ?? {};
      return {
        reason: RejectionReason[outcome.value.reason],
        fields: nodes
          .filter((node) => node.messages.length > 0)
          .map((node) => [node.name, node.messages[0]?.id]),
        form: messages.map((message) => message.id),
      };
    };
    expect(await submit({ email }, goodPassword)).toEqual({
      reason: "IDENTIFIER_TAKEN",
      fields: [["traits.email", 4000007]],
      form: [],
    });
    expect(await submit({}, goodPassword)).toEqual({
      reason: "TRAITS_INVALID",
      fields: [["traits.email", 4000002]],
      form: [],
    });
    expect(await submit({ email: "not an address" }, goodPassword)).toMatchObject({
      reason: "TRAITS_INVALID",
      fields: [["traits.email", 4000040]],
    });
    expect(await submit({ email: freshEmail() }, "short")).toMatchObject({
      reason: "PASSWORD_REJECTED",
      fields: [["password.password", 4000032]],
    });
    expect(await submit({ email: freshEmail() }, "password1")).toMatchObject({
      fields: [["password.password", 9000001]],
    });
    expect(await submit({ email: freshEmail() }, "")).toMatchObject({
      reason: "FORM_INCOMPLETE",
      fields: [["password.password", 4000002]],
    });
    // The flow survived all of this, and still completes.
    const { outcome } = await client.submitRegistrationFlow({
      flowId: flow?.id ?? "",
      traits: { email: freshEmail() },
      step: { case: "password", value: { password: goodPassword } },
    });
    expect(outcome.case).toBe("completed");
  });

  test("gets a fresh flow for an expired one, on submit and on get", async () => {
    const client = app.client(LoginService, { protocol });
    const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
    app.clock.advance(3_600_000);
    const flowId = flow?.id ?? "";
    const { outcome, flow: drawn } = await client.submitLoginFlow({
      flowId,
      identifier: "x",
      step: { case: "password", value: { password: "y" } },
    });
    if (outcome.case !== "expired") throw new Error(`the login was ${outcome.case}`);
    expect(drawn?.client).toBe(ClientKind.NATIVE);
    expect(["", undefined, flowId]).not.toContain(drawn?.id);

    const got = await app.client(FlowService, { protocol }).getFlow({ flowId });
    expect([got.replaced, got.flow?.kind, got.flow?.client]).toEqual([true, flow?.kind, ClientKind.NATIVE]);
    expect(["", undefined, flowId]).not.toContain(got.flow?.id);
  });

  test("cannot use a flow twice", async () => {
    const { email } = await register(app, { protocol });
    const client = app.client(LoginService, { protocol });
    const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
    const submission = {
      flowId: flow?.id ?? "",
      identifier: email,
      step: { case: "password", value: { password: goodPassword } },
    } as const;
    expect((await client.submitLoginFlow(submission)).outcome.case).toBe("completed");
    expect(await refusal(client.submitLoginFlow(submission))).toMatchObject({
      code: "FailedPrecondition",
      reason: "FLOW_COMPLETED",
    });
  });

  test("is told that an unknown flow, and one of another kind, do not exist", async () => {
    const login = app.client(LoginService, { protocol });
    expect(
      await refusal(app.client(FlowService, { protocol }).getFlow({ flowId: "nonsense" })),
    ).toMatchObject({
      code: "NotFound",
      reason: "FLOW_NOT_FOUND",
    });
    const registration = app.client(RegistrationService, { protocol });
    const { flow } = await registration.createRegistrationFlow({ client: ClientKind.NATIVE });
    for (const flowId of ["nonsense", flow?.id ?? ""]) {
      const step = { case: "password", value: { password: goodPassword } } as const;
      expect(await refusal(login.submitLoginFlow({ flowId, step }))).toMatchObject({
        code: "NotFound",
        reason: "FLOW_NOT_FOUND",
      });
    }
  });

  test("lists, extends, revokes and ends its sessions", async () => {
    const { email, sessionToken: first } = await register(app, { protocol });
    const second = await sessionTokenOf(app, email);
    const third = await sessionTokenOf(app, email);
    const client = app.client(SessionService, { protocol, bearer: second });
    const listed = await client.listOwnSessions({});
    expect(listed.sessions.map((session) => session.current)).toEqual([false, true, false]);

    app.clock.advance(60_000);
    const before = (await client.getCurrentSession({})).session?.expireTime?.seconds ?? 0n;
    const extended = await client.extendCurrentSession({});
    expect((extended.session?.expireTime?.seconds ?? 0n) - before).toBe(60n);

    const newest = listed.sessions[0]?.id ?? "";
    const revoked = await client.revokeOwnSession({ sessionId: newest });
    expect(revoked.session).toMatchObject({ id: newest, state: SessionState.REVOKED, current: false });
    expect(await client.revokeOwnSession({ sessionId: newest })).toEqual(revoked);
    const check = (token: string) => client.checkSession({ token });
    expect(await refusal(check(third))).toMatchObject({ code: "Unauthenticated", reason: "SESSION_REVOKED" });

    expect((await client.revokeOtherSessions({})).revokedCount).toBe(1);
    expect(await refusal(check(first))).toMatchObject({ reason: "SESSION_REVOKED" });

    await client.logout({});
    expect(await refusal(client.getCurrentSession({}))).toMatchObject({
      code: "Unauthenticated",
      reason: "SESSION_REVOKED",
    });
  });

  test("signs out with any token or none, and nobody else by it", async () => {
    const { session, sessionToken } = await register(app, { protocol });
    const other = await register(app, { protocol });
    const holder = app.client(SessionService, { protocol, bearer: sessionToken });
    const check = (token: string) => app.client(SessionService, { protocol }).checkSession({ token });
    expect((await check(sessionToken)).session).toMatchObject({
      id: session?.id,
      state: SessionState.ACTIVE,
    });
    for (const _again of [1, 2]) expect((await holder.logout({})).redirectUrl).toBe("");
    expect((await refusal(check(sessionToken))).reason).toBe("SESSION_REVOKED");
    const unknown = createTokens().issue("session", "default").token.reveal();
    for (const bearer of ["nonsense", unknown, app.apiKey]) {
      await app.client(SessionService, { protocol, bearer }).logout({});
    }
    await app.client(SessionService, { protocol }).logout({});
    expect((await check(other.sessionToken)).session?.state).toBe(SessionState.ACTIVE);
  });

  test("cannot touch somebody else's session, nor learn that it exists (ASVS V8.2.2)", async () => {
    const victim = await register(app, { protocol });
    const { sessionToken } = await register(app, { protocol });
    const client = app.client(SessionService, { protocol, bearer: sessionToken });
    const theirs = await refusal(client.revokeOwnSession({ sessionId: victim.session?.id ?? "" }));
    const nobodys = await refusal(
      client.revokeOwnSession({ sessionId: "01890000-0000-7000-8000-000000000000" }),
    );
    expect(theirs).toEqual(nobodys);
    expect(theirs).toMatchObject({ code: "NotFound", reason: "SESSION_NOT_FOUND" });
    const checked = await client.checkSession({ token: victim.sessionToken });
    expect(checked.session?.id).toBe(victim.session?.id);
  });
});

describe.each(protocols)("a session check over %s", (protocol) => {
  test("names what is wrong with a credential", async () => {
    const { sessionToken } = await register(app);
    const client = app.client(SessionService, { protocol });
    const check = (token: string) => refusal(client.checkSession({ token }));
    const damaged = sessionToken.slice(0, -1) + (sessionToken.endsWith("0") ? "1" : "0");
    expect(await check("nonsense")).toMatchObject({
      code: "Unauthenticated",
      reason: "SESSION_TOKEN_MALFORMED",
    });
    expect(await check(damaged)).toMatchObject({ reason: "SESSION_TOKEN_MALFORMED" });
    expect(await check(app.apiKey)).toMatchObject({
      reason: "SESSION_TOKEN_KIND_MISMATCH",
      metadata: { expected: "session", actual: "api_key" },
    });
    // The same token as a cookie is a token of another kind (ASVS V9.2.2).
    const asCookie = client.checkSession({ cookies: [sessionToken] });
    expect(await refusal(asCookie)).toMatchObject({ reason: "SESSION_TOKEN_KIND_MISMATCH" });
    expect(await refusal(client.getCurrentSession({}))).toMatchObject({
      reason: "SESSION_CREDENTIAL_MISSING",
    });
  });

  test("refuses what does not meet its demands", async () => {
    const { sessionToken } = await register(app);
    const client = app.client(SessionService, { protocol });
    const demanding = (demand: NonNullable<MessageInitShape<typeof DemandSchema>["demand"]>) =>
      client.checkSession({ token: sessionToken, demands: [{ demand }] });
    const strong = demanding({ case: "assuranceLevel", value: AssuranceLevel.AAL2 });
    expect(await refusal(strong)).toMatchObject({
      code: "Unauthenticated",
      reason: "SESSION_ASSURANCE_TOO_LOW",
      metadata: { required: "aal2", actual: "aal1" },
    });
    app.clock.advance(61_000);
    const within = { case: "maxAge", value: { seconds: 60n } } as const;
    const fresh = demanding({ case: "freshness", value: { within } });
    expect(await refusal(fresh)).toMatchObject({
      code: "Unauthenticated",
      reason: "SESSION_AUTHENTICATION_TOO_OLD",
      metadata: { maxAgeSeconds: "60" },
    });
  });

  // Security rule (SR-TRAIT-6): traits are personal data, and in no answer that did not ask for them.
  test("tells of the identity only if it is asked to", async () => {
    const { email, sessionToken } = await register(app);
    const checker = app.client(SessionService, { protocol });
    const holder = app.client(SessionService, { protocol, bearer: sessionToken });
    for (const view of [SessionView.UNSPECIFIED, SessionView.BASIC, SessionView.FULL]) {
      const traits = view === SessionView.FULL ? { email } : undefined;
      expect((await checker.checkSession({ token: sessionToken, view })).identity?.traits).toEqual(traits);
      expect((await holder.getCurrentSession({ view })).identity?.traits).toEqual(traits);
    }
  });

  test("refuses a session at its end", async () => {
    const { sessionToken } = await register(app);
    const client = app.client(SessionService, { protocol });
    app.clock.advance(24 * 3_600_000);
    const check = client.checkSession({ token: sessionToken });
    expect(await refusal(check)).toMatchObject({ code: "Unauthenticated", reason: "SESSION_EXPIRED" });
  });
});
