import * as factor from "../../domain/user-message/factor-messages.ts";
import { handOverFailed } from "../../domain/user-message/oauth2-messages.ts";
import * as provider from "../../domain/user-message/provider-messages.ts";
import * as trait from "../../domain/user-message/trait-messages.ts";
import * as texts from "../../domain/user-message/user-messages.ts";
import type { PreviewState } from "../preview-state.ts";

/**
 * What a form says once something was not accepted: the state that it is said in, the field that it stands at, and the message. Without
 * a field it stands above the form. A new message that no other state shows gets a line here.
 */
const said: readonly (readonly [state: string, field: string, message: texts.UserMessage])[] = [
  [
    "registration/fill-form-rich",
    "traits.username",
    texts.invalidValue("must be one of the values that are allowed"),
  ],
  ["registration/fill-form-rich", "traits.username", texts.wrongFormat("^[a-z]+$")],
  [
    "registration/fill-form-rich",
    "traits.username",
    trait.ownSentence(
      { text: "Use small letters.", translations: { de: "Nehmen Sie Kleinbuchstaben." } },
      "traits.username",
      { pattern: "^[a-z]+$" },
    ),
  ],
  ["registration/fill-form-rich", "traits.username", texts.userNameIsEmail()],
  ["registration/fill-form-rich", "traits.username", texts.userNameIsPhone()],
  ["registration/fill-form-rich", "traits.username", texts.forbiddenCharacter()],
  ["registration/fill-form-rich", "traits.name.given", texts.wrongType("string")],
  ["registration/fill-form-rich", "traits.quiet_from", texts.invalidTime("quiet_from")],
  ["registration/fill-form-rich", "traits.website", texts.invalidFormat("website", "hostname")],
  ["registration/fill-form-rich", "traits.phone", trait.invalidPhoneOf("CH")],
  ["registration/fill-form-rich", "traits.email", trait.unreachableEmail()],
  ["registration/fill-form-rich", "traits.email", trait.bouncedEmail()],
  ["registration/fill-form-rich", "traits.height", trait.notANumber()],
  ["registration/fill-form-rich", "traits.height", trait.ambiguousNumber()],
  ["registration/fill-form-rich", "traits.height", trait.notAbove(0.5)],
  ["registration/fill-form-rich", "traits.height", trait.notBelow(2.5)],
  ["registration/fill-form-rich", "traits.height", trait.notAMultiple(0.01)],
  ["registration/fill-form-rich", "traits.guests", trait.notAWholeNumber()],
  ["registration/fill-form-rich", "traits.guests", texts.numberTooLarge(Number.MAX_SAFE_INTEGER)],
  ["registration/fill-form-rich", "traits.plan", trait.notAChoice()],
  ["registration/fill-form-rich", "traits.pets", trait.tooFewItems(1)],
  ["registration/fill-form-rich", "traits.pets", trait.tooManyItems(5)],
  ["registration/fill-form-rich", "traits.pets", trait.duplicateItems()],
  ["registration/fill-form-rich", "", trait.traitsTooLarge()],
  ["registration/fill-form-rich", "", texts.unknownProperty("nickname")],
  ["registration/fill-form-rich", "", texts.identifierMissing()],
  ["registration/fill-form", "password.password", texts.passwordTooSimilar()],
  ["registration/fill-form", "password.password", texts.passwordTooLong(256, 300)],
  ["registration/fill-form", "password.password", texts.passwordBreached(37359195)],
  ["registration/fill-form", "", texts.invitationGone()],
  ["registration/fill-form", "", texts.oneAddressForLink()],
  ["registration/enter-code", "", texts.traitsMismatch()],
  ["registration/enter-code", "code.code", texts.invalidCode("registration")],
  ["registration/make-passkey", "", factor.passkeyNotMade()],
  ["registration/make-passkey", "passkey.response", factor.passkeyMissing()],
  ["login/one-step", "identifier", texts.noCodeSignIn()],
  ["login/one-step", "", factor.passkeyRefused()],
  ["login/one-step", "", factor.passkeyComesSecond()],
  ["login/one-step", "", factor.smsComesSecond()],
  ["login/one-step", "", factor.smsCountry()],
  ["login/one-step", "", factor.smsUsedUp()],
  ["login/one-step", "", provider.providerUnavailable("Google")],
  ["login/one-step", "", provider.providerDenied("Google")],
  ["login/one-step", "", provider.providerAnswerInvalid("Google")],
  ["login/one-step", "", provider.notLinked("Google")],
  ["login/refresh", "", provider.otherAccount("Google")],
  ["login/choose-method", "", texts.anotherIdentifier("ada@example.com")],
  ["login/enter-code", "code.code", texts.tooManyTries()],
  ["login/enter-code", "code.code", texts.malformedCode(6, 12)],
  ["login/enter-code", "", texts.resendTooEarly()],
  ["login/confirm-link", "", texts.invalidLink("login")],
  ["login/second-factor-app", "totp.code", factor.totpWrong()],
  ["login/second-factor-app", "totp.code", factor.factorCodeMalformed(6)],
  ["login/second-factor-backup-code", "backupCode.code", factor.backupCodeWrong()],
  ["login/second-factor-backup-code", "backupCode.code", factor.backupCodeMalformed(12)],
  ["login/second-factor-sms-sent", "sms.code", factor.smsWrong()],
  ["login/set-password", "password.password", texts.passwordUnchanged()],
  ["login/hand-over", "", handOverFailed()],
  ["verification/choose-method", "address", texts.invalidAddress()],
  ["verification/choose-method", "address", texts.accountNotFound()],
  ["verification/enter-code", "code.code", texts.invalidCode("verification")],
  ["verification/confirm-link", "", texts.invalidLink("verification")],
  ["verification/choose-method", "", texts.claimEnded()],
  ["recovery/choose-address", "sendCode.addressId", texts.addressNotOffered()],
  ["recovery/enter-code", "code.code", texts.invalidCode("recovery")],
  ["recovery/enter-code", "", factor.smsRecoversNothing()],
  ["recovery/confirm-link", "", texts.invalidLink("recovery")],
  ["recovery/choose-method", "", texts.recoveryIsOver()],
  ["settings/change-settings", "traits.name", texts.notForOwner()],
  ["settings/change-settings", "", texts.oneAddressAtATime()],
  ["settings/change-settings-new", "sms.phoneNumber", factor.smsNumberInvalid("")],
  ["settings/change-settings", "", factor.lastSecondFactor()],
  ["settings/change-settings", "", factor.lastWayIn()],
  ["settings/change-settings", "", factor.credentialGone()],
  ["settings/change-settings", "", factor.credentialTaken()],
  ["settings/change-settings", "", factor.passkeysTooMany(50)],
  ["settings/change-settings", "", provider.accountsTooMany(10)],
  ["settings/set-up-passkey", "", factor.passkeyThere()],
];

/** The states of what is said, by the numbers of the messages. `states`: those that they are said in. */
export function messageStates(states: readonly PreviewState[]): readonly PreviewState[] {
  return said.map(([name, field, message]) => {
    const base = states.find((each) => each.name === name);
    if (base?.shows.kind !== "flow") throw new Error(`no flow is shown in the state ${name}`);
    const { page, shows } = base;
    const problems =
      field === "" ? { fields: [], form: [message] } : { fields: [{ name: field, message }], form: [] };
    const flow = async () => ({ ...(await shows.flow()), rejected: { problems } });
    return { name: `message/${message.id}`, page, title: message.text, shows: { kind: "flow", flow } };
  });
}
