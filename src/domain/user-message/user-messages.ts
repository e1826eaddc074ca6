import { splitFieldPath } from "../field-path.ts";
import type { SchemaText } from "../identity/schema-texts.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import type { CredentialKind, FlowKind } from "../kinds.ts";
import { error, info, success, type UserMessage } from "./user-message.ts";

export type { UserMessage };

/*
 * The numbers are those of Ory Kratos where the meaning is the same, so that existing translations work.
 * Ostiary's own begin at 9000000. A number never changes its meaning; user-messages.test.ts freezes them.
 */

/** "Sign in", on the button of the password method. */
export const signInWithPassword = (): UserMessage => info(1010022, "Sign in");

/** "Sign up", on the button of the password method. */
export const signUp = (): UserMessage => info(1040001, "Create account");

/** The label of a password field. */
export const passwordLabel = (): UserMessage => info(1070001, "Password");

/** A label from the identity schema. `name` is the name of the node, without the indices of lists. */
export const titleLabel = ({ text, translations }: SchemaText, name: string): UserMessage => ({
  ...info(1070002, text, { title: text, name }),
  translations,
});

/** The label of a choice. */
export const choiceLabel = (
  { text, translations }: SchemaText,
  name: string,
  value: JsonValue,
): UserMessage => ({
  ...info(9000201, text, { title: text, name, value }),
  translations,
});

/** The help for a trait: its description in the identity schema. */
export const traitHelp = ({ text, translations }: SchemaText, name: string): UserMessage => ({
  ...info(9000202, text, { description: text, name }),
  translations,
});

/** An example of a trait, from the identity schema. */
export const traitExample = (example: string, name: string): UserMessage =>
  info(9000203, example, { example, name });

/** The label of the identifier of a login: the titles of the traits that people sign in with, such as "Email, phone or username". */
export function identifierLabel(titles: readonly SchemaText[]): UserMessage {
  const title = anyOf(titles, "en") || "Email, phone number or username";
  const languages = new Set(titles.flatMap(({ translations }) => Object.keys(translations)));
  const translations = Object.fromEntries([...languages].map((tag) => [tag, anyOf(titles, tag)]));
  return { ...info(9000200, title, { title }), translations };
}

/** Titles as people of a language list them. */
function anyOf(titles: readonly SchemaText[], language: string): string {
  const texts = [...new Set(titles.map(({ text, translations }) => translations[language] ?? text))];
  // Nouns have capitals in German. What is all capitals is an abbreviation.
  const keepsCapitals = /^de\b/i.test(language);
  const listed = texts.map((text, index) =>
    index === 0 || keepsCapitals
      ? text
      : text.replace(/^\p{Lu}(?=\p{Ll})/u, (letter) => letter.toLowerCase()),
  );
  return listFormat(language).format(listed);
}

/** Kept, because making one takes longer than all else of a label. There are as many as the schemas have languages. */
const listFormats = new Map<string, Intl.ListFormat>();

function listFormat(language: string): Intl.ListFormat {
  const kept = listFormats.get(language) ?? newListFormat(language);
  listFormats.set(language, kept);
  return kept;
}

/** A schema's author can write any tag. British English lists without a comma before "or". */
function newListFormat(language: string): Intl.ListFormat {
  const options = { type: "disjunction" } as const;
  try {
    return new Intl.ListFormat(language === "en" ? "en-GB" : language, options);
  } catch {
    return new Intl.ListFormat("en-GB", options);
  }
}

/** A value that breaks a rule for which there is no message of its own. */
export const invalidValue = (reason: string): UserMessage =>
  error(4000001, "This value is not possible here.", { reason });

/** A required field is empty or missing. `name` is the name of its node. */
export function required(name: string): UserMessage {
  const property = splitFieldPath(name).at(-1) ?? "";
  return error(4000002, "Please fill in this field.", { property, name });
}

/** A text is too short. */
export const tooShort = (minimum: number, actual: number): UserMessage =>
  error(4000003, `Use at least ${counted(minimum, "character")}.`, {
    min_length: minimum,
    actual_length: actual,
  });

/** A text does not have the form that the schema asks for. */
export const wrongFormat = (pattern: string): UserMessage =>
  error(4000004, "This doesn't have the expected format.", { pattern });

/** The identifier or the secret is wrong; does not say which. */
export const invalidCredentials = (): UserMessage =>
  error(4000006, "Those sign-in details aren't right. Check them and try again.");

/** Another account has this identifier. */
export const duplicateIdentifier = (): UserMessage =>
  error(4000007, "An account with these details already exists. Sign in instead?");

/** The traits hold nothing to sign in with. */
export const identifierMissing = (): UserMessage =>
  error(4000009, "Enter an email address, phone number or username to sign in with.");

/** A text is too long. */
export const tooLong = (maximum: number, actual: number): UserMessage =>
  error(4000017, `Use at most ${counted(maximum, "character")}.`, {
    max_length: maximum,
    actual_length: actual,
  });

/** A number is below its minimum. */
export const belowMinimum = (minimum: number): UserMessage =>
  error(4000018, `Enter ${minimum} or more.`, { minimum });

/** A number is above its maximum. */
export const aboveMaximum = (maximum: number): UserMessage =>
  error(4000020, `Enter ${maximum} or less.`, { maximum });

/** A value is of another type than the schema asks for. */
export function wrongType(expected: string): UserMessage {
  const texts: Readonly<Record<string, string>> = {
    number: "Enter a number.",
    integer: "Enter a whole number.",
    boolean: "Choose yes or no.",
  };
  const text = texts[expected] ?? "This isn't the kind of value that is expected here.";
  return error(4000026, text, { allowed_types: [expected], type: expected });
}

/** The password is too much like the identifier or another trait. */
export const passwordTooSimilar = (): UserMessage =>
  error(4000031, "This password is too similar to your other details. Choose a different one.");

/** The password is too short. */
export const passwordTooShort = (minimum: number, actual: number): UserMessage =>
  error(4000032, `Your password needs at least ${counted(minimum, "character")}.`, {
    min_length: minimum,
    actual_length: actual,
  });

/** The password is too long. */
export const passwordTooLong = (maximum: number, actual: number): UserMessage =>
  error(4000033, `Your password can have at most ${counted(maximum, "character")}.`, {
    max_length: maximum,
    actual_length: actual,
  });

/** The password is known from breaches. */
export function passwordBreached(count: number): UserMessage {
  const text = "This password has appeared in a data breach. Choose a different one.";
  return error(4000034, text, { breaches: count });
}

/** The password is the one that the account has, and another one is asked for. */
export const passwordUnchanged = (): UserMessage =>
  error(9000616, "That's already your password. Choose a different one.");

/** Not an email address. */
export const invalidEmail = (): UserMessage => error(4000040, "Enter a valid email address.");

/** Not a telephone number. */
export const invalidPhone = (): UserMessage =>
  error(4000041, "Enter a valid phone number with its country code, for example +41 44 668 18 00.");

/** Not a date. */
export const invalidDate = (property: string): UserMessage =>
  wrongFormatOf(9000100, property, "date", "Enter a valid date.");

/** Not a date with a time and its zone. */
export function invalidDateTime(property: string): UserMessage {
  const sentence = "Enter a valid date and time.";
  return wrongFormatOf(9000102, property, "date-time", sentence);
}

/** Not a time with its zone. */
export const invalidTime = (property: string): UserMessage =>
  wrongFormatOf(9000103, property, "time", "Enter a valid time.");

/** Not a URI. */
export const invalidUri = (property: string): UserMessage =>
  wrongFormatOf(9000104, property, "uri", "Enter a full web address, for example https://example.com/page.");

/** A text that is not of another format of JSON Schema. */
export const invalidFormat = (property: string, format: string): UserMessage =>
  wrongFormatOf(9000105, property, format, "This doesn't have the expected format.");

/** A whole number that is not kept exactly. */
export const numberTooLarge = (maximum: number): UserMessage =>
  error(9000101, `Enter a number between -${maximum} and ${maximum}.`, { minimum: -maximum, maximum });

/** A username in the form of an email address that the account has not shown to be its own. */
export const userNameIsEmail = (): UserMessage =>
  error(9000106, "A username can't look like an email address, unless it's one of yours that is verified.");

/** A username in the form of a telephone number that the account has not shown to be its own. */
export const userNameIsPhone = (): UserMessage =>
  error(9000107, "A username can't look like a phone number, unless it's one of yours that is verified.");

/** A text with control or invisible characters. */
export const forbiddenCharacter = (): UserMessage =>
  error(9000108, "Control characters and invisible characters aren't allowed here.");

/** The password is on the list of common passwords. */
export const passwordTooCommon = (): UserMessage =>
  error(9000001, "This password is too common. Choose one that's harder to guess.");

/** A property that the schema does not know. */
export const unknownProperty = (property: string): UserMessage =>
  error(9000002, `The field ${property} isn't expected here.`, { property });

/** A trait that its owner does not change. */
export const notForOwner = (): UserMessage => error(9000070, "You can't change this yourself.");

/** "Send sign-in code" and the like, on the button that asks for a code. */
export function sendCode(flow: FlowKind): UserMessage {
  if (flow === "login") return info(1010015, "Send sign-in code");
  if (flow === "registration") return info(1040006, "Send verification code");
  return info(9000010, "Send code");
}

/** On the button that asks for a link. */
export function sendLink(flow: FlowKind): UserMessage {
  if (flow === "login") return info(9000011, "Send sign-in link");
  if (flow === "registration") return info(9000031, "Send verification link");
  return info(9000012, "Send link");
}

/** The label of the field for a code. */
export const codeLabel = (flow: FlowKind): UserMessage =>
  ofFlow(info, flow, {
    login: [1070013, "Sign-in code"],
    registration: [1070012, "Verification code"],
    recovery: [1070010, "Recovery code"],
    verification: [1070011, "Verification code"],
    settings: [1070011, "Verification code"],
  });

/** The label of the field for an address. */
export const addressLabel = (): UserMessage => info(1070018, "Email or phone number");

/** "Continue", on a button. */
export const continueLabel = (): UserMessage => info(1070009, "Continue");

/** "Resend", on the button that asks for another code or link. */
export const resendLabel = (what: "code" | "link"): UserMessage => info(1070008, `Resend ${what}`, { what });

/** "Back", on the button that gives up the code or link. */
export function backLabel(flow: FlowKind): UserMessage {
  if (flow === "registration") return info(1040008, "Back");
  if (flow === "recovery") return info(1060007, "Back");
  return info(9000013, "Back");
}

/** "Save", on the button of a part of the settings. */
export const saveLabel = (): UserMessage => info(1070003, "Save");

/** On the button that carries out what waited for a fresh login. */
export const resumeLabel = (): UserMessage => info(9000014, "Continue");

/**
 * A code was sent, as far as the answer may tell. The message names the address, so that a person sees for which account a code
 * was asked for.
 */
export function codeSent(flow: FlowKind, sentTo: string): UserMessage {
  const byRecovery = `If there's an account for ${sentTo}, we've sent it a recovery code.`;
  const byVerification = `If ${sentTo} still needs verifying, we've sent a code to it.`;
  const toNew = `We've sent a code to ${sentTo}. Your new address takes effect once you enter it.`;
  const texts = {
    login: [1010014, ifAccount(sentTo, "a code")],
    registration: [1040005, `We've sent a code to ${sentTo}.`],
    recovery: [1060003, byRecovery],
    verification: [1080003, byVerification],
    settings: [9000015, toNew],
  } as const;
  return ofFlow(info, flow, texts, { sent_to: sentTo });
}

/** `sentTo` is empty in a refresh, where no address is typed: the person is known, but perhaps has no address that is verified. */
function ifAccount(sentTo: string, what: "a code" | "a link"): string {
  return sentTo === ""
    ? `If your account has a verified address, we've sent ${what} to it.`
    : `If there's an account for ${sentTo}, we've sent it ${what}.`;
}

/** A link was sent, as far as the answer may tell. */
export function linkSent(flow: FlowKind, sentTo: string): UserMessage {
  const byRecovery = `If there's an account for ${sentTo}, we've sent it a recovery link.`;
  const byVerification = `If ${sentTo} still needs verifying, we've sent a link to it.`;
  const texts = {
    login: [9000016, ifAccount(sentTo, "a link")],
    registration: [9000032, `We've sent a link to ${sentTo}.`],
    recovery: [1060002, byRecovery],
    verification: [1080001, byVerification],
    settings: [9000016, ifAccount(sentTo, "a link")],
  } as const;
  return ofFlow(info, flow, texts, { sent_to: sentTo });
}

/** Effect of the one click in the flow of an opened link. */
export function confirmLink(flow: FlowKind, address: string): UserMessage {
  const texts = {
    login: [9000017, `Continue to sign in as ${address}.`],
    registration: [9000030, `Continue to create an account with ${address}.`],
    recovery: [9000018, `Continue to recover the account of ${address}.`],
    verification: [9000019, `Continue to confirm that ${address} is yours.`],
    settings: [9000019, `Continue to confirm that ${address} is yours.`],
  } as const;
  return ofFlow(info, flow, texts, { address });
}

/** Something else is wanted beside the first proof. */
export const secondFactor = (): UserMessage => info(1010004, "Confirm with your second factor to continue.");

/** A login of a person who is signed in already. */
export const confirmIdentity = (): UserMessage => info(1010003, "To continue, confirm it's you.");

/** A change of the settings that has a sentence of its own. */
export type SavedChange =
  | { readonly change: "set" | "removed"; readonly kind: CredentialKind; readonly label: string }
  | { readonly change: "address"; readonly address: string }
  | { readonly change: "kept" };

/** A change of the settings was saved. `done`: which one, where that is said in particular. */
export const settingsSaved = (done?: SavedChange): UserMessage =>
  success(1050001, savedSentence(done), { ...done });

function savedSentence(done: SavedChange | undefined): string {
  switch (done?.change) {
    case "set":
      return done.kind === "oidc" && done.label !== ""
        ? `${done.label} is now linked to your account.`
        : setSentences[done.kind];
    case "removed":
      if (done.label === "") return removedSentences[done.kind];
      return done.kind === "oidc"
        ? `${done.label} is no longer linked to your account.`
        : `“${done.label}” was removed.`;
    case "address":
      return `${done.address} is verified and saved.`;
    case "kept":
      return "Your account won't be deleted.";
    default:
      return "Your changes have been saved.";
  }
}

const setSentences: Readonly<Record<CredentialKind, string>> = {
  password: "Your new password is set.",
  passkey: "Your passkey was added.",
  totp: "Your authenticator app is set up.",
  sms: "Codes by text message are set up.",
  backup_code: "Your backup codes are ready to use.",
  oidc: "The account is now linked to yours.",
};

const removedSentences: Readonly<Record<CredentialKind, string>> = {
  password: "Your password was removed.",
  passkey: "The passkey was removed.",
  totp: "The authenticator app was removed.",
  sms: "Codes by text message were removed.",
  backup_code: "Your backup codes were removed.",
  oidc: "The account is no longer linked to yours.",
};

/** The account is recovered; a new secret must be set. */
export const recoverySucceeded = (): UserMessage => success(1060001, "You're back in.");

/** The code is wrong, used or too old. */
export const invalidCode = (flow: FlowKind): UserMessage =>
  ofFlow(error, flow, {
    login: [4010008, "This sign-in code is wrong or no longer valid. Check it, or request a new one."],
    registration: [
      4040003,
      "This verification code is wrong or no longer valid. Check it, or request a new one.",
    ],
    recovery: [4060006, "This recovery code is wrong or no longer valid. Check it, or request a new one."],
    verification: [
      4070006,
      "This verification code is wrong or no longer valid. Check it, or request a new one.",
    ],
    settings: [
      4070006,
      "This verification code is wrong or no longer valid. Check it, or request a new one.",
    ],
  });

/** The link is wrong, used or too old. */
export function invalidLink(flow: FlowKind): UserMessage {
  if (flow === "recovery")
    return error(4060004, "This recovery link has expired or was already used. Request a new one.");
  if (flow === "verification")
    return error(4070001, "This verification link has expired or was already used. Request a new one.");
  return error(9000020, "This link has expired or was already used. Request a new one.");
}

/** The code was tried too often. */
export const tooManyTries = (): UserMessage =>
  error(9000021, "Too many incorrect attempts. Request a new code.");

/** The text cannot be a code: it cost no try. */
export function malformedCode(length: number, longLength: number): UserMessage {
  const text = `A code has ${length} digits, or ${longLength} after many wrong attempts. Copy the code from the message, and nothing else.`;
  return error(9000120, text, { length, long_length: longLength });
}

/** Another code or link was asked for too soon. */
export const resendTooEarly = (): UserMessage =>
  error(9000022, "We've only just sent you a message. Wait a moment before you request another one.");

/** Neither an email address nor a telephone number. */
export const invalidAddress = (): UserMessage =>
  error(9000023, "Enter a valid email address, or a phone number with its country code.");

/** The invitation was used, revoked or too old when the registration completed. */
export const invitationGone = (): UserMessage =>
  error(9000060, "This invitation is no longer valid. Ask the person who sent it for a new one.");

/** No account signs in with this identifier by a code or link. Only where answers need not hide who has an account. */
export const noCodeSignIn = (): UserMessage =>
  error(4000035, "This account doesn't exist, or can't be signed in to with a code.");

/** No account has this address. Only where answers need not hide who has an account. */
export const accountNotFound = (): UserMessage =>
  error(4000037, "This account doesn't exist, or can't be reached at this address.");

/** The traits that came with a code are not those that it was asked for with. */
export const traitsMismatch = (): UserMessage =>
  error(4000036, "These details differ from the ones you requested the code with. Go back to change them.");

/** A link is to prove an account that would have several addresses. */
export const oneAddressForLink = (): UserMessage =>
  error(9000033, "An account created by link can have only one address. Remove one, or choose another way.");

/** Several addresses were changed at once. */
export const oneAddressAtATime = (): UserMessage => error(4050002, "Change only one address at a time.");

/** The account is to be deleted. */
export function deletionScheduled(purgeAt: Date): UserMessage {
  const date = purgeAt.toISOString().slice(0, 10);
  return info(9000050, `This account will be deleted on ${date}.`, {
    purge_time: purgeAt.toISOString(),
    date,
  });
}

/** When a recovery that waits can go on. */
export function recoveryOnHold(until: Date): UserMessage {
  const date = `${until.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const text = `This address is yours. To protect the account, you can get back into it only from ${date}. Request a new code then.`;
  return info(9000464, text, { end_time: until.toISOString(), date });
}

/** Asks whether a recovery is to be stopped. */
export function stopRecovery(address: string, until: Date): UserMessage {
  const date = `${until.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const text = `Someone who can read the messages to ${address} can get into your account from ${date}.`;
  return info(9000465, text, { address, end_time: until.toISOString(), date });
}

/** On the button that stops a recovery. */
export const stopRecoveryLabel = (): UserMessage => info(9000466, "Stop it, this wasn't me");

/** The recovery that was to be stopped is over. */
export const recoveryIsOver = (): UserMessage =>
  error(9000467, "This recovery is over. If you can't sign in any more, recover your account.");

/** On the button that has the account deleted. */
export const deleteAccountLabel = (): UserMessage => info(9000051, "Delete my account");

/** On the button that keeps an account which was to be deleted. */
export const keepAccountLabel = (): UserMessage => info(9000052, "Keep my account");

/** Explanation of that button, beside it. It is there before anybody wants it, so it says what would happen. */
export function deletionWarning(graceMs: number): UserMessage {
  if (graceMs === 0) {
    const text =
      "Deleting your account signs you out everywhere and erases everything in it at once. This can't be undone.";
    return info(9000054, text);
  }
  const { days, hours, span } = graceOf(graceMs);
  return info(
    9000053,
    `Deleting your account signs you out everywhere. You have ${span} to change your mind: sign in and choose to keep it. ` +
      "After that, everything is erased for good.",
    { days, hours },
  );
}

/** Identifier of the login, where it was asked for first. */
export const signInAs = (identifier: string): UserMessage =>
  info(9000040, `Signing in as ${identifier}.`, { identifier });

/** The address that was chosen is none of those that are offered, or is no longer one to recover by. */
export const addressNotOffered = (): UserMessage => error(9000041, "Choose one of these addresses.");

/** The label of the field for the name that a recovery begins with. */
export const recoveryNameLabel = (): UserMessage => info(9000042, "Email, phone number or username");

/** The label of the choice of an address. */
export const chooseAddressLabel = (): UserMessage => info(9000043, "Where should we send the message?");

/** The flow knows who signs in, and something else was submitted. */
export function anotherIdentifier(identifier: string): UserMessage {
  const text = `You're signing in as ${identifier}. Go back to use another account.`;
  return error(9000044, text, { identifier });
}

/** The message of a kind of flow. */
function ofFlow(
  make: typeof info,
  flow: FlowKind,
  texts: Readonly<Record<FlowKind, readonly [id: number, text: string]>>,
  context: JsonObject = {},
): UserMessage {
  const [id, text] = texts[flow];
  return make(id, text, context);
}

function wrongFormatOf(id: number, property: string, format: string, sentence: string): UserMessage {
  return error(id, sentence, { property, format });
}

/** Question whose account it is, after a proof of an address that no account has verified. */
export function claimAccount(address: string): UserMessage {
  const text =
    `${address} is yours. There's an account with this address that nobody has confirmed yet. ` +
    "Did you set it up? If someone else did, or if you can't sign in any more, say so: all the ways to sign in to it " +
    "stop working, and you choose a new password.";
  return info(9000090, text, { address });
}

/** On the button that keeps what was set up. */
export const claimLabel = (): UserMessage => info(9000091, "I set it up, sign me in");

/** On the button that ends what was set up. */
export const disownLabel = (): UserMessage => info(9000092, "It wasn't me, or I can't sign in");

/** The question whose account it is has no answer any more. */
export const claimEnded = (): UserMessage =>
  error(
    9000093,
    "This account has changed in the meantime, so nothing was done. Enter your address again to continue.",
  );

/** The account that the settings change. */
export const accountOf = (name: string): UserMessage => info(9000208, `Account of ${name}`, { name });

/** A trait was changed elsewhere while its form was filled in; what was typed stands beside it. Null: it was emptied. */
export function traitChangedElsewhere(typed: JsonValue): UserMessage {
  const shown = typeof typed === "object" ? "" : ` You had entered: ${String(typed)}`;
  return error(9000400, `This was changed somewhere else in the meantime.${shown}`, { typed });
}

/** The heading of the traits in the settings. */
export const profileTitle = (): UserMessage => info(9000204, "Profile");

/** The heading of the password in the settings. */
export const passwordTitle = (): UserMessage => info(9000205, "Password");

/** The heading of the end of the account in the settings. */
export const deletionTitle = (): UserMessage => info(9000206, "Delete account");

/** The question before an account is deleted. */
export function deletionQuestion(graceMs: number): UserMessage {
  const question = "Delete your account? You'll be signed out on all your devices";
  if (graceMs === 0) {
    return info(9000207, `${question}, and everything in it is erased at once.`, { days: 0, hours: 0 });
  }
  const { days, hours, span } = graceOf(graceMs);
  return info(9000207, `${question}. You can still change your mind for ${span}.`, { days, hours });
}

/** For how long an account can still be kept: in days, or in hours where it is less than two days. */
function graceOf(graceMs: number): { readonly days: number; readonly hours: number; readonly span: string } {
  const hours = Math.max(1, Math.floor(graceMs / 3_600_000));
  const days = Math.floor(hours / 24);
  return days > 1
    ? { days, hours, span: counted(days, "day") }
    : { days: 0, hours, span: counted(hours, "hour") };
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** The label of the link to where a flow goes on. */
export const goOnLabel = (): UserMessage => info(9000209, "Continue");
