import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { freshEmail, goodPassword, logIn } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { administer } from "../support/postgres.ts";
import {
  beginRegistration,
  flowAfter,
  messageIds,
  methodsOffered,
  offerOf,
  type Registering,
  registrationResult,
  steps,
} from "../support/registrations.ts";

const profileFirst = { flows: { registration: { style: "profile_first" } } };
let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ config: { tenant_defaults: profileFirst } });
});
afterAll(() => app.stop());

const choice = {
  step: "chooseMethod",
  fields: ["username", "password.password"],
  buttons: ["password", "sendCode", "back"],
};
const profile = { step: "fillProfile", fields: ["traits.email", "traits.name"], buttons: ["profile"] };

/** A registration whose traits were accepted. */
async function secondStage(email = freshEmail()): Promise<Registering & { readonly email: string }> {
  const registering = await beginRegistration(app);
  expect(registrationResult(await registering.submit(steps.profile, { email }))).toBe("nextStep");
  return { ...registering, email };
}

function filledIn(flow: Registering["flow"], name: string): unknown {
  const kind = flow.form?.nodes.find((node) => node.name === name)?.kind;
  return kind?.case === "input" ? kind.value.value?.kind.value : undefined;
}

describe.each(protocols)("over %s", (protocol) => {
  test("the traits come first, then the method, and then there is an account", async () => {
    const email = freshEmail();
    const { flow, submit } = await beginRegistration(app, { protocol });
    expect(offerOf(flow)).toEqual(profile);
    const next = flowAfter(await submit(steps.profile, { email, name: "Ada" }));
    expect(offerOf(next)).toEqual(choice);
    expect(methodsOffered(next)).toEqual(["password", "code"]);
    const { outcome } = await submit(steps.password);
    expect(outcome.case === "completed" && outcome.value.signedIn?.identity?.traits).toEqual({
      email,
      name: "Ada",
    });
    expect((await logIn(app, email)).case).toBe("completed");
  });
});

describe("the first stage", () => {
  test("says at their fields what is wrong with the traits, and goes no further", async () => {
    const { submit, flow } = await beginRegistration(app);
    const answer = await submit(steps.profile, { email: "no address", name: "Ada" });
    expect(registrationResult(answer)).toBe("TRAITS_INVALID");
    const rejected = flowAfter(answer);
    expect(offerOf(rejected)).toEqual(profile);
    expect(messageIds(rejected)).toEqual([4000040]);
    expect(filledIn(rejected, "traits.name")).toBe("Ada");
    expect(registrationResult(await submit(steps.profile))).toBe("TRAITS_INVALID");
    const stored = (await app.client(FlowService).getFlow({ flowId: flow.id })).flow;
    expect(stored?.stage.case).toBe("fillProfile");
  });

  test("answers a taken address like a free one, after the same statements, and tells nobody", async () => {
    const { email: taken } = await takenAddress();
    const before = (await app.messages(taken)).length;
    const answers = [];
    for (const email of [taken, freshEmail()]) {
      const { submit } = await beginRegistration(app);
      app.statements.length = 0;
      const answer = await submit(steps.profile, { email });
      const next = flowAfter(answer);
      answers.push({ offer: offerOf(next), said: messageIds(next), statements: [...app.statements] });
    }
    expect(answers[0]).toEqual(answers[1]);
    expect((await app.messages(taken)).length).toBe(before);
  });

  test.each(["password", "askForCode", "back", "resend", "confirm"] as const)(
    "cannot be left out: %s is not offered",
    async (name) => {
      const { submit } = await beginRegistration(app);
      const refused = await refusal(submit(steps[name], { email: freshEmail() }));
      expect(refused.reason).toBe("STEP_NOT_OFFERED");
    },
  );
});

describe("the second stage", () => {
  test("takes the traits again only if they are the same (SR-FLOW-8)", async () => {
    const { email, submit } = await secondStage();
    const answer = await submit(steps.password, { email: freshEmail() });
    expect(registrationResult(answer)).toBe("TRAITS_INVALID");
    expect(messageIds(flowAfter(answer))).toEqual([4000036]);
    expect(offerOf(flowAfter(answer))).toEqual(choice);
    expect(registrationResult(await submit(steps.password, { email }))).toBe("completed");
  });

  test("says what is wrong with the password, and that an address is taken", async () => {
    const { email: taken } = await takenAddress();
    const { submit } = await secondStage(taken);
    const short = await submit({ case: "password", value: { password: "short" } });
    expect(registrationResult(short)).toBe("PASSWORD_REJECTED");
    expect(offerOf(flowAfter(short))).toEqual(choice);
    const answer = await submit(steps.password);
    expect(registrationResult(answer)).toBe("IDENTIFIER_TAKEN");
    expect(messageIds(flowAfter(answer))).toEqual([4000007]);
  });

  test("goes back to the traits, filled in as they were, and on with others", async () => {
    const { email, submit } = await secondStage();
    const back = flowAfter(await submit(steps.back));
    expect(offerOf(back)).toEqual(profile);
    expect(filledIn(back, "traits.email")).toBe(email);
    const next = freshEmail();
    expect(registrationResult(await submit(steps.profile, { email: next }))).toBe("nextStep");
    const { outcome } = await submit(steps.password);
    expect(outcome.case === "completed" && outcome.value.signedIn?.identity?.traits).toEqual({ email: next });
  });

  test("keeps after going back what is not sent again, and gives up what is null", async () => {
    const { email, submit } = await beginRegistration(app).then(async (registering) => {
      const address = freshEmail();
      await registering.submit(steps.profile, { email: address, name: "Ada" });
      return { ...registering, email: address };
    });
    const back = flowAfter(await submit(steps.back));
    expect(filledIn(back, "traits.name")).toBe("Ada");
    // A form that nobody touched sends nothing; the accepted traits may be sent again, in part as well.
    expect(registrationResult(await submit(steps.profile))).toBe("nextStep");
    expect(registrationResult(await submit(steps.password, { name: "Eve" }))).toBe("TRAITS_INVALID");
    expect(registrationResult(await submit(steps.password, { other: null }))).not.toBe("TRAITS_INVALID");
    const made = await logIn(app, email);
    expect(made.case === "completed" && made.value.signedIn?.identity?.traits).toEqual({
      email,
      name: "Ada",
    });

    const other = await beginRegistration(app);
    const address = freshEmail();
    await other.submit(steps.profile, { email: address, name: "Ada" });
    await other.submit(steps.back);
    await other.submit(steps.profile, { name: null });
    const { outcome } = await other.submit(steps.password);
    expect(outcome.case === "completed" && outcome.value.signedIn?.identity?.traits).toEqual({
      email: address,
    });
  });

  test("is over after going back: its steps do not take, nor does the profile within it", async () => {
    const { submit } = await secondStage();
    expect((await refusal(submit(steps.profile, { email: freshEmail() }))).reason).toBe("STEP_NOT_OFFERED");
    await submit(steps.back);
    expect((await refusal(submit(steps.password))).reason).toBe("STEP_NOT_OFFERED");
    expect((await refusal(submit(steps.askForCode))).reason).toBe("STEP_NOT_OFFERED");
  });

  test("is left once by 16 at the same moment, by a password or by going back", async () => {
    const { email, submit } = await secondStage();
    const results = await Promise.allSettled(
      Array.from({ length: 16 }, (_, index) => submit(index % 2 === 0 ? steps.password : steps.back)),
    );
    const won = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    expect(won).toHaveLength(1);
    const isMade = won[0] !== undefined && registrationResult(won[0]) === "completed";
    expect((await logIn(app, email)).case).toBe(isMade ? "completed" : "rejected");
  });

  test("goes back from a code to the choice, and from there to the traits", async () => {
    const { email, submit } = await secondStage();
    expect(flowAfter(await submit(steps.askForCode)).stage.case).toBe("enterCode");
    const { code = "" } = (await app.messages(email)).at(-1) ?? {};
    expect(offerOf(flowAfter(await submit(steps.back)))).toEqual(choice);
    expect(offerOf(flowAfter(await submit(steps.back)))).toEqual(profile);
    // The code went with the stage that it was asked for in.
    const late = await refusal(submit({ case: "code", value: { code } }));
    expect(late.reason).toBe("STEP_NOT_OFFERED");
  });

  test("makes an account by a code", async () => {
    const { email, submit } = await secondStage();
    await submit(steps.askForCode);
    const { code = "" } = (await app.messages(email)).at(-1) ?? {};
    const { outcome } = await submit({ case: "code", value: { code } });
    expect(outcome.case === "completed" && outcome.value.signedIn?.identity?.traits).toEqual({ email });
  });

  test("gives way to the first one when it has expired, with the traits and without a secret", async () => {
    const { email, submit } = await secondStage();
    app.clock.advance(61 * 60_000);
    const { outcome, flow: replacement } = await submit(steps.password);
    if (outcome.case !== "expired") throw new Error(`it was ${outcome.case}`);
    if (replacement === undefined) throw new Error("nothing replaced it");
    expect(offerOf(replacement)).toEqual(profile);
    expect(filledIn(replacement, "traits.email")).toBe(email);
  });
});

describe("with a proof before the session", () => {
  let strict: TestApp;
  beforeAll(async () => {
    const registration = { style: "profile_first", address_proof: "before_session" };
    strict = await startTestApp({ config: { tenant_defaults: { flows: { registration } } } });
  });
  afterAll(() => strict.stop());

  test("a password that was chosen is forgotten with the traits that it was chosen for", async () => {
    const { submit } = await beginRegistration(strict);
    await submit(steps.profile, { email: freshEmail() });
    expect(flowAfter(await submit(steps.password)).stage.case).toBe("enterCode");
    await submit(steps.back);
    await submit(steps.back);
    const rows = await administer(strict.databaseUrl, (query) =>
      query<{ data: string }>("SELECT data::text AS data FROM ostiary.flow"),
    );
    expect(rows.map(({ data }) => data).join()).not.toContain("argon2");
    const email = freshEmail();
    await submit(steps.profile, { email });
    await submit(steps.askForCode);
    const { code = "" } = (await strict.messages(email)).at(-1) ?? {};
    expect(registrationResult(await submit({ case: "code", value: { code } }))).toBe("completed");
    expect((await logIn(strict, email, goodPassword)).case).toBe("rejected");
  });
});

test("code.registration: false leaves the password alone, also with a proof before the session", async () => {
  const registration = { address_proof: "before_session" };
  const closed = await startTestApp({
    config: { tenant_defaults: { flows: { registration }, code: { registration: false } } },
  });
  try {
    const { flow, submit } = await beginRegistration(closed);
    expect(offerOf(flow).buttons).toEqual(["password"]);
    const email = freshEmail();
    expect((await refusal(submit(steps.askForCode, { email }))).reason).toBe("STEP_NOT_OFFERED");
    expect(flowAfter(await submit(steps.password, { email })).stage.case).toBe("enterCode");
    const { code = "" } = (await closed.messages(email)).at(-1) ?? {};
    expect(registrationResult(await submit({ case: "code", value: { code } }))).toBe("completed");
  } finally {
    await closed.stop();
  }
});

/** An account that is there already. */
async function takenAddress(): Promise<{ readonly email: string }> {
  const { submit, email } = await secondStage();
  expect(registrationResult(await submit(steps.password))).toBe("completed");
  return { email };
}
