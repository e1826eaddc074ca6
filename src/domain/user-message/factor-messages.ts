/** What people read of second factors and of what they sign in with. The numbers are as in user-messages.ts. */
import type { CredentialKind } from "../kinds.ts";
import { error, info, type UserMessage } from "./user-message.ts";

/** The label of a code of an authenticator app. */
export const totpLabel = (): UserMessage => info(1010006, "Code from your authenticator app");

/** The label of a backup code. */
export const backupCodeLabel = (): UserMessage => info(1010007, "Backup code");

/** The button that begins with an authenticator app, where there is none. */
export const setUpTotp = (): UserMessage => info(9000301, "Set up an authenticator app");

/** The same, in the place of a former one. */
export const replaceTotp = (): UserMessage => info(9000302, "Set up a different authenticator app");

/** What people see who do not see the image with the key. */
export const totpImage = (): UserMessage => info(1050005, "QR code with the key for your authenticator app");

/** The key to type into an app. */
export const totpKey = (key: string): UserMessage => info(1050006, key, { key });

/** The label of that key. */
export const totpKeyLabel = (): UserMessage => info(9000322, "Key");

/** How an app gets its key. */
export const totpHelp = (): UserMessage =>
  info(
    9000323,
    "Scan the image with your authenticator app, or enter the key there. Then enter the code that the app shows.",
  );

/** The button that sends the first code of a second factor. */
export const confirmFactor = (): UserMessage => info(9000303, "Confirm");

/** A code of an app that is wrong, or was used. */
export const totpWrong = (): UserMessage =>
  error(
    4000008,
    "That isn't the code your app is showing now. Each code works only once, so wait for the next one.",
  );

/** What can be no code of an app or of a text message. */
export const factorCodeMalformed = (digits: number): UserMessage =>
  error(9000304, `The code has ${digits} digits.`, { digits });

/** The heading of authenticator apps. */
export const totpTitle = (): UserMessage => info(9000305, "Authenticator app");

/** The heading of backup codes. */
export const backupCodesTitle = (): UserMessage => info(9000306, "Backup codes");

/** The button that makes backup codes, where there are none. */
export const makeBackupCodes = (): UserMessage => info(9000307, "Create backup codes");

/** The same, in the place of former ones. */
export const makeOtherBackupCodes = (): UserMessage => info(1050008, "Create new backup codes");

/** How many backup codes are left. */
export const backupCodesLeft = (remaining: number, total: number): UserMessage =>
  info(9000308, `${remaining} of ${total} backup codes left.`, { remaining, total });

/** What to do with backup codes. */
export const keepBackupCodes = (): UserMessage =>
  info(
    9000309,
    "Keep these codes somewhere you can get to without your phone. Each works once in place of your second factor. They won't be shown again.",
  );

/** The backup codes, each on a line. */
export const backupCodes = (codes: readonly string[]): UserMessage =>
  info(1050015, codes.join("\n"), { codes: [...codes] });

/** The button that keeps the backup codes that are shown. */
export const keptBackupCodes = (): UserMessage => info(1050011, "I've saved them");

/** A backup code that is wrong, or was used. */
export const backupCodeWrong = (): UserMessage =>
  error(4000016, "That isn't one of your backup codes, or it has already been used.");

/** What can be no backup code. */
export const backupCodeMalformed = (length: number): UserMessage =>
  error(9000310, `A backup code has ${length} letters and digits.`, { length });

/** What is asked of those who have a second factor and no backup codes. */
export const backupCodesMissing = (): UserMessage =>
  info(
    9000311,
    "Create backup codes, so that you can sign in when you don't have your second factor with you.",
  );

/** The label of the box with which other sessions end. */
export const endOtherSessions = (): UserMessage => info(9000312, "Sign out everywhere else");

/** The heading where one credential is managed. */
export const manageTitle = (kind: CredentialKind, label: string): UserMessage => {
  const name = label === "" ? kindNames[kind] : label;
  return info(9000313, name, { kind, label });
};

/** The label of the name of a credential. */
export const credentialName = (): UserMessage => info(9000314, "Name");

/** The button that shows one credential. */
export const manageLabel = (kind: CredentialKind, label: string): UserMessage => {
  const name = label === "" ? kindNames[kind] : label;
  return info(9000315, `Change or remove: ${name}`, { kind, label });
};

/** When a credential was added. */
export const credentialAdded = (at: Date): UserMessage =>
  info(9000316, `Added on ${dayOf(at)}.`, { time: at.toISOString() });

/** When a credential was last used. */
export const credentialUsed = (at: Date): UserMessage =>
  info(9000324, `Last used on ${dayOf(at)}.`, { time: at.toISOString() });

/** The button that has logins ask for a passkey after another first proof. */
export const askAsWell = (): UserMessage => info(9000325, "Also ask for it after my password");

/** The button that ends that. */
export const askNoMore = (): UserMessage => info(9000326, "Don't ask for it after my password");

/** The button that removes a credential. */
export const removeLabel = (): UserMessage => info(9000317, "Remove");

/** The question before a credential is removed. */
export const removeQuestion = (): UserMessage =>
  info(9000318, "Remove it? You won't be able to sign in with it any more.");

/** A credential without which nobody could sign in. */
export const lastWayIn = (): UserMessage =>
  error(9000319, "This is the only way to sign in to your account. Set up another one first.");

/** A second factor without which the account would have none, where everybody needs one. */
export const lastSecondFactor = (): UserMessage =>
  error(9000640, "Your account needs a second factor, and this is the only one. Set up another one first.");

/** A credential that is there no more. */
export const credentialGone = (): UserMessage => error(9000320, "This was removed in the meantime.");

/** What was to be added signs in to another account. */
export const credentialTaken = (): UserMessage => error(9000321, "This already belongs to another account.");

/** The heading of passkeys. */
export const passkeysTitle = (): UserMessage => info(9000340, "Passkeys");

/** The button that begins to add a passkey. */
export const addPasskey = (): UserMessage => info(9000341, "Add a passkey");

/** The button that makes a passkey, once there are options for it. */
export const makePasskey = (): UserMessage => info(9000342, "Create passkey");

/** The button that signs in with a passkey. */
export const signInWithPasskey = (): UserMessage => info(9000343, "Sign in with a passkey");

/** The button that shows a passkey as the second factor. */
export const usePasskey = (): UserMessage => info(9000344, "Use your passkey");

/** The button that makes an account with a passkey. */
export const signUpWithPasskey = (): UserMessage => info(9000345, "Create account with a passkey");

/** A passkey that did not sign in. The reason is not told. */
export const passkeyRefused = (): UserMessage =>
  error(9000346, "This passkey can't sign you in. Try again, or use another way to sign in.");

/** A passkey that could not be taken up. */
export const passkeyNotMade = (): UserMessage => error(9000347, "The passkey couldn't be added. Try again.");

/** A passkey that the account has already. */
export const passkeyThere = (): UserMessage => error(9000348, "This passkey is already on your account.");

/** The label of the name of a passkey that is added. */
export const passkeyName = (): UserMessage => info(9000349, "Name, to tell it apart from others");

/** The step was sent without the answer of the browser. */
export const passkeyMissing = (): UserMessage => error(9000350, "No passkey was chosen. Try again.");

/** A passkey that has not verified its user, of an account that asks for it beside another proof. */
export const passkeyComesSecond = (): UserMessage =>
  error(
    9000351,
    "This passkey hasn't checked that it's you. Sign in with your password or a code first, then use it.",
  );

/** One passkey more than an account can have. */
export const passkeysTooMany = (most: number): UserMessage =>
  error(9000352, `Your account already has ${most} passkeys. Remove one first.`, { most });

/** The heading of codes by text message. */
export const smsTitle = (): UserMessage => info(9000402, "Codes by text message");

/** The label of the number that codes go to. `country`: whose numbers need no country code; empty if there is none. */
export const smsNumberLabel = (country: string): UserMessage =>
  info(9000403, country === "" ? "Phone number with its country code" : "Phone number", { country });

/** The button that begins with codes by text message, where there are none. */
export const setUpSms = (): UserMessage => info(9000404, "Set up codes by text message");

/** The same, in the place of a former number. */
export const replaceSms = (): UserMessage => info(9000405, "Use a different number");

/** What can be no telephone number. */
export const smsNumberInvalid = (country: string): UserMessage =>
  error(
    9000406,
    country === ""
      ? "Enter a phone number with its country code, for example +49 171 2345678."
      : "Enter a valid phone number. A number from another country begins with + and its country code.",
    { country },
  );

/** A code can be sent. */
export const smsOffered = (number: string): UserMessage =>
  info(9000407, `We can text a code to ${number}.`, { number });

/** The button that sends it. */
export const sendSms = (): UserMessage => info(9000408, "Text me a code");

/** A code was sent. */
export const smsSent = (number: string): UserMessage =>
  info(9000409, `We've texted a code to ${number}.`, { number });

/** A code by text message that is wrong. */
export const smsWrong = (): UserMessage =>
  error(9000410, "That isn't the latest code, or it has expired. Check it, or request a new one.");

/** A number in a country that text messages are not sent to. */
export const smsCountry = (): UserMessage =>
  error(9000411, "We can't send text messages to this country. Use another number, or another way.");

/** The text messages of the day to a country are used up. */
export const smsUsedUp = (): UserMessage =>
  error(
    9000412,
    "We can't send more text messages to this country for now. Use another way, or try again later.",
  );

/** A proof by text message, of an account whose second factor is one as well. */
export const smsComesSecond = (): UserMessage =>
  error(
    9000413,
    "Your second factor is a code by text message, so start with something else, such as your password.",
  );

/** A recovery by text message, of an account whose second factor is one as well. */
export const smsRecoversNothing = (): UserMessage =>
  error(
    9000414,
    "Your second factor is a code by text message, so a text message alone can't recover your account. Use your email address.",
  );
/** The heading where a login offers to make a passkey. */
export const offerTitle = (): UserMessage => info(9000430, "Sign in faster next time");

/** Its subtitle. */
export const offerHelp = (): UserMessage =>
  info(
    9000431,
    "With a passkey you sign in with your fingerprint, your face or your device's PIN. Your password still works.",
  );

/** The button that makes the passkey that a login offers. */
export const makeOfferedPasskey = (): UserMessage => info(9000432, "Create a passkey");

const kindNames: Readonly<Record<CredentialKind, string>> = {
  password: "Password",
  totp: "Authenticator app",
  backup_code: "Backup codes",
  passkey: "Passkey",
  sms: "Codes by text message",
  oidc: "Linked account",
};

function dayOf(time: Date): string {
  return time.toISOString().slice(0, 10);
}
