import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { VerificationService } from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { freshEmail, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { openSettings, verifiedAccount } from "../support/deletion.ts";
import { attemptsWritten } from "../support/failed-attempts.ts";
import { administer } from "../support/postgres.ts";

let app: TestApp;
/** An account whose login history is read. */
let witness: string | undefined;
beforeAll(async () => {
  app = await startTestApp();
  witness = (await register(app)).identity?.id;
});
afterAll(() => app.stop());

type Outcome = { readonly case: string | undefined; readonly value?: unknown };
type Enter = (code: string) => Promise<Outcome>;

const native = { client: ClientKind.NATIVE } as const;
const ask = { case: "sendCode", value: {} } as const;
const codeStep = (code: string) => ({ case: "code", value: { code } }) as const;

/** A flow of each kind that waits for a code, sent to the address that is given. */
const waiting: Readonly<Record<string, () => Promise<{ email: string; enter: Enter }>>> = {
  login: async () => {
    const { email } = await verifiedAccount(app);
    const client = app.client(LoginService);
    const flowId = (await client.createLoginFlow(native)).flow?.id ?? "";
    await client.submitLoginFlow({ flowId, identifier: email, step: ask });
    return {
      email,
      enter: async (code) => answered(await client.submitLoginFlow({ flowId, step: codeStep(code) })),
    };
  },
  recovery: async () => {
    const { email } = await verifiedAccount(app);
    const client = app.client(RecoveryService);
    const flowId = (await client.createRecoveryFlow(native)).flow?.id ?? "";
    await client.submitRecoveryFlow({ flowId, address: email, step: ask });
    return {
      email,
      enter: async (code) => answered(await client.submitRecoveryFlow({ flowId, step: codeStep(code) })),
    };
  },
  verification: async () => {
    const { email } = await register(app);
    // Messages are told apart by their time, which stands still otherwise.
    app.clock.advance(1);
    const client = app.client(VerificationService);
    const flowId = (await client.createVerificationFlow(native)).flow?.id ?? "";
    await client.submitVerificationFlow({ flowId, address: email, step: ask });
    return {
      email,
      enter: async (code) => answered(await client.submitVerificationFlow({ flowId, step: codeStep(code) })),
    };
  },
  registration: async () => {
    const email = freshEmail();
    const client = app.client(RegistrationService);
    const flowId = (await client.createRegistrationFlow(native)).flow?.id ?? "";
    await client.submitRegistrationFlow({ flowId, traits: { email }, step: ask });
    return {
      email,
      enter: async (code) => answered(await client.submitRegistrationFlow({ flowId, step: codeStep(code) })),
    };
  },
  settings: async () => {
    const { sessionToken } = await verifiedAccount(app);
    const { client, flow } = await openSettings(app, sessionToken);
    const email = freshEmail();
    const step = { case: "profile", value: {} } as const;
    await client.submitSettingsFlow({ flowId: flow.id, traits: { email }, step });
    return {
      email,
      enter: async (code) =>
        answered(await client.submitSettingsFlow({ flowId: flow.id, step: codeStep(code) })),
    };
  },
};

/** The outcome, with the flow to draw. */
function answered({
  flow,
  outcome,
}: {
  readonly flow?: Flow | undefined;
  readonly outcome: Outcome;
}): Outcome {
  const shown = { ...outcome, flow };
  return shown;
}

const noCodes = ["12345", "1234567", "\u200b", "code", "123456 654321", "１２３４５"];

// ory/elements#60, authgear/authgear-server#1474, wso2/product-is#17641, bitwarden/clients#14258.
describe.each(Object.entries(waiting))("in a flow of the kind %s", (_kind, begin) => {
  test("what can be no code costs no try, is not recorded, and says how long a code is", async () => {
    app.clock.advance(1);
    const { email, enter } = await begin();
    const { code = "" } = (await app.messages(email)).findLast((message) => message.code !== "") ?? {};
    const failures = async () => {
      await attemptsWritten(app, witness, { afterMinute: true });
      return administer(app.databaseUrl, (query) =>
        query<{ count: number; tries: number }>(
          `SELECT (SELECT count(*)::int FROM ostiary.event WHERE type = 'login.failed') AS count,
            (SELECT max(challenge_attempts) FROM ostiary.flow) AS tries`,
        ),
      );
    };
    await administer(app.databaseUrl, (query) => query("UPDATE ostiary.flow SET challenge_attempts = 0"));
    const before = await failures();
    for (const text of noCodes) {
      const outcome = await enter(text);
      const said = JSON.stringify(outcome, (_key, value) => (typeof value === "bigint" ? `${value}` : value));
      const value = { reason: RejectionReason.CODE_MALFORMED };
      expect(outcome).toMatchObject({ case: "rejected", value });
      expect(said).toContain('"id":9000120');
    }
    expect(await failures()).toEqual(before);
    // After more than five of them the right one is right, with what mail programs put in.
    const pasted = `\u2068\ufeff${code.slice(0, 3)}\u00ad\u200b ${code.slice(3)}\u2069`;
    // An address that is verified outside the session raises the question whose account it is.
    expect(["completed", "saved", "nextStep"]).toContain((await enter(pasted)).case);
  });
});

test("nothing tells whether a code was sent by what is refused as none", async () => {
  const answers = [];
  for (const identifier of [(await verifiedAccount(app)).email, freshEmail()]) {
    const client = app.client(LoginService);
    const flowId = (await client.createLoginFlow(native)).flow?.id ?? "";
    await client.submitLoginFlow({ flowId, identifier, step: ask });
    app.statements.length = 0;
    const { outcome } = await client.submitLoginFlow({ flowId, step: codeStep("12345") });
    answers.push([
      outcome.case === "rejected" && RejectionReason[outcome.value.reason],
      app.statements.length,
    ]);
  }
  expect(answers[1]).toEqual(answers[0]);
  expect(answers[0]).toEqual(["CODE_MALFORMED", 1]);
});
