// SPDX-License-Identifier: Apache-2.0
// Every message that the server has for people, made with sample values: for docs/texts.md, the checker of texts and the tests that hold
// the catalogues against the server.
import { errorReasons, errorTexts } from "../src/domain/errors.ts";
import type { JsonObject } from "../src/domain/json.ts";
import type { FlowKind } from "../src/domain/kinds.ts";
import * as accountMessages from "../src/domain/user-message/account-messages.ts";
import * as actionMessages from "../src/domain/user-message/action-messages.ts";
import * as factorMessages from "../src/domain/user-message/factor-messages.ts";
import * as oauth2Messages from "../src/domain/user-message/oauth2-messages.ts";
import * as providerMessages from "../src/domain/user-message/provider-messages.ts";
import * as stageMessages from "../src/domain/user-message/stage-messages.ts";
import * as traitMessages from "../src/domain/user-message/trait-messages.ts";
import type { UserMessage } from "../src/domain/user-message/user-message.ts";
import type { SavedChange } from "../src/domain/user-message/user-messages.ts";
import * as userMessages from "../src/domain/user-message/user-messages.ts";

const factories = {
  ...userMessages,
  ...accountMessages,
  ...stageMessages,
  ...factorMessages,
  ...actionMessages,
  ...oauth2Messages,
  ...providerMessages,
  ...traitMessages,
};

type Factories = typeof factories;

/** The messages that are made of values, and the values that there is a sentence of its own for. */
type Samples = {
  readonly [Name in keyof Factories as Parameters<Factories[Name]> extends []
    ? never
    : Name]: readonly Parameters<Factories[Name]>[];
};

const flows: readonly FlowKind[] = ["login", "registration", "verification", "recovery", "settings"];
const address = "ada@example.com";
const time = new Date("2026-02-28T18:30:00Z");
const title = { text: "Name", translations: {} };
const ofEachFlow = flows.map((flow): [FlowKind] => [flow]);
const addressed = flows.map((flow): [FlowKind, string] => [flow, address]);
const addressedOrNot: [FlowKind, string][] = [...addressed, ["login", ""]];
const provider: [string][] = [["Google"]];
const property: [string][] = [["birthday"]];
const actions = [
  ...([["set_password"], ["verify_address"], ["complete_traits"]] as const),
  ...([["enrol_factor"], ["accept_terms"]] as const),
] as [Parameters<Factories["actionAsked"]>[0]][];
const credentials = [
  ...(["password", "totp", "backup_code", "passkey", "sms", "oidc"] as const).map((kind) => [kind, ""]),
  ["passkey", "Phone"],
] as Parameters<Factories["manageTitle"]>[];
const hourMs = 3_600_000;
const graces: [number][] = [[0], [hourMs], [36 * hourMs], [720 * hourMs]];

const samples: Samples = {
  aboveMaximum: [[9]],
  acceptTerms: [["Terms of service"]],
  accountOf: [["Ada"]],
  addressName: [[address]],
  actionAsked: actions,
  actionPending: actions,
  almostThereHelp: provider,
  anotherIdentifier: [[address]],
  backLabel: ofEachFlow,
  backupCodeMalformed: [[12]],
  backupCodes: [[["abcd", "efgh"]]],
  backupCodesLeft: [
    [3, 12],
    [1, 12],
  ],
  belowMinimum: [[2]],
  choiceLabel: [[title, "traits.plan", "free"]],
  claimAccount: [[address]],
  codeLabel: ofEachFlow,
  codeSent: addressedOrNot,
  confirmLink: addressed,
  continueWith: provider,
  credentialAdded: [[time]],
  credentialUsed: [[time]],
  deletionQuestion: graces,
  deletionScheduled: [[time]],
  deletionWarning: graces,
  factorCodeMalformed: [[6]],
  handOverHelp: [["Shop"], [""]],
  identifierLabel: [[[title]], [[]]],
  invalidCode: ofEachFlow,
  invalidDate: property,
  invalidDateTime: property,
  invalidFormat: [["id", "uuid"]],
  invalidLink: ofEachFlow,
  invalidTime: property,
  invalidUri: property,
  invalidValue: [["must be equal to constant"]],
  linkProvider: provider,
  linkSent: addressedOrNot,
  lookForCode: [[address], [""]],
  lookForLink: [[address], [""]],
  malformedCode: [[6, 20]],
  manageLabel: credentials,
  manageTitle: credentials,
  notLinked: provider,
  numberTooLarge: [[99]],
  otherAccount: provider,
  passkeysTooMany: [[20]],
  accountsTooMany: [[20]],
  passwordBreached: [[3]],
  passwordTooLong: [[72, 80]],
  passwordTooShort: [
    [8, 2],
    [1, 0],
  ],
  proveToLink: provider,
  providerAnswerInvalid: provider,
  providerAway: provider,
  providerDenied: provider,
  providerUnavailable: provider,
  recoveryOnHold: [[time]],
  required: [["traits.email"]],
  resendLabel: [["code"], ["link"]],
  sendCode: ofEachFlow,
  sendCodeTo: [[address]],
  sendLink: ofEachFlow,
  signInAs: [[address]],
  settingsSaved: [
    [],
    ...credentials.map(([kind, label]) => [{ change: "set", kind, label }] as [SavedChange]),
    ...credentials.map(([kind, label]) => [{ change: "removed", kind, label }] as [SavedChange]),
    [{ change: "set", kind: "oidc", label: "Google: ada@example.com" }],
    [{ change: "removed", kind: "oidc", label: "Google: ada@example.com" }],
    [{ change: "address", address }],
    [{ change: "kept" }],
  ],
  smsNumberInvalid: [[""], ["CH"]],
  smsNumberLabel: [[""], ["CH"]],
  smsOffered: [["+41 ** *** ** 00"]],
  smsSent: [["+41 ** *** ** 00"]],
  stopRecovery: [[address, time]],
  termsLink: [["Terms of service", "2026-02"]],
  titleLabel: [[title, "traits.name"]],
  tooLong: [
    [8, 9],
    [1, 2],
  ],
  tooShort: [
    [2, 1],
    [1, 0],
  ],
  totpKey: [["JBSW Y3DP"]],
  traitChangedElsewhere: [["Ada"], [null]],
  traitExample: [["Ada", "traits.name"]],
  traitHelp: [[title, "traits.name"]],
  unknownProperty: property,
  verifyAddressLink: [[address]],
  wrongFormat: [["^a+$"]],
  confirmAgain: [
    [],
    ...(["profile", "password", "credential", "second_factor", "removal", "deletion"] as const).map(
      (change): [string] => [change],
    ),
  ],
  ownSentence: [[title, "traits.name", { pattern: "^a+$" }]],
  linkLabel: [[title, "traits.name"]],
  notAbove: [[1]],
  notBelow: [[9]],
  notAMultiple: [[0.5]],
  tooFewItems: [[1]],
  tooManyItems: [[9]],
  invalidPhoneOf: [["DE"]],
  wrongType: [["number"], ["integer"], ["boolean"], ["string"]],
};

const ofForms = Object.entries(factories).flatMap(([name, make]) => {
  const values: readonly (readonly unknown[])[] =
    make.length === 0
      ? [[]]
      : ((samples as Readonly<Record<string, readonly (readonly unknown[])[]>>)[name] ?? []);
  if (values.length === 0) throw new Error(`scripts/every-message.ts has no values for ${name}`);
  return values.map((each) => (make as (...values: unknown[]) => UserMessage)(...each));
});

const ofErrors = errorReasons.flatMap((reason): readonly UserMessage[] => {
  const { user, metadata } = errorTexts[reason];
  if (user === undefined) return [];
  const context: JsonObject = {};
  for (const key of metadata) {
    const name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (user.text.includes(`{${name}}`)) context[name] = "x1";
  }
  const text = user.text.replace(/\{\w+\}/g, "x1");
  return [{ id: user.id, type: "error", text, context }];
});

/** Every message of forms and errors, with each of its sentences. */
export const everyMessage: readonly UserMessage[] = [...ofForms, ...ofErrors];
