import { afterAll, beforeAll, expect, test } from "vitest";
import { LoginPurpose } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { freshEmail, goodPassword, sessionTokenOf } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { freshPhone } from "../support/factors.ts";
import { bySubmitForm, type Walk, Walker, walkConfig } from "../support/form-walks.ts";
import { createPerson, type Person } from "../support/person.ts";

let app: TestApp;
let walker: Walker;
beforeAll(async () => {
  app = await startTestApp({ config: walkConfig });
  walker = new Walker(app, bySubmitForm);
});
afterAll(() => app.stop());

const password = { "password.password": goodPassword };
const bearerOf = async ({ email }: Person) => ({ bearer: await sessionTokenOf(app, email) });
const atLogin = async ({ email }: Person) => {
  const login = await walker.begin("login");
  await login.press("password", { identifier: email, ...password });
  return login;
};

/** A flow, the step that sends something and what it takes, and to whom that goes. */
type Asked = readonly [flow: Walk, step: string, values: Parameters<Walk["press"]>[1], recipient: string];

const ways: readonly (readonly [string, (person: Person) => Promise<Asked>])[] = [
  [
    "a code of a login",
    async ({ email }) => [await walker.begin("login"), "sendCode", { identifier: email }, email],
  ],
  [
    "a code of a login, for another name of the same account",
    async ({ email, name }) => [await walker.begin("login"), "sendCode", { identifier: name }, email],
  ],
  [
    "a link of a login",
    async ({ email }) => [await walker.begin("login"), "sendLink", { identifier: email }, email],
  ],
  [
    "a code that confirms who it is",
    async (person) => [
      await walker.begin("login", await bearerOf(person), { purpose: LoginPurpose.REFRESH }),
      "sendCode",
      {},
      person.email,
    ],
  ],
  [
    "a code of a registration",
    async () => {
      const email = freshEmail();
      return [await walker.begin("registration"), "sendCode", { "traits.email": email }, email];
    },
  ],
  [
    "a link of a registration",
    async () => {
      const email = freshEmail();
      return [await walker.begin("registration"), "sendLink", { "traits.email": email }, email];
    },
  ],
  [
    "a code of a recovery",
    async () => {
      const { email } = await createPerson(app, ["email"]);
      return [await walker.begin("recovery"), "sendCode", { address: email }, email];
    },
  ],
  [
    "a code of a recovery, to an address that was chosen",
    async ({ name, spare }) => {
      const recovery = await walker.begin("recovery");
      await recovery.press("sendCode", { address: name });
      return [recovery, "sendCode", { "sendCode.addressId": "2" }, spare];
    },
  ],
  [
    "a code of a verification",
    async ({ spare }) => [await walker.begin("verification"), "sendCode", { address: spare }, spare],
  ],
  [
    "the proof of a new address",
    async (person) => {
      const email = freshEmail();
      const settings = await walker.begin("settings", await bearerOf(person));
      return [settings, "profile", { "traits.email": email }, email];
    },
  ],
  [
    "the number of a second factor",
    async (person) => {
      const number = freshPhone();
      const settings = await walker.begin("settings", await bearerOf(person));
      return [settings, "sms", { "sms.phoneNumber": number }, number];
    },
  ],
  [
    "a second factor by text message",
    async (person) => {
      const number = freshPhone();
      const settings = await walker.begin("settings", await bearerOf(person));
      await settings.press("sms", { "sms.phoneNumber": number });
      await settings.press("sms", { "sms.code": await walker.codeFor(number) });
      return [await atLogin(person), "sms", {}, number];
    },
  ],
];

test.each(ways)("back and the form again: %s is not sent again at once (SR-CODE-11)", async (_, ask) => {
  const [flow, step, values, recipient] = await ask(await createPerson(app));
  await flow.press(step, values);
  const sent = (await app.messages(recipient)).length;
  await flow.press("back");
  const { outcome } = await flow.press(step, values);
  expect(outcome.case).toBe("rejected");
  expect(walker.seen.at(-1)).toMatchObject({ result: "RESEND_TOO_EARLY" });
  expect(walker.seen.at(-1)?.messages).toContain(9000022);
  expect(await app.messages(recipient)).toHaveLength(sent);

  app.clock.advance(30_000);
  await flow.press(step, values);
  expect(await app.messages(recipient)).toHaveLength(sent + 1);
});

test("another address can be asked for at once, and the first one is remembered (SR-CODE-11)", async () => {
  const [one, other] = [freshEmail(), freshEmail()];
  const registration = await walker.begin("registration");
  for (const email of [one, other, one]) {
    await registration.press("sendCode", { "traits.email": email });
    await registration.press("back").catch(() => {});
  }
  expect(walker.seen.filter(({ step }) => step === "sendCode").slice(-3)).toMatchObject([
    { result: "nextStep" },
    { result: "nextStep" },
    { result: "RESEND_TOO_EARLY" },
  ]);
});

test("which names lead to one mailbox does not show (SR-CODE-11)", async () => {
  const { email, name } = await createPerson(app);
  const login = await walker.begin("login");
  await login.press("sendCode", { identifier: email });
  await login.press("back");
  const { outcome } = await login.press("sendCode", { identifier: name });
  expect(outcome.case).toBe("nextStep");
});

test("of two at the same moment one message is sent (SR-CODE-11)", async () => {
  const { email } = await createPerson(app);
  const login = await walker.begin("login");
  const { flow } = login;
  const submit = () =>
    bySubmitForm(app, { flow, step: "sendCode", values: { identifier: email } }).catch(() => {});
  const before = (await app.messages(email)).length;
  await Promise.all([submit(), submit(), submit()]);
  expect(await app.messages(email)).toHaveLength(before + 1);
});
