import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow, FlowState } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword, register } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";

const foreign = { origin: "https://evil.example" };
const password = { case: "password", value: { password: goodPassword } } as const;
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(() => app.stop());

/** Reads the cookies of an answer, as they are sent back. */
function keeping(into: string[]) {
  return {
    onHeader: (headers: Headers) => {
      into.push(...headers.getSetCookie().map((cookie) => cookie.split(";")[0] ?? ""));
    },
  };
}

describe.each(protocols)("browser flows over %s", (protocol) => {
  const login = (headers: Record<string, string> = {}) => app.client(LoginService, { protocol, headers });
  const flows = (headers: Record<string, string> = {}) => app.client(FlowService, { protocol, headers });
  const registration = (headers: Record<string, string> = {}) =>
    app.client(RegistrationService, { protocol, headers });
  const sessions = (headers: Record<string, string>) => app.client(SessionService, { protocol, headers });

  async function createLogin(): Promise<{ readonly flow: Flow; readonly cookie: string }> {
    const cookies: string[] = [];
    const { flow } = await login().createLoginFlow({ client: ClientKind.BROWSER }, keeping(cookies));
    if (flow === undefined) throw new Error("there is no flow");
    return { flow, cookie: cookies.join("; ") };
  }

  const submission = (flow: Flow, email: string, csrfToken = flow.csrfToken) =>
    ({ flowId: flow.id, csrfToken, identifier: email, step: password }) as const;

  test("give the session as a cookie, once, and no token", async () => {
    const { email } = await register(app);
    const { flow, cookie } = await createLogin();
    const cookies: string[] = [];
    const { outcome } = await login({ cookie }).submitLoginFlow(submission(flow, email), keeping(cookies));
    if (outcome.case !== "completed") throw new Error(`the login was ${outcome.case}`);
    expect(outcome.value.signedIn?.sessionToken).toBe("");
    const current = await sessions({ cookie: cookies.join("; ") }).getCurrentSession({});
    expect(current.session?.id).toBe(outcome.value.signedIn?.session?.id);
    expect(await refusal(login({ cookie }).submitLoginFlow(submission(flow, email)))).toMatchObject({
      code: "FailedPrecondition",
      reason: "FLOW_COMPLETED",
    });
  });

  test("say what is missing without their cookie, whatever is asked (V3.5.1)", async () => {
    const { email } = await register(app);
    const { flow } = await createLogin();
    const { cookie: another } = await createLogin();
    for (const [headers, missing] of [
      [{}, "browser cookie"],
      [{ cookie: another }, "the browser cookie of this flow"],
      [{ cookie: "ostiary_browser=planted" }, "the browser cookie of this flow"],
    ] as const) {
      const client = login({ ...headers });
      for (const call of [
        () => flows({ ...headers }).getFlow({ flowId: flow.id }),
        () => client.submitLoginFlow(submission(flow, email)),
      ]) {
        const refused = await refusal(call());
        expect(refused).toMatchObject({ reason: "FLOW_CLIENT_MISMATCH", metadata: { missing } });
        expect(refused.remedy).toMatch(/cookie.*CLIENT_KIND_NATIVE/);
      }
    }
    // Not even that it has expired is told without the cookie.
    app.clock.advance(3_600_000);
    expect(await refusal(flows().getFlow({ flowId: flow.id }))).toMatchObject({
      reason: "FLOW_CLIENT_MISMATCH",
    });
  });

  test("are refused without their form token or from a foreign page, and stay as they were", async () => {
    const { email } = await register(app);
    const { flow, cookie } = await createLogin();
    const attempts = [
      [() => login({ cookie }).submitLoginFlow(submission(flow, email, "")), "CSRF_TOKEN_MISSING"],
      [() => login({ cookie }).submitLoginFlow(submission(flow, email, "guessed")), "CSRF_TOKEN_INVALID"],
      [() => login({ cookie, ...foreign }).submitLoginFlow(submission(flow, email)), "ORIGIN_NOT_ALLOWED"],
      [() => flows({ cookie, ...foreign }).getFlow({ flowId: flow.id }), "ORIGIN_NOT_ALLOWED"],
      [() => login(foreign).createLoginFlow({ client: ClientKind.BROWSER }), "ORIGIN_NOT_ALLOWED"],
    ] as const;
    for (const [attempt, reason] of attempts) {
      expect(await refusal(attempt())).toMatchObject({ code: "PermissionDenied", reason });
    }
    const read = await flows({ cookie }).getFlow({ flowId: flow.id });
    expect(read.flow?.state).toBe(FlowState.ACTIVE);
    const { outcome } = await login({ cookie }).submitLoginFlow(submission(flow, email));
    expect(outcome.case).toBe("completed");
  });

  test("that make an account are refused for the same reasons, and none is made", async () => {
    const cookies: string[] = [];
    const created = await registration().createRegistrationFlow(
      { client: ClientKind.BROWSER },
      keeping(cookies),
    );
    const cookie = cookies.join("; ");
    const email = freshEmail();
    const submit = (headers: Record<string, string>, csrfToken = created.flow?.csrfToken ?? "") =>
      registration(headers).submitRegistrationFlow({
        flowId: created.flow?.id ?? "",
        csrfToken,
        traits: { email },
        step: password,
      });
    expect((await refusal(submit({}))).reason).toBe("FLOW_CLIENT_MISMATCH");
    expect((await refusal(submit({ cookie }, ""))).reason).toBe("CSRF_TOKEN_MISSING");
    expect((await refusal(submit({ cookie }, "guessed"))).reason).toBe("CSRF_TOKEN_INVALID");
    expect((await refusal(submit({ cookie, ...foreign }))).reason).toBe("ORIGIN_NOT_ALLOWED");
    // The email address is free still.
    expect((await submit({ cookie })).outcome.case).toBe("completed");
  });

  test("that have expired give one of the same kind and client, ready to fill", async () => {
    const { email } = await register(app);
    const { flow, cookie } = await createLogin();
    app.clock.advance(3_600_000);
    const client = login({ cookie });
    const { outcome, flow: fresh } = await client.submitLoginFlow(submission(flow, email));
    if (outcome.case !== "expired") throw new Error(`the login was ${outcome.case}`);
    if (fresh === undefined) throw new Error("there is no replacement");
    expect([fresh.kind, fresh.client]).toEqual([flow.kind, ClientKind.BROWSER]);
    expect(fresh.csrfToken).not.toBe(flow.csrfToken);
    expect((await client.submitLoginFlow(submission(fresh, email))).outcome.case).toBe("completed");

    const read = await flows({ cookie }).getFlow({ flowId: flow.id });
    // The flow in its place is the same one each time, and has done what both were for.
    expect(read).toMatchObject({ replaced: true, flow: { id: fresh.id, state: FlowState.COMPLETED } });
    expect((await refusal(client.submitLoginFlow(submission(flow, email)))).reason).toBe("FLOW_COMPLETED");
  });

  test("do not make a session cookie work for a foreign page", async () => {
    const { email } = await register(app);
    const { flow, cookie } = await createLogin();
    const cookies: string[] = [];
    await login({ cookie }).submitLoginFlow(submission(flow, email), keeping(cookies));
    const session = { cookie: cookies.join("; ") };
    expect(await refusal(sessions({ ...session, ...foreign }).logout({}))).toMatchObject({
      code: "PermissionDenied",
      reason: "ORIGIN_NOT_ALLOWED",
    });
    await sessions(session).getCurrentSession({});
  });
});

describe.each(protocols)("registration flows over %s", (protocol) => {
  const client = () => app.client(RegistrationService, { protocol });

  test("give a fresh one for an expired one, and complete once", async () => {
    const { flow } = await client().createRegistrationFlow({ client: ClientKind.NATIVE });
    app.clock.advance(3_600_000);
    const submit = (flowId: string) =>
      client().submitRegistrationFlow({ flowId, traits: { email: freshEmail() }, step: password });
    const { outcome, flow: drawn } = await submit(flow?.id ?? "");
    if (outcome.case !== "expired") throw new Error(`the registration was ${outcome.case}`);
    const got = await app.client(FlowService, { protocol }).getFlow({ flowId: flow?.id ?? "" });
    expect([got.replaced, got.flow?.kind]).toEqual([true, flow?.kind]);
    const fresh = drawn?.id ?? "";
    expect((await submit(fresh)).outcome.case).toBe("completed");
    expect(await refusal(submit(fresh))).toMatchObject({ reason: "FLOW_COMPLETED" });
  });

  test("name a taken identifier at its field, in whatever spelling it comes", async () => {
    const { email } = await register(app);
    const [local = "", domain = ""] = email.split("@");
    // Upper case, full-width letters and white space around are the same address (SR-OWNER-11).
    for (const spelling of [
      email.toUpperCase(),
      ` ${email} `,
      `${local}＠ｅｘａｍｐｌｅ.com`,
      `${local}@${domain}`,
    ]) {
      const { flow } = await client().createRegistrationFlow({ client: ClientKind.NATIVE });
      const { outcome, flow: drawn } = await client().submitRegistrationFlow({
        flowId: flow?.id ?? "",
        traits: { email: spelling },
        step: password,
      });
      if (outcome.case !== "rejected") throw new Error(`the registration was ${outcome.case}`);
      // White space is no part of an address: the schema's format says so first.
      expect(RejectionReason[outcome.value.reason]).toBe(
        spelling.trim() === spelling ? "IDENTIFIER_TAKEN" : "TRAITS_INVALID",
      );
      const node = drawn?.form?.nodes.find(({ name }) => name === "traits.email");
      expect(node?.messages.length).toBe(1);
    }
  });
});
