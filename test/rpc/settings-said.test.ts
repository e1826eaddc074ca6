import { afterAll, beforeAll, expect, test } from "vitest";
import { freshEmail, goodPassword, sessionTokenOf } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { bySubmitForm, type Walk, Walker, walkConfig } from "../support/form-walks.ts";
import { createPerson } from "../support/person.ts";
import { TotpDevice } from "../support/totp-device.ts";

let app: TestApp;
let walker: Walker;
beforeAll(async () => {
  app = await startTestApp({ config: walkConfig });
  walker = new Walker(app, bySubmitForm);
});
afterAll(() => app.stop());

/** What is said of a change of the settings, by its sentence and values. */
function saidIn({ flow }: Walk): readonly unknown[] {
  const messages = flow.form?.messages.filter(({ id }) => id === 1050001) ?? [];
  return messages.map(({ text, context }) => ({ text, ...context }));
}

/** A settings flow of a new person. */
async function settingsOf() {
  const person = await createPerson(app);
  const bearer = await sessionTokenOf(app, person.email);
  return { person, settings: await walker.begin("settings", { bearer }) };
}

test("a new password is said to be set, and another name to be saved", async () => {
  const { person, settings } = await settingsOf();
  await settings.press("password", { "password.password": "another harbour lantern" });
  expect(saidIn(settings)).toMatchObject([
    { text: "Your new password is set.", change: "set", kind: "password" },
  ]);
  await settings.press("profile", { "traits.name": `z${person.name}` });
  expect(saidIn(settings)).toEqual([{ text: "Your changes have been saved." }]);
});

test("an authenticator app is said to be set up, and by its name to be removed", async () => {
  const { settings } = await settingsOf();
  await settings.press("totp");
  const key = settings.flow.form?.nodes.find(({ name }) => name === "totp.key")?.kind;
  const text = key?.case === "text" ? (key.value.text?.text ?? "") : "";
  const device = TotpDevice.from(text, () => app.clock.now());
  const { outcome } = await settings.press("totp", { "totp.code": device.code() });
  expect(saidIn(settings)).toMatchObject([{ text: "Your authenticator app is set up." }]);
  const { signedIn } = outcome.case === "saved" ? outcome.value : {};
  const strong = await walker.goOn(settings.flow, { bearer: signedIn?.sessionToken ?? "" });
  const { stage } = strong.flow;
  const id = stage.case === "changeSettings" ? (stage.value.credentials.at(-1)?.id ?? "") : "";
  await strong.press("manageCredential", { "manageCredential.credentialId": id });
  await strong.press("renameCredential", {
    "renameCredential.credentialId": id,
    "renameCredential.label": "Phone",
  });
  await strong.press("manageCredential", { "manageCredential.credentialId": id });
  await strong.press("removeCredential", { "removeCredential.credentialId": id });
  expect(saidIn(strong)).toMatchObject([
    { text: "“Phone” was removed.", change: "removed", kind: "totp", label: "Phone" },
  ]);
});

test("a new address is named once it is verified, and an account that is kept is said to be", async () => {
  const { settings } = await settingsOf();
  const email = freshEmail();
  await settings.press("profile", { "traits.email": email });
  await settings.press("code", { "code.code": await walker.codeFor(email) });
  expect(saidIn(settings)).toMatchObject([{ text: `${email} is verified and saved.`, address: email }]);

  await settings.press("deleteAccount");
  const owner = await walker.begin("login");
  const { outcome } = await owner.press("password", {
    identifier: email,
    "password.password": goodPassword,
  });
  const { signedIn } = outcome.case === "completed" ? outcome.value : {};
  const back = await walker.begin("settings", { bearer: signedIn?.sessionToken ?? "" });
  await back.press("keepAccount");
  expect(saidIn(back)).toMatchObject([{ text: "Your account won't be deleted.", change: "kept" }]);
});
