import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { VerificationService } from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { freshEmail, goodPassword, logIn } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { personSchemas } from "../support/person.ts";

const sixteen = Array.from({ length: 16 }, (_, index) => index);
const disown = { case: "disown", value: {} } as const;
const resume = { case: "resume", value: {} } as const;

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ config: { tenant_defaults: { identity: { schemas: personSchemas } } } });
});
afterAll(() => app.stop());

/** An account with two addresses, which nobody has claimed. */
async function register() {
  app.clock.advance(1);
  const email = freshEmail();
  const spare = `spare-${email}`;
  const client = app.client(RegistrationService);
  const { flow } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
  const { outcome } = await client.submitRegistrationFlow({
    flowId: flow?.id ?? "",
    traits: { email, spare },
    step: { case: "password", value: { password: goodPassword } },
  });
  if (outcome.case !== "completed") throw new Error(`the registration was ${outcome.case}`);
  return {
    email,
    spare,
    id: outcome.value.signedIn?.identity?.id ?? "",
    bearer: outcome.value.signedIn?.sessionToken,
  };
}

/** A verification to which a code was sent, and the code. */
async function sent(address: string) {
  app.clock.advance(1);
  const client = app.client(VerificationService);
  const { flow } = await client.createVerificationFlow({ client: ClientKind.NATIVE });
  const flowId = flow?.id ?? "";
  await client.submitVerificationFlow({ flowId, address, step: { case: "sendCode", value: {} } });
  const { code = "" } = (await app.messages(address)).at(-1) ?? {};
  return { flowId, step: { case: "code", value: { code } } as const };
}

/** A verification that stands at the question. */
async function asked(address: string): Promise<string> {
  const proof = await sent(address);
  const { outcome, flow: drawn } = await app.client(VerificationService).submitVerificationFlow(proof);
  const flow = outcome.case === "nextStep" ? drawn : undefined;
  expect(flow?.stage.case).toBe("claimAccount");
  return proof.flowId;
}

/** What an answer came to: its outcome, the reason of its rejection, or of its refusal. */
async function answer(flowId: string, step: typeof disown | typeof resume, bearer?: string) {
  const client = app.client(VerificationService, bearer === undefined ? {} : { bearer });
  try {
    const { outcome } = await client.submitVerificationFlow({ flowId, step });
    return outcome.case === "rejected" ? RejectionReason[outcome.value.reason] : outcome.case;
  } catch (error) {
    return (await refusal(Promise.reject(error))).reason;
  }
}

async function sessionsOf(identityId: string): Promise<number> {
  const client = app.client(SessionAdminService);
  return (await client.listSessions({ identityId, active: true })).sessions.length;
}

async function stateOf(identityId: string) {
  const client = app.client(IdentityService);
  const [{ identity }, { credentials }] = await Promise.all([
    client.getIdentity({ identityId }),
    client.listCredentials({ identityId }),
  ]);
  const verified = (identity?.addresses ?? []).filter(({ verifyTime }) => verifyTime !== undefined);
  return { verified: verified.map(({ value }) => value), credentials: credentials.length };
}

const beaten = new Set(["FLOW_COMPLETED", "FLOW_CHANGED", "CLAIM_ENDED"]);

describe("whose account it is, answered by many at once", () => {
  test("sixteen times in one flow: one answer counts (ASVS V2.3.4)", async () => {
    const { email } = await register();
    const flowId = await asked(email);
    const answers = await Promise.all(sixteen.map(() => answer(flowId, disown)));
    expect(answers.filter((each) => each === "completed")).toHaveLength(1);
    expect(answers.filter((each) => each !== "completed" && !beaten.has(each ?? ""))).toEqual([]);
  });

  test("with both answers, in one flow and in two: one of them counts, whole", async () => {
    for (const flows of [1, 1, 2, 2]) {
      const { email, id, bearer } = await register();
      const first = await asked(email);
      const second = flows === 1 ? first : await asked(email);
      const [ended, kept] = await Promise.all([answer(first, disown), answer(second, resume, bearer)]);
      expect([ended, kept].filter((each) => each === "completed")).toHaveLength(1);
      const { verified, credentials } = await stateOf(id);
      expect(verified).toEqual([email]);
      const isEnded = ended === "completed";
      expect({ credentials, sessions: await sessionsOf(id) }).toEqual(
        isEnded ? { credentials: 0, sessions: 0 } : { credentials: 1, sessions: 1 },
      );
      // Whose session has ended meanwhile is asked to sign in, or told that there is nothing to answer.
      const lost = isEnded ? kept : ended;
      expect(lost === "loginRequired" || beaten.has(lost ?? "")).toBe(true);
    }
  });

  test("by two people who have an address each: one of them gets the account, alone", async () => {
    const { email, spare, id } = await register();
    const [first, second] = [await asked(email), await asked(spare)];
    const answers = await Promise.all([answer(first, disown), answer(second, disown)]);
    expect(answers.filter((each) => each === "completed")).toHaveLength(1);
    expect(answers.filter((each) => each !== "completed" && !beaten.has(each ?? ""))).toEqual([]);
    const { verified } = await stateOf(id);
    expect(verified).toEqual([answers[0] === "completed" ? email : spare]);
    const { identity } = await app.client(IdentityService).getIdentity({ identityId: id });
    expect(identity?.addresses).toHaveLength(1);
  });
});

describe("the person who waits in the account, at the moment that it is disowned", () => {
  test("signs in sixteen times: no session is left", async () => {
    const { email, id } = await register();
    const flowId = await asked(email);
    const [ended, ...logins] = await Promise.all([
      answer(flowId, disown),
      ...sixteen.map(() => logIn(app, email)),
    ]);
    expect(ended).toBe("completed");
    expect(logins).toHaveLength(16);
    expect(await sessionsOf(id)).toBe(0);
    expect((await logIn(app, email)).case).toBe("rejected");
  });

  test("verifies an address of their own: one of both happens, whole", async () => {
    for (let round = 0; round < 6; round++) {
      const { email, spare, id, bearer } = await register();
      const flowId = await asked(email);
      const own = await sent(spare);
      const verify = app.client(VerificationService, { bearer }).submitVerificationFlow(own);
      const [ended] = await Promise.all([answer(flowId, disown), verify.catch(() => undefined)]);
      const state = await stateOf(id);
      expect({ ...state, sessions: await sessionsOf(id) }).toEqual(
        ended === "completed"
          ? { verified: [email], credentials: 0, sessions: 0 }
          : { verified: [spare], credentials: 1, sessions: 1 },
      );
      expect(ended === "completed" || ended === "CLAIM_ENDED").toBe(true);
    }
  });

  test("changes the password: neither the old nor the new one, nor a session, is left", async () => {
    for (let round = 0; round < 6; round++) {
      const { email, id, bearer } = await register();
      const flowId = await asked(email);
      const settings = app.client(SettingsService, { bearer });
      const { flow } = await settings.createSettingsFlow({ client: ClientKind.NATIVE });
      const change = settings.submitSettingsFlow({
        flowId: flow?.id ?? "",
        step: { case: "password", value: { password: "another pass of theirs" } },
      });
      const [ended] = await Promise.all([answer(flowId, disown), change.catch(() => undefined)]);
      expect(ended).toBe("completed");
      expect(await stateOf(id)).toEqual({ verified: [email], credentials: 0 });
      expect(await sessionsOf(id)).toBe(0);
    }
  });
});
