import type { JsonObject } from "../json.ts";

/** A sentence for people with a permanent number to translate it by. */
export interface Message {
  readonly id: number;
  readonly type: "info" | "error" | "success";
  readonly text: string;
  /** The values within the sentence. */
  readonly context: JsonObject;
}

/*
 * The numbers are those of Ory Kratos where the meaning is the same, so that existing translations work.
 * Ostiary's own begin at 9000000. A number never changes its meaning; message.test.ts freezes them.
 */

/** "Sign in", on the button of the password method. */
export function signInWithPassword(): Message {
  return info(1010022, "Sign in with password");
}

/** "Sign up", on the button of the password method. */
export function signUp(): Message {
  return info(1040001, "Sign up");
}

/** The label of a password field. */
export function passwordLabel(): Message {
  return info(1070001, "Password");
}

/** A label taken from the identity schema. */
export function titleLabel(title: string): Message {
  return info(1070002, title, { title });
}

/** The label of the field for whatever somebody signs in with. */
export function identifierLabel(): Message {
  return info(1070004, "ID");
}

/** A value that breaks a rule for which there is no message of its own. */
export function invalidValue(reason: string): Message {
  return error(4000001, reason, { reason });
}

/** A required field is empty or missing. */
export function required(property: string): Message {
  return error(4000002, `Property ${property} is missing.`, { property });
}

/** A text is too short. */
export function tooShort(minimum: number, actual: number): Message {
  return error(4000003, `Must have at least ${minimum} characters, not ${actual}.`, {
    min_length: minimum,
    actual_length: actual,
  });
}

/** A text does not have the form that the schema asks for. */
export function wrongFormat(pattern: string): Message {
  return error(4000004, `Does not match the pattern "${pattern}".`, { pattern });
}

/** The identifier or the secret is wrong; does not say which. */
export function invalidCredentials(): Message {
  return error(
    4000006,
    "The provided credentials are invalid, check for spelling mistakes in your password or identifier.",
  );
}

/** Another account has this identifier. */
export function duplicateIdentifier(): Message {
  return error(4000007, "An account with the same identifier (email, phone, username, ...) exists already.");
}

/** The traits hold nothing to sign in with. */
export function identifierMissing(): Message {
  return error(4000009, "Could not find any login identifiers. Did you forget to fill them in?");
}

/** A text is too long. */
export function tooLong(maximum: number, actual: number): Message {
  return error(4000017, `Must have at most ${maximum} characters, not ${actual}.`, {
    max_length: maximum,
    actual_length: actual,
  });
}

/** A number is below its minimum. */
export function belowMinimum(minimum: number): Message {
  return error(4000018, `Must be at least ${minimum}.`, { minimum });
}

/** A number is above its maximum. */
export function aboveMaximum(maximum: number): Message {
  return error(4000020, `Must be at most ${maximum}.`, { maximum });
}

/** A value is of another type than the schema asks for. */
export function wrongType(expected: string): Message {
  return error(4000026, `Must be of the type ${expected}.`, { allowed_types: [expected] });
}

/** The password is too much like the identifier or another trait. */
export function passwordTooSimilar(): Message {
  return error(4000031, "The password cannot be used because it is too similar to the identifier.");
}

/** The password is too short. */
export function passwordTooShort(minimum: number, actual: number): Message {
  return error(4000032, `The password must be at least ${minimum} characters long, but got ${actual}.`, {
    min_length: minimum,
    actual_length: actual,
  });
}

/** The password is too long. */
export function passwordTooLong(maximum: number, actual: number): Message {
  return error(4000033, `The password must be at most ${maximum} characters long, but got ${actual}.`, {
    max_length: maximum,
    actual_length: actual,
  });
}

/** The password is known from breaches. */
export function passwordBreached(count: number): Message {
  const text = "The password has been found in data breaches and must no longer be used.";
  return error(4000034, text, { breaches: count });
}

/** Not an e-mail address. */
export function invalidEmail(): Message {
  return error(4000040, "Enter a valid email address.");
}

/** Not a telephone number. */
export function invalidPhone(): Message {
  return error(4000041, "Enter a valid phone number with its country code, for example +41 44 668 18 00.");
}

/** The password is on the list of common passwords. */
export function passwordTooCommon(): Message {
  return error(9000001, "The password cannot be used because many people use it, so it is easy to guess.");
}

/** A property that the schema does not know. */
export function unknownProperty(property: string): Message {
  return error(9000002, `Property ${property} is not allowed.`, { property });
}

function info(id: number, text: string, context: JsonObject = {}): Message {
  return { id, type: "info", text, context };
}

function error(id: number, text: string, context: JsonObject = {}): Message {
  return { id, type: "error", text, context };
}
