import type { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { isEmailAddress, maxEmailBytes } from "../identifier/normalise.ts";
import { toE164 } from "../identifier/phone.ts";

/** A loose form of email addresses: text on both sides of an @, and nothing that breaks a header. */
const looseEmail = /^[^\s\p{C}@]+@[^\s\p{C}@]+$/u;

/**
 * Adds the formats that traits may have: those of JSON Schema, `tel` (a telephone number with its country code),
 * `email` as identifiers know it, and Kratos' `no-validate` and `email_loose`.
 */
export function addTraitFormats(ajv: Ajv): void {
  addFormats.default(ajv, { mode: "full" });
  ajv.addFormat("email", { type: "string", validate: isEmailAddress });
  ajv.addFormat("idn-email", { type: "string", validate: isEmailAddress });
  ajv.addFormat("email_loose", {
    type: "string",
    validate: (text) => Buffer.byteLength(text) <= maxEmailBytes && looseEmail.test(text),
  });
  ajv.addFormat("tel", { type: "string", validate: (text) => toE164(text) !== undefined });
  ajv.addFormat("no-validate", true);
}
