import { createRequire } from "node:module";

type PhoneLibrary = typeof import("libphonenumber-js/min");

/**
 * The E.164 form of a telephone number with its country code (`+49 171 2345678`), undefined if it is none that its
 * country's numbering plan knows. Numbers without a country code, with letters or with an extension are refused:
 * what they mean depends on who reads them.
 */
export function toE164(text: string): string | undefined {
  if (!looksLikePhone(text) || text.length > longestPhone) return undefined;
  const phone = library().parsePhoneNumberFromString(text);
  return phone?.isValid() === true && phone.ext === undefined ? phone.number : undefined;
}

/** Whether a text can only be meant as an international telephone number: a plus, then digits and punctuation. */
export function looksLikePhone(text: string): boolean {
  return /^\(?\+[\p{Nd} ()./-]+$/u.test(text);
}

// Longer than any number is with its punctuation (15 digits in E.164).
const longestPhone = 64;

const require = createRequire(import.meta.url);
let loaded: PhoneLibrary | undefined;

/** The library with the smallest numbering plans; read on first use, since start-up need not pay for it. */
function library(): PhoneLibrary {
  loaded ??= require("libphonenumber-js/min") as PhoneLibrary;
  return loaded;
}
