import { describe, expect, test } from "vitest";
import * as messages from "./message.ts";

describe("message numbers", () => {
  test("never change", () => {
    expect({
      signInWithPassword: messages.signInWithPassword().id,
      signUp: messages.signUp().id,
      passwordLabel: messages.passwordLabel().id,
      titleLabel: messages.titleLabel("Name").id,
      identifierLabel: messages.identifierLabel().id,
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
      invalidEmail: messages.invalidEmail().id,
      invalidPhone: messages.invalidPhone().id,
      passwordTooCommon: messages.passwordTooCommon().id,
      unknownProperty: messages.unknownProperty("x").id,
    }).toMatchInlineSnapshot(`
      {
        "aboveMaximum": 4000020,
        "belowMinimum": 4000018,
        "duplicateIdentifier": 4000007,
        "identifierLabel": 1070004,
        "identifierMissing": 4000009,
        "invalidCredentials": 4000006,
        "invalidEmail": 4000040,
        "invalidPhone": 4000041,
        "invalidValue": 4000001,
        "passwordBreached": 4000034,
        "passwordLabel": 1070001,
        "passwordTooCommon": 9000001,
        "passwordTooLong": 4000033,
        "passwordTooShort": 4000032,
        "passwordTooSimilar": 4000031,
        "required": 4000002,
        "signInWithPassword": 1010022,
        "signUp": 1040001,
        "titleLabel": 1070002,
        "tooLong": 4000017,
        "tooShort": 4000003,
        "unknownProperty": 9000002,
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
