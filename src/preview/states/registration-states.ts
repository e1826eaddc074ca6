import * as texts from "../../domain/user-message/user-messages.ts";
import type { PreviewState } from "../preview-state.ts";
import { email, longEmail, longName, type Samples } from "../samples.ts";
import { statesOf } from "./flow-states.ts";

const state = statesOf("registration", { schemaId: "default" });

/** The states of a registration. */
export function registrationStates(samples: Samples): readonly PreviewState[] {
  const traits = { email, name: "Ada Lovelace" };
  const account = {
    credential: undefined,
    authentication: { kind: "code", assuranceLevel: "aal1" },
  } as const;
  const from = { from: "fill_form", traits, account } as const;
  const everyField = {
    fields: [
      { name: "traits.username", message: texts.tooShort(3, 1) },
      { name: "traits.email", message: texts.invalidEmail() },
      { name: "traits.phone", message: texts.invalidPhone() },
      { name: "traits.name.given", message: texts.required("traits.name.given") },
      { name: "traits.name.family", message: texts.required("traits.name.family") },
      { name: "traits.birthday", message: texts.invalidDate("birthday") },
      { name: "traits.reminder", message: texts.invalidDateTime("reminder") },
      { name: "traits.website", message: texts.invalidUri("website") },
      { name: "traits.height", message: texts.belowMinimum(0.5) },
      { name: "traits.guests", message: texts.aboveMaximum(8) },
      { name: "traits.motto", message: texts.tooLong(500, 501) },
      { name: "traits.consent", message: texts.required("traits.consent") },
      { name: "password.password", message: texts.passwordTooShort(8, 4) },
    ],
    form: [],
  };

  return [
    state("fill-form", "Everything in one form", () => ({ at: "fill_form" })),
    state("fill-form-invited", "With an invitation, filled in", () => ({ at: "fill_form", traits })),
    state("fill-form-long", "Filled in, with long values", () => ({
      at: "fill_form",
      traits: { email: longEmail, name: longName },
    })),
    state(
      "fill-form-rich",
      "A field of every kind",
      () => ({ at: "fill_form" }),
      () => ({ schema: "rich" }),
    ),
    state(
      "fill-form-rich-wrong",
      "Something wrong with every field",
      () => ({ at: "fill_form" }),
      () => ({
        schema: "rich",
        rejected: {
          problems: everyField,
          typed: { traits: { username: "a", email: "ada", phone: "0800", height: 0, guests: 9 } },
        },
      }),
    ),
    state(
      "password-refused",
      "A password that many people use",
      () => ({ at: "fill_form", traits }),
      () => ({
        rejected: {
          problems: { fields: [{ name: "password.password", message: texts.passwordTooCommon() }], form: [] },
          typed: { traits },
        },
      }),
    ),
    state(
      "taken",
      "An address that somebody has already",
      () => ({ at: "fill_form", traits }),
      () => ({
        rejected: {
          problems: { fields: [{ name: "traits.email", message: texts.duplicateIdentifier() }], form: [] },
          typed: { traits },
        },
      }),
    ),
    state("fill-profile", "The profile comes first", () => ({ at: "fill_profile" })),
    state("complete-profile", "A provider has filled it in", () => ({
      at: "complete_profile",
      traits: { email },
      vouched: samples.vouched({ email }),
    })),
    state("choose-method", "The methods, once the profile is there", () => ({ at: "choose_method", traits })),
    state("make-passkey", "The browser makes a passkey", async () => ({
      at: "continue_method",
      from: "fill_form",
      traits,
      method: { kind: "passkey", memory: await samples.begun("passkey") },
    })),
    state("enter-code", "A code was sent", () => ({ ...samples.sent("enter_code", email), ...from })),
    state("enter-code-long", "A code was sent to a long address", () => ({
      ...samples.sent("enter_code", longEmail),
      ...from,
    })),
    state("link-sent", "A link was sent", () => ({ ...samples.sent("link_sent", email), ...from })),
    state("confirm-link", "A link was opened", () => samples.opened("a****@example.com")),
  ];
}
