import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword, logIn, register } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import {
  beginRegistration,
  registrationResult,
  sentRegistrationLink,
  steps,
} from "../support/registrations.ts";

const sixteen = Array.from({ length: 16 }, (_, index) => index);
let app: TestApp;

beforeAll(async () => {
  const registration = { ui_url: "https://app.example.com/join" };
  app = await startTestApp({
    config: {
      tenant_defaults: {
        session: { max_parallel: 5 },
        link: { enabled: true },
        flows: { registration },
      },
    },
  });
});

afterAll(() => app.stop());

describe("sixteen at once", () => {
  test("submits of one login flow: one wins, the others are told (ASVS V2.3.4)", async () => {
    const { email } = await register(app);
    const client = app.client(LoginService);
    const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
    const submission = {
      flowId: flow?.id ?? "",
      identifier: email,
      step: { case: "password", value: { password: goodPassword } },
    } as const;
    const results = await Promise.allSettled(sixteen.map(() => client.submitLoginFlow(submission)));
    const won = results.filter((result) => result.status === "fulfilled");
    expect(won.length).toBe(1);
    for (const result of results) {
      if (result.status === "fulfilled") continue;
      expect(await refusal(Promise.reject(result.reason))).toMatchObject({ reason: "FLOW_COMPLETED" });
    }
  });

  test("registrations of one email over all protocols: one wins, the others see a form message", async () => {
    const email = freshEmail();
    const outcomes = await Promise.all(
      sixteen.map(async (index) => {
        const client = app.client(RegistrationService, { protocol: protocols[index % 4] ?? "gRPC" });
        const { flow } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
        const { outcome } = await client.submitRegistrationFlow({
          flowId: flow?.id ?? "",
          traits: { email },
          step: { case: "password", value: { password: goodPassword } },
        });
        return outcome.case === "rejected" ? RejectionReason[outcome.value.reason] : outcome.case;
      }),
    );
    expect(outcomes.filter((outcome) => outcome === "completed").length).toBe(1);
    expect(outcomes.filter((outcome) => outcome === "IDENTIFIER_TAKEN").length).toBe(15);
  });

  test("clicks on one link to register with: one makes the account, the others are told", async () => {
    const email = freshEmail();
    const { token: linkToken } = await sentRegistrationLink(app, { email });
    const opened = await Promise.all(
      sixteen.map((index) => beginRegistration(app, { linkToken, protocol: protocols[index % 4] ?? "gRPC" })),
    );
    const results = await Promise.allSettled(opened.map(({ submit }) => submit(steps.confirm)));
    const told = await Promise.all(
      results.map(async (result) =>
        result.status === "fulfilled"
          ? registrationResult(result.value)
          : (await refusal(Promise.reject(result.reason))).reason,
      ),
    );
    expect(told.filter((outcome) => outcome === "completed")).toHaveLength(1);
    // Beaten at the last moment, before they looked, or not even let near: a click is counted as a try.
    const beaten = new Set(["FLOW_CHANGED", "LINK_INVALID", "CODE_TRIES_EXCEEDED"]);
    expect(told.filter((outcome) => outcome !== "completed" && !beaten.has(outcome ?? ""))).toEqual([]);
  });

  test("logins of one identity never leave more sessions than the limit (ASVS V7.1.2)", async () => {
    const { email, identity } = await register(app);
    const results = await Promise.allSettled(sixteen.map(() => logIn(app, email)));
    const completed = results.filter(
      (result) => result.status === "fulfilled" && result.value.case === "completed",
    );
    // They take turns; on a machine that is busy with other things the last ones are told to come again.
    for (const result of results) {
      if (result.status === "fulfilled") continue;
      expect(await refusal(Promise.reject(result.reason))).toMatchObject({ reason: "SERVER_OVERLOADED" });
    }
    const { sessions } = await app
      .client(SessionAdminService)
      .listSessions({ identityId: identity?.id ?? "", active: true });
    expect(sessions.length).toBe(Math.min(5, completed.length));
  });

  test("the login beyond the limit ends the least recently used session", async () => {
    const first = await register(app);
    const tokens = [first.sessionToken];
    for (let count = 0; count < 5; count++) {
      app.clock.advance(1000);
      const outcome = await logIn(app, first.email);
      if (outcome.case === "completed") tokens.push(outcome.value.signedIn?.sessionToken ?? "");
    }
    const client = app.client(SessionService);
    const results = await Promise.allSettled(tokens.map((token) => client.checkSession({ token: token })));
    expect(results.map((result) => result.status)).toEqual([
      "rejected",
      "fulfilled",
      "fulfilled",
      "fulfilled",
      "fulfilled",
      "fulfilled",
    ]);
  });
});
