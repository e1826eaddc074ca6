import { afterAll, beforeAll, expect, test } from "vitest";
import { Client } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { createPerson, personSchemas } from "../support/person.ts";

let app: TestApp;

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(() => app.stop());

/** How many statements a call sends; each is a round trip, BEGIN and COMMIT as well. */
async function roundTrips<T>(call: () => Promise<T>, of = app): Promise<{ count: number; result: T }> {
  of.statements.length = 0;
  const result = await call();
  return { count: of.statements.length, result };
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

test("a login that asks for the identifier first costs two round trips more, and its flow none", async () => {
  const flows = { login: { style: "identifier_first" } };
  const other = await startTestApp({ config: { tenant_defaults: { flows } } });
  const { email } = await register(other);
  const login = other.client(LoginService);
  const create = await roundTrips(() => login.createLoginFlow({ client: Client.NATIVE }), other);
  const flowId = create.result.flow?.id ?? "";
  const identify = await roundTrips(
    () => login.submitLoginFlow({ flowId, identifier: email, step: { case: "identify", value: {} } }),
    other,
  );
  const step = { case: "password", value: { password: goodPassword } } as const;
  const password = await roundTrips(() => login.submitLoginFlow({ flowId, step }), other);
  expect(identify.result.outcome.case).toBe("nextStep");
  expect(password.result.outcome.case).toBe("completed");
  expect([create.count, identify.count, password.count]).toEqual([1, 2, 3]);
  await other.stop();
});

test("a recovery finds the account by any of its names in one round trip", async () => {
  const other = await startTestApp({
    config: { tenant_defaults: { identity: { schemas: personSchemas }, enumeration_safe: false } },
  });
  const [one, several] = [await createPerson(other, ["email"]), await createPerson(other)];
  const recovery = other.client(RecoveryService);
  const begin = async () => (await recovery.createRecoveryFlow({ client: Client.NATIVE })).flow?.id ?? "";
  const step = { case: "code", value: {} } as const;
  const counts = [];
  for (const address of [one.name, one.email]) {
    const flowId = await begin();
    counts.push(await roundTrips(() => recovery.submitRecoveryFlow({ flowId, address, step }), other));
  }
  const flowId = await begin();
  const ask = () => recovery.submitRecoveryFlow({ flowId, address: several.name, step });
  counts.push(await roundTrips(ask, other));
  const choose = () => recovery.submitRecoveryFlow({ flowId, addressId: "2", step });
  counts.push(await roundTrips(choose, other));
  expect(counts.map(({ result }) => result.outcome.case)).toEqual(counts.map(() => "nextStep"));
  // Two count: for the name and for the mailbox. What is chosen is the mailbox.
  expect(counts.map(({ count }) => count)).toEqual([5, 5, 4, 3]);
  await other.stop();
});
