import { afterAll, beforeAll, expect, test } from "vitest";
import { Client } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { InvitationService } from "../../gen/ostiary/identity/v1/invitation_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { beginRegistration, sentRegistrationLink, steps } from "../support/registrations.ts";

let app: TestApp;

beforeAll(async () => {
  const registration = { ui_url: "https://app.example.com/join" };
  app = await startTestApp({
    config: { tenant_defaults: { link: { enabled: true }, flows: { registration } } },
  });
});

afterAll(() => app.stop());

test("an invitation costs one more to begin with, and nothing to register", async () => {
  const registration = app.client(RegistrationService);
  const { token } = await app.client(InvitationService).createInvitation({});
  const created = await roundTrips(() =>
    registration.createRegistrationFlow({ client: Client.NATIVE, invitationToken: token }),
  );
  const submitted = await roundTrips(() =>
    registration.submitRegistrationFlow({
      flowId: created.result.flow?.id ?? "",
      traits: { email: freshEmail() },
      step: { case: "password", value: { password: goodPassword } },
    }),
  );
  expect(submitted.result.outcome.case).toBe("completed");
  expect([created.count, submitted.count]).toEqual([2, 4]);
});

/** How many statements a call sends; each is a round trip, BEGIN and COMMIT as well. */
async function roundTrips<T>(call: () => Promise<T>): Promise<{ count: number; result: T }> {
  app.statements.length = 0;
  const result = await call();
  return { count: app.statements.length, result };
}

test("the budget of round trips to the database is kept", async () => {
  const { email, sessionToken } = await register(app);
  const login = app.client(LoginService);
  const registration = app.client(RegistrationService);

  const createLogin = await roundTrips(() => login.createLoginFlow({ client: Client.NATIVE }));
  const submitLogin = await roundTrips(() =>
    login.submitLoginFlow({
      flowId: createLogin.result.flow?.id ?? "",
      identifier: email,
      step: { case: "password", value: { password: goodPassword } },
    }),
  );
  const createRegistration = await roundTrips(() =>
    registration.createRegistrationFlow({ client: Client.NATIVE }),
  );
  const submitRegistration = await roundTrips(() =>
    registration.submitRegistrationFlow({
      flowId: createRegistration.result.flow?.id ?? "",
      traits: { email: freshEmail() },
      step: { case: "password", value: { password: goodPassword } },
    }),
  );
  const check = await roundTrips(() =>
    app.client(SessionService).checkSession({ credential: { case: "token", value: sessionToken } }),
  );

  expect(app.statements.filter((text) => text.includes("throttle_counter"))).toEqual([]);
  expect(submitLogin.result.outcome.case).toBe("completed");
  expect(submitRegistration.result.outcome.case).toBe("completed");
  // The design allows 1, 4, 1, 5 and 1; of the submits beside the throttle's 1. A check costs no counter.
  expect({
    createLoginFlow: createLogin.count,
    submitLoginFlow: submitLogin.count,
    createRegistrationFlow: createRegistration.count,
    submitRegistrationFlow: submitRegistration.count,
    checkSession: check.count,
  }).toEqual({
    createLoginFlow: 1,
    submitLoginFlow: 3,
    createRegistrationFlow: 1,
    // One counts the attempt, and one begins the verification of the address.
    submitRegistrationFlow: 4,
    checkSession: 1,
  });
});

test("a registration by link keeps its own", async () => {
  const { token: linkToken } = await sentRegistrationLink(app, { email: freshEmail() });
  const open = await roundTrips(() => beginRegistration(app, { linkToken }));
  const confirm = await roundTrips(() => open.result.submit(steps.confirm));
  expect(confirm.result.outcome.case).toBe("completed");
  // Both flows are read, the try is counted, by the throttle as well, and the account is made. 6 are allowed.
  expect({ open: open.count, confirm: confirm.count }).toEqual({ open: 2, confirm: 5 });
});
