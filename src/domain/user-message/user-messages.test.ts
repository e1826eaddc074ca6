import { describe, expect, test } from "vitest";
import * as accountMessages from "./account-messages.ts";
import * as actionMessages from "./action-messages.ts";
import * as factorMessages from "./factor-messages.ts";
import * as oauth2Messages from "./oauth2-messages.ts";
import * as providerMessages from "./provider-messages.ts";
import * as stageMessages from "./stage-messages.ts";
import * as traitMessages from "./trait-messages.ts";
import * as messages from "./user-messages.ts";

const text = { text: "Name", translations: {} };

/** The number of a message, whatever it is made of. */
function numberOf(make: (...values: never[]) => messages.UserMessage): number {
  for (const value of ["a", ["a"], new Date(0)]) {
    try {
      return make(...([value, ""] as never[])).id;
    } catch {
      // It is made of another kind of value.
    }
  }
  throw new Error(`${make.name} is made of something else`);
}

describe("message numbers", () => {
  test("of required actions never change", () => {
    const { actionAsked, actionPending, ...others } = actionMessages;
    const kinds = [
      "set_password",
      "verify_address",
      "complete_traits",
      "enrol_factor",
      "accept_terms",
    ] as const;
    expect(kinds.map((kind) => [actionAsked(kind).id, actionPending(kind).id])).toEqual([
      [9000601, 9000611],
      [9000602, 9000612],
      [9000603, 9000613],
      [9000604, 9000614],
      [9000605, 9000615],
    ]);
    const numbers = Object.entries(others).map(([name, make]) => [name, numberOf(make)]);
    expect(Object.fromEntries(numbers)).toEqual({
      oneThingFirst: 9000600,
      sendCodeTo: 9000606,
      termsLink: 9000607,
      acceptTerms: 9000608,
      termsTitle: 9000609,
      allDone: 9000610,
    });
  });

  test("of logins for an OAuth2 server never change", () => {
    const numbers = Object.entries(oauth2Messages).map(([name, make]) => [name, numberOf(make)]);
    expect(Object.fromEntries(numbers)).toEqual({
      handOverTitle: 9000620,
      handOverHelp: 9000621,
      handOverAgain: 9000622,
      handOverFailed: 9000623,
    });
  });

  test("of accounts at other providers never change", () => {
    const numbers = Object.entries(providerMessages).map(([name, make]) => [name, numberOf(make)]);
    expect(Object.fromEntries(numbers)).toMatchInlineSnapshot(`
      {
        "accountsTooMany": 9000713,
        "almostThereHelp": 9000708,
        "almostThereTitle": 9000707,
        "continueWith": 1010002,
        "createAccountLabel": 9000709,
        "lastUsed": 9000712,
        "linkProvider": 1050002,
        "notLinked": 9000705,
        "otherAccount": 9000706,
        "proveToLink": 9000701,
        "providerAnswerInvalid": 9000704,
        "providerAway": 9000711,
        "providerDenied": 9000703,
        "providerGone": 9000710,
        "providerUnavailable": 9000702,
        "providersTitle": 9000700,
      }
    `);
  });

  test("of traits never change", () => {
    const { ownSentence, linkLabel, ...others } = traitMessages;
    expect([ownSentence(text, "", { pattern: "a" }).id, linkLabel(text, "").id]).toEqual([9000122, 9000124]);
    const numbers = Object.entries(others).map(([name, make]) => [name, numberOf(make)]);
    expect(Object.fromEntries(numbers)).toEqual({
      notANumber: 9000110,
      notAWholeNumber: 9000111,
      ambiguousNumber: 9000112,
      notAbove: 9000113,
      notBelow: 9000114,
      notAMultiple: 9000115,
      notAChoice: 9000116,
      consentMissing: 9000117,
      tooFewItems: 9000118,
      tooManyItems: 9000119,
      duplicateItems: 9000121,
      traitsTooLarge: 9000123,
      invalidPhoneOf: 9000125,
      unreachableEmail: 9000126,
      bouncedEmail: 9000127,
    });
  });

  test("of addresses never change", () => {
    const numbers = Object.entries(accountMessages).map(([name, make]) => [name, numberOf(make)]);
    expect(Object.fromEntries(numbers)).toEqual({
      anotherAddressLabel: 9000751,
      addressesTitle: 9000752,
      addressName: 9000753,
      addressPrimary: 9000754,
      addressVerified: 9000755,
      addressUnverified: 9000756,
      addressPending: 9000757,
      verifyAddressLink: 9000758,
      newPasswordLabel: 9000759,
    });
  });

  test("of factors never change", () => {
    const numbers = Object.entries(factorMessages).map(([name, make]) => [name, numberOf(make)]);
    expect(Object.fromEntries(numbers)).toMatchInlineSnapshot(`
      {
        "addPasskey": 9000341,
        "askAsWell": 9000325,
        "askNoMore": 9000326,
        "backupCodeLabel": 1010007,
        "backupCodeMalformed": 9000310,
        "backupCodeWrong": 4000016,
        "backupCodes": 1050015,
        "backupCodesLeft": 9000308,
        "backupCodesMissing": 9000311,
        "backupCodesTitle": 9000306,
        "confirmFactor": 9000303,
        "credentialAdded": 9000316,
        "credentialGone": 9000320,
        "credentialName": 9000314,
        "credentialTaken": 9000321,
        "credentialUsed": 9000324,
        "endOtherSessions": 9000312,
        "factorCodeMalformed": 9000304,
        "keepBackupCodes": 9000309,
        "keptBackupCodes": 1050011,
        "lastSecondFactor": 9000640,
        "lastWayIn": 9000319,
        "makeBackupCodes": 9000307,
        "makeOfferedPasskey": 9000432,
        "makeOtherBackupCodes": 1050008,
        "makePasskey": 9000342,
        "manageLabel": 9000315,
        "manageTitle": 9000313,
        "offerHelp": 9000431,
        "offerTitle": 9000430,
        "passkeyComesSecond": 9000351,
        "passkeyMissing": 9000350,
        "passkeyName": 9000349,
        "passkeyNotMade": 9000347,
        "passkeyRefused": 9000346,
        "passkeyThere": 9000348,
        "passkeysTitle": 9000340,
        "passkeysTooMany": 9000352,
        "removeLabel": 9000317,
        "removeQuestion": 9000318,
        "replaceSms": 9000405,
        "replaceTotp": 9000302,
        "sendSms": 9000408,
        "setUpSms": 9000404,
        "setUpTotp": 9000301,
        "signInWithPasskey": 9000343,
        "signUpWithPasskey": 9000345,
        "smsComesSecond": 9000413,
        "smsCountry": 9000411,
        "smsNumberInvalid": 9000406,
        "smsNumberLabel": 9000403,
        "smsOffered": 9000407,
        "smsRecoversNothing": 9000414,
        "smsSent": 9000409,
        "smsTitle": 9000402,
        "smsUsedUp": 9000412,
        "smsWrong": 9000410,
        "totpHelp": 9000323,
        "totpImage": 1050005,
        "totpKey": 1050006,
        "totpKeyLabel": 9000322,
        "totpLabel": 1010006,
        "totpTitle": 9000305,
        "totpWrong": 4000008,
        "usePasskey": 9000344,
      }
    `);
  });

  test("never change", () => {
    expect({
      signInWithPassword: messages.signInWithPassword().id,
      signUp: messages.signUp().id,
      passwordLabel: messages.passwordLabel().id,
      choiceLabel: messages.choiceLabel(text, "traits.x", 1).id,
      traitHelp: messages.traitHelp(text, "traits.x").id,
      traitExample: messages.traitExample("a", "traits.x").id,
      accountOf: messages.accountOf("Ada").id,
      profileTitle: messages.profileTitle().id,
      passwordTitle: messages.passwordTitle().id,
      deletionTitle: messages.deletionTitle().id,
      deletionQuestion: messages.deletionQuestion(1).id,
      goOnLabel: messages.goOnLabel().id,
      ...Object.fromEntries(Object.entries(stageMessages).map(([name, make]) => [name, make("a").id])),
      titleLabel: messages.titleLabel(text, "traits.name").id,
      identifierLabel: messages.identifierLabel([]).id,
      invalidValue: messages.invalidValue("why").id,
      required: messages.required("email").id,
      tooShort: messages.tooShort(2, 1).id,
      wrongFormat: messages.wrongFormat("^a$").id,
      invalidCredentials: messages.invalidCredentials().id,
      duplicateIdentifier: messages.duplicateIdentifier().id,
      identifierMissing: messages.identifierMissing().id,
      tooLong: messages.tooLong(1, 2).id,
      belowMinimum: messages.belowMinimum(1).id,
      aboveMaximum: messages.aboveMaximum(1).id,
      wrongType: messages.wrongType("string").id,
      passwordTooSimilar: messages.passwordTooSimilar().id,
      passwordTooShort: messages.passwordTooShort(8, 1).id,
      passwordTooLong: messages.passwordTooLong(64, 65).id,
      passwordBreached: messages.passwordBreached(2).id,
      passwordUnchanged: messages.passwordUnchanged().id,
      invalidEmail: messages.invalidEmail().id,
      invalidPhone: messages.invalidPhone().id,
      invalidDate: messages.invalidDate("born").id,
      invalidDateTime: messages.invalidDateTime("seen").id,
      invalidTime: messages.invalidTime("at").id,
      invalidUri: messages.invalidUri("site").id,
      invalidFormat: messages.invalidFormat("id", "uuid").id,
      numberTooLarge: messages.numberTooLarge(1).id,
      userNameIsEmail: messages.userNameIsEmail().id,
      userNameIsPhone: messages.userNameIsPhone().id,
      forbiddenCharacter: messages.forbiddenCharacter().id,
      passwordTooCommon: messages.passwordTooCommon().id,
      unknownProperty: messages.unknownProperty("x").id,
      addressLabel: messages.addressLabel().id,
      continueLabel: messages.continueLabel().id,
      resendLabel: messages.resendLabel("code").id,
      saveLabel: messages.saveLabel().id,
      resumeLabel: messages.resumeLabel().id,
      secondFactor: messages.secondFactor().id,
      confirmIdentity: messages.confirmIdentity().id,
      settingsSaved: messages.settingsSaved().id,
      recoverySucceeded: messages.recoverySucceeded().id,
      tooManyTries: messages.tooManyTries().id,
      resendTooEarly: messages.resendTooEarly().id,
      malformedCode: messages.malformedCode(6, 20).id,
      invalidAddress: messages.invalidAddress().id,
      invitationGone: messages.invitationGone().id,
      traitsMismatch: messages.traitsMismatch().id,
      oneAddressAtATime: messages.oneAddressAtATime().id,
      oneAddressForLink: messages.oneAddressForLink().id,
      noCodeSignIn: messages.noCodeSignIn().id,
      notForOwner: messages.notForOwner().id,
      accountNotFound: messages.accountNotFound().id,
      deletionScheduled: messages.deletionScheduled(new Date(0)).id,
      deleteAccountLabel: messages.deleteAccountLabel().id,
      keepAccountLabel: messages.keepAccountLabel().id,
      deletionWarning: messages.deletionWarning(1).id,
      "deletionWarning without grace": messages.deletionWarning(0).id,
      signInAs: messages.signInAs("ada").id,
      claimAccount: messages.claimAccount("ada@example.com").id,
      claimLabel: messages.claimLabel().id,
      disownLabel: messages.disownLabel().id,
      claimEnded: messages.claimEnded().id,
      recoveryOnHold: messages.recoveryOnHold(new Date(0)).id,
      stopRecovery: messages.stopRecovery("ada@example.com", new Date(0)).id,
      stopRecoveryLabel: messages.stopRecoveryLabel().id,
      recoveryIsOver: messages.recoveryIsOver().id,
      addressNotOffered: messages.addressNotOffered().id,
      recoveryNameLabel: messages.recoveryNameLabel().id,
      chooseAddressLabel: messages.chooseAddressLabel().id,
      anotherIdentifier: messages.anotherIdentifier("ada").id,
      ...Object.fromEntries(
        (["login", "registration", "verification", "recovery", "settings"] as const).flatMap((flow) => [
          [`sendCode ${flow}`, messages.sendCode(flow).id],
          [`sendLink ${flow}`, messages.sendLink(flow).id],
          [`codeLabel ${flow}`, messages.codeLabel(flow).id],
          [`backLabel ${flow}`, messages.backLabel(flow).id],
          [`codeSent ${flow}`, messages.codeSent(flow, "a").id],
          [`linkSent ${flow}`, messages.linkSent(flow, "a").id],
          [`confirmLink ${flow}`, messages.confirmLink(flow, "a").id],
          [`invalidCode ${flow}`, messages.invalidCode(flow).id],
          [`invalidLink ${flow}`, messages.invalidLink(flow).id],
        ]),
      ),
    }).toMatchInlineSnapshot(`
      {
        "aboveMaximum": 4000020,
        "accountNotFound": 4000037,
        "accountOf": 9000208,
        "addressLabel": 1070018,
        "addressNotOffered": 9000041,
        "anotherIdentifier": 9000044,
        "backLabel login": 9000013,
        "backLabel recovery": 1060007,
        "backLabel registration": 1040008,
        "backLabel settings": 9000013,
        "backLabel verification": 9000013,
        "belowMinimum": 4000018,
        "choiceLabel": 9000201,
        "chooseAddressHelp": 9000230,
        "chooseAddressLabel": 9000043,
        "chooseAddressTitle": 9000229,
        "claimAccount": 9000090,
        "claimEnded": 9000093,
        "claimHelp": 9000232,
        "claimLabel": 9000091,
        "claimTitle": 9000231,
        "codeLabel login": 1070013,
        "codeLabel recovery": 1070010,
        "codeLabel registration": 1070012,
        "codeLabel settings": 1070011,
        "codeLabel verification": 1070011,
        "codeSent login": 1010014,
        "codeSent recovery": 1060003,
        "codeSent registration": 1040005,
        "codeSent settings": 9000015,
        "codeSent verification": 1080003,
        "codeTitle": 9000216,
        "confirmAgain": 9000215,
        "confirmIdentity": 1010003,
        "confirmLink login": 9000017,
        "confirmLink recovery": 9000018,
        "confirmLink registration": 9000030,
        "confirmLink settings": 9000019,
        "confirmLink verification": 9000019,
        "confirmSecond": 9000214,
        "confirmTitle": 9000213,
        "continueLabel": 1070009,
        "deleteAccountLabel": 9000051,
        "deletionQuestion": 9000207,
        "deletionScheduled": 9000050,
        "deletionTitle": 9000206,
        "deletionWarning": 9000053,
        "deletionWarning without grace": 9000054,
        "disownLabel": 9000092,
        "duplicateIdentifier": 4000007,
        "forbiddenCharacter": 9000108,
        "goOnLabel": 9000209,
        "identifierLabel": 9000200,
        "identifierMissing": 4000009,
        "invalidAddress": 9000023,
        "invalidCode login": 4010008,
        "invalidCode recovery": 4060006,
        "invalidCode registration": 4040003,
        "invalidCode settings": 4070006,
        "invalidCode verification": 4070006,
        "invalidCredentials": 4000006,
        "invalidDate": 9000100,
        "invalidDateTime": 9000102,
        "invalidEmail": 4000040,
        "invalidFormat": 9000105,
        "invalidLink login": 9000020,
        "invalidLink recovery": 4060004,
        "invalidLink registration": 9000020,
        "invalidLink settings": 9000020,
        "invalidLink verification": 4070001,
        "invalidPhone": 4000041,
        "invalidTime": 9000103,
        "invalidUri": 9000104,
        "invalidValue": 4000001,
        "invitationGone": 9000060,
        "keepAccountLabel": 9000052,
        "linkSent login": 9000016,
        "linkSent recovery": 1060002,
        "linkSent registration": 9000032,
        "linkSent settings": 9000016,
        "linkSent verification": 1080001,
        "linkTitle": 9000218,
        "lookForCode": 9000217,
        "lookForLink": 9000219,
        "malformedCode": 9000120,
        "newSecretHelp": 9000236,
        "newSecretTitle": 9000235,
        "newWayTitle": 9000415,
        "noCodeSignIn": 4000035,
        "noSecret": 9000416,
        "notForOwner": 9000070,
        "numberTooLarge": 9000101,
        "onHoldHelp": 9000461,
        "onHoldTitle": 9000460,
        "oneAddressAtATime": 4050002,
        "oneAddressForLink": 9000033,
        "oneMoreClick": 9000220,
        "passwordBreached": 4000034,
        "passwordLabel": 1070001,
        "passwordTitle": 9000205,
        "passwordTooCommon": 9000001,
        "passwordTooLong": 4000033,
        "passwordTooShort": 4000032,
        "passwordTooSimilar": 4000031,
        "passwordUnchanged": 9000616,
        "profileTitle": 9000204,
        "recoverName": 9000228,
        "recoverTitle": 9000227,
        "recoveryIsOver": 9000467,
        "recoveryNameLabel": 9000042,
        "recoveryOnHold": 9000464,
        "recoverySucceeded": 1060001,
        "required": 4000002,
        "resendLabel": 1070008,
        "resendTooEarly": 9000022,
        "resumeLabel": 9000014,
        "saveLabel": 1070003,
        "secondFactor": 1010004,
        "sendCode login": 1010015,
        "sendCode recovery": 9000010,
        "sendCode registration": 1040006,
        "sendCode settings": 9000010,
        "sendCode verification": 9000010,
        "sendLink login": 9000011,
        "sendLink recovery": 9000012,
        "sendLink registration": 9000031,
        "sendLink settings": 9000012,
        "sendLink verification": 9000012,
        "settingsHelp": 9000234,
        "settingsSaved": 1050001,
        "settingsTitle": 9000233,
        "signInAs": 9000040,
        "signInIdentifier": 9000211,
        "signInLink": 9000417,
        "signInMethod": 9000212,
        "signInTitle": 9000210,
        "signInWithPassword": 1010022,
        "signUp": 1040001,
        "signUpMethod": 9000223,
        "signUpMethodNext": 9000224,
        "signUpProfile": 9000222,
        "signUpTitle": 9000221,
        "stopRecovery": 9000465,
        "stopRecoveryHelp": 9000463,
        "stopRecoveryLabel": 9000466,
        "stopRecoveryTitle": 9000462,
        "titleLabel": 1070002,
        "tooLong": 4000017,
        "tooManyTries": 9000021,
        "tooShort": 4000003,
        "traitExample": 9000203,
        "traitHelp": 9000202,
        "traitsMismatch": 4000036,
        "unknownProperty": 9000002,
        "userNameIsEmail": 9000106,
        "userNameIsPhone": 9000107,
        "verifyAddress": 9000226,
        "verifyTitle": 9000225,
        "wrongFormat": 4000004,
        "wrongType": 4000026,
      }
    `);
  });

  test("differ from each other", () => {
    const ids = [
      messages.signUp(),
      messages.required("a"),
      messages.invalidCredentials(),
      messages.tooShort(1, 0),
    ];
    expect(new Set(ids.map((message) => message.id)).size).toBe(ids.length);
  });
});

describe("the label of what people sign in with", () => {
  const title = (name: string, translations: Record<string, string> = {}) => ({ text: name, translations });

  test("has all titles, with the word between them in each language that one of them has", () => {
    const { text: said, translations } = messages.identifierLabel([
      title("Email", { de: "E-Mail", fr: "Courriel" }),
      title("Phone", { de: "Telefon" }),
      title("Nickname"),
    ]);
    expect(said).toBe("Email, phone or nickname");
    expect(translations).toEqual({
      de: "E-Mail, Telefon oder Nickname",
      fr: "Courriel, phone ou nickname",
    });
  });

  test("is there also where a language is none", () => {
    const { translations } = messages.identifierLabel([title("A", { "aa-b": "B" }), title("C")]);
    expect(translations).toEqual({ "aa-b": "B or C" });
  });
});
