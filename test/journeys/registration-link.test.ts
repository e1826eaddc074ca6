import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MethodKind } from "../../gen/ostiary/common/v1/method_kind_pb.js";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { AuthenticationPurpose } from "../../gen/ostiary/session/v1/session_pb.js";
import { freshEmail, logIn } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { tokenOf } from "../support/links.ts";
import {
  beginRegistration,
  flowAfter,
  messageIds,
  methodsOffered,
  offerOf,
  registrationResult,
  sentRegistrationLink,
  steps,
} from "../support/registrations.ts";

const link = { enabled: true };
const page = "https://app.example.com/join";
const two = {
  type: "object",
  properties: {
    email: { type: "string", format: "email", ostiary: { identifier: "email", verifiable: "email" } },
    other: { type: "string", format: "email", ostiary: { verifiable: "email", recovery: "email" } },
    nick: { type: "string", ostiary: { identifier: "username" } },
  },
  required: ["email"],
};

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({
    config: {
      tenant_defaults: {
        link,
        flows: { registration: { ui_url: page, address_proof: "before_session" } },
        identity: { schemas: [{ id: "two", document: two }] },
      },
    },
  });
});
afterAll(() => app.stop());

async function identityOf(email: string) {
  const client = app.client(IdentityService);
  return (await client.lookUpIdentity({ by: { case: "identifier", value: email } })).identity;
}

describe.each(protocols)("over %s", (protocol) => {
  test("an account is made by a link, on whatever device, with its address verified", async () => {
    const email = freshEmail();
    const waiting = await beginRegistration(app, { protocol });
    expect(offerOf(waiting.flow).buttons).toEqual(["password", "sendCode", "sendLink"]);
    const [nick = ""] = email.split("@");
    const next = flowAfter(await waiting.submit(steps.askForLink, { email, nick }));
    expect(offerOf(next)).toEqual({ step: "linkSent", fields: [], buttons: ["resend", "back"] });
    expect(messageIds(next)).toEqual([9000032]);

    const sent = (await app.messages(email)).at(-1);
    expect(sent?.template).toBe("registration_link");
    expect(sent?.url.startsWith(`${page}#link=ost_lnk_default_`)).toBe(true);
    const opened = await beginRegistration(app, { protocol, linkToken: tokenOf(sent?.url ?? "") });
    expect(offerOf(opened.flow)).toEqual({ step: "confirmLink", fields: [], buttons: ["confirmLink"] });
    expect(messageIds(opened.flow)).toEqual([9000030]);

    const { outcome } = await opened.submit(steps.confirm);
    if (outcome.case !== "completed") throw new Error(`it was ${outcome.case}`);
    expect(outcome.value.signedIn?.identity?.traits).toEqual({ email, nick });
    expect(outcome.value.signedIn?.session?.authenticationMethods).toMatchObject([
      { kind: MethodKind.LINK, purpose: AuthenticationPurpose.REGISTRATION },
    ]);
    // The address is proven: nothing is left to verify.
    expect(outcome.value.continueWith).toEqual([]);
    const addresses = (await identityOf(email))?.addresses ?? [];
    expect(addresses.map(({ verifyTime }) => verifyTime !== undefined)).toEqual([true]);
    expect((await refusal(waiting.submit(steps.resend))).reason).toBe("FLOW_COMPLETED");
  });
});

describe("a link to register with", () => {
  test("is not used by being opened, however often, and once by a click", async () => {
    const { token: linkToken } = await sentRegistrationLink(app, { email: freshEmail() });
    const [first, second] = [
      await beginRegistration(app, { linkToken }),
      await beginRegistration(app, { linkToken }),
    ];
    expect(registrationResult(await first.submit(steps.confirm))).toBe("completed");
    expect(registrationResult(await second.submit(steps.confirm))).toBe("LINK_INVALID");
    expect((await refusal(beginRegistration(app, { linkToken }))).reason).toBe("LINK_INVALID");
  });

  test("makes the account that was filled in where it was asked for, and no other (SR-FLOW-8)", async () => {
    const email = freshEmail();
    const { token: linkToken } = await sentRegistrationLink(app, { email });
    const { submit } = await beginRegistration(app, { linkToken });
    const other = await submit(steps.confirm, { email: freshEmail() });
    expect(registrationResult(other)).toBe("TRAITS_INVALID");
    expect((await refusal(submit(steps.password))).reason).toBe("STEP_NOT_OFFERED");
    const { outcome } = await submit(steps.confirm);
    expect(outcome.case === "completed" && outcome.value.signedIn?.identity?.traits).toEqual({ email });
  });

  test("never carries the password of the person who began; their next step ends it (SR-OWNER-6)", async () => {
    const email = freshEmail();
    const eve = await sentRegistrationLink(app, { email });
    const owner = await beginRegistration(app, { linkToken: eve.token });
    await eve.submit(steps.back);
    // With the proof before the session, a password that was chosen waits in the flow for a code.
    expect(flowAfter(await eve.submit(steps.password, { email })).stage.case).toBe("enterCode");
    expect(registrationResult(await owner.submit(steps.confirm))).toBe("LINK_INVALID");
    await eve.submit(steps.back);
    app.clock.advance(30_000);
    await eve.submit(steps.askForLink, { email });
    const token = tokenOf((await app.messages(email)).at(-1)?.url ?? "");
    const again = await beginRegistration(app, { linkToken: token });
    expect(registrationResult(await again.submit(steps.confirm))).toBe("completed");
    const identityId = (await identityOf(email))?.id ?? "";
    const { credentials } = await app.client(IdentityService).listCredentials({ identityId });
    expect(credentials).toEqual([]);
    expect((await logIn(app, email)).case).toBe("rejected");
  });

  test("is not worth more than its own address, whatever its flow goes on with (V6.6.2)", async () => {
    const [own, foreign] = [freshEmail(), freshEmail()];
    const eve = await sentRegistrationLink(app, { email: own });
    const opened = await beginRegistration(app, { linkToken: eve.token });
    await eve.submit(steps.back);
    await eve.submit(steps.askForLink, { email: foreign });
    expect(registrationResult(await opened.submit(steps.confirm))).toBe("LINK_INVALID");
    expect((await refusal(identityOf(foreign))).reason).toBe("IDENTITY_NOT_FOUND");
  });

  test("is for an account with one address: a second one would let in the person who began", async () => {
    const { submit } = await beginRegistration(app);
    const traits = { email: freshEmail(), other: freshEmail() };
    const answer = await submit(steps.askForLink, traits);
    expect(registrationResult(answer)).toBe("TRAITS_INVALID");
    expect(messageIds(flowAfter(answer))).toEqual([9000033]);
    expect(await app.messages(traits.email)).toEqual([]);
    // A code is entered by the person who filled in the form.
    expect(registrationResult(await submit(steps.askForCode, traits))).toBe("nextStep");
    const same = { email: freshEmail() };
    const one = await beginRegistration(app);
    const answered = await one.submit(steps.askForLink, { ...same, other: same.email.toUpperCase() });
    expect(registrationResult(answered)).toBe("nextStep");
  });

  test("is answered alike for a taken address and a free one, and the owner is told (SR-ENUM-2)", async () => {
    const email = freshEmail();
    const { token } = await sentRegistrationLink(app, { email });
    const made = await beginRegistration(app, { linkToken: token });
    await made.submit(steps.confirm);
    const answers = [];
    for (const address of [email, freshEmail()]) {
      const { submit } = await beginRegistration(app);
      app.statements.length = 0;
      const next = flowAfter(await submit(steps.askForLink, { email: address }));
      answers.push({ offer: offerOf(next), said: messageIds(next), statements: [...app.statements] });
    }
    expect(answers[0]).toEqual(answers[1]);
    const told = (await app.messages(email)).at(-1);
    expect([told?.template, told?.suppressed, told?.url]).toEqual(["registration_taken", false, ""]);
  });

  test("tells the person who clicks if the address was taken meanwhile", async () => {
    const email = freshEmail();
    const { token: linkToken } = await sentRegistrationLink(app, { email });
    const opened = await beginRegistration(app, { linkToken });
    await app.client(IdentityService).createIdentity({ schemaId: "two", traits: { email } });
    const answer = await opened.submit(steps.confirm);
    expect(registrationResult(answer)).toBe("IDENTIFIER_TAKEN");
    expect(messageIds(flowAfter(answer))).toEqual([4000007]);
  });

  test("is worth nothing after its time, once another one was sent, or for a login", async () => {
    const email = freshEmail();
    const waiting = await sentRegistrationLink(app, { email });
    const login = app.client(LoginService).createLoginFlow({
      client: ClientKind.NATIVE,
      linkToken: waiting.token,
    });
    expect((await refusal(login)).reason).toBe("LINK_INVALID");
    expect(registrationResult(await waiting.submit(steps.resend))).toBe("RESEND_TOO_EARLY");
    app.clock.advance(31_000);
    expect(registrationResult(await waiting.submit(steps.resend))).toBe("nextStep");
    const newer = tokenOf((await app.messages(email)).at(-1)?.url ?? "");
    const open = (linkToken: string) => refusal(beginRegistration(app, { linkToken }));
    expect((await open(waiting.token)).reason).toBe("LINK_INVALID");
    expect((await beginRegistration(app, { linkToken: newer })).flow.stage.case).toBe("confirmLink");
    app.clock.advance(10 * 60_000);
    expect((await open(newer)).reason).toBe("LINK_INVALID");
    expect((await open("ost_lnk_nonsense")).reason).toBe("LINK_INVALID");
  });

  test("begins nothing while registration is switched off", async () => {
    const closed = await startTestApp({
      databaseUrl: app.databaseUrl,
      clock: app.clock,
      config: { tenant_defaults: { link, flows: { registration: { ui_url: page, mode: "closed" } } } },
    });
    try {
      const { token: linkToken } = await sentRegistrationLink(app, { email: freshEmail() });
      const refused = await refusal(
        closed.client(RegistrationService).createRegistrationFlow({ client: ClientKind.NATIVE, linkToken }),
      );
      expect(refused.reason).toBe("REGISTRATION_DISABLED");
    } finally {
      await closed.stop();
    }
  });
});

test("code.registration: false leaves the link, also with the profile first", async () => {
  const registration = { ui_url: page, style: "profile_first" };
  const closed = await startTestApp({
    config: { tenant_defaults: { link, code: { registration: false }, flows: { registration } } },
  });
  try {
    const { submit } = await beginRegistration(closed);
    const email = freshEmail();
    const next = flowAfter(await submit(steps.profile, { email }));
    expect(offerOf(next).buttons).toEqual(["password", "sendLink", "back"]);
    expect(methodsOffered(next)).toEqual(["password", "link"]);
    expect(registrationResult(await submit(steps.askForLink))).toBe("nextStep");
    const linkToken = tokenOf((await closed.messages(email)).at(-1)?.url ?? "");
    const opened = await beginRegistration(closed, { linkToken });
    const { outcome } = await opened.submit(steps.confirm);
    expect(outcome.case === "completed" && outcome.value.signedIn?.identity?.traits).toEqual({ email });
  } finally {
    await closed.stop();
  }
});
