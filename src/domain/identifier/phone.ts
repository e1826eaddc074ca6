import { createRequire } from "node:module";
import type { CountryCode } from "libphonenumber-js/max";

type PhoneLibrary = typeof import("libphonenumber-js/max");

/**
 * The E.164 form of a telephone number with its country code (`+49 171 2345678`), undefined if it is none that its
 * country's numbering plan knows. Numbers without a country code, with letters or with an extension are refused:
 * what they mean depends on who reads them.
 */
export function toE164(text: string): string | undefined {
  const number = phoneSpelling(text);
  if (number === undefined || number.length > longestPhone) return undefined;
  const phone = library().parsePhoneNumberFromString(number);
  return phone?.isValid() === true && phone.ext === undefined ? phone.number : undefined;
}

/**
 * The E.164 form of a telephone number that people of a country would dial: `0171 2345678`, or `0041 44 668 18 00` with the prefix
 * for calls abroad. Undefined for all else, also for numbers with a plus, which mean the same everywhere. `country` is an ISO
 * 3166-1 code; with an empty one there are no such numbers.
 */
export function nationalToE164(text: string, country: string): string | undefined {
  if (country === "" || text.length > longestText) return undefined;
  const number = plainSpelling(text);
  if (number.length > longestPhone || !looksNational.test(number)) return undefined;
  const phone = library().parsePhoneNumberFromString(number, {
    defaultCountry: country as CountryCode,
    extract: false,
  });
  return phone?.isValid() === true && phone.ext === undefined ? phone.number : undefined;
}

/** A text, with its country code if it is a telephone number of the country without one. */
export function withCountryCode(text: string, country: string): string {
  return nationalToE164(text, country) ?? text;
}

/** Whether there are telephone numbers of a country. */
export function isPhoneCountry(country: string): boolean {
  return library().isSupportedCountry(country);
}

/**
 * The country of a telephone number in E.164, by its ISO 3166-1 code (`DE`); undefined if it belongs to none, as a satellite telephone
 * does.
 */
export function countryOfPhone(number: string): string | undefined {
  return library().parsePhoneNumberFromString(number)?.country;
}

/**
 * The plain spelling of what can only be meant as an international telephone number: a plus, then digits and punctuation.
 * Undefined for all else. Read as people paste it: with the direction marks that contact apps put around a number, with the
 * dashes and blanks of web pages, in full width, and as a `tel:` URI (RFC 3966).
 */
export function phoneSpelling(text: string): string | undefined {
  if (text.length > longestText || !hasPlusOrColon.test(text)) return undefined;
  const plain = plainSpelling(text);
  const number = plain.replace(/^tel:\s*/i, "");
  // A tel: URI is always meant as a number, never as a username.
  return number !== plain || looksLikePhone.test(number) ? number : undefined;
}

function plainSpelling(text: string): string {
  return text
    .replace(invisible, "")
    .normalize("NFKC")
    .replace(dashes, "-")
    .replace(/[\u2044\u2215]/g, "/")
    .replace(/\s+/gu, " ")
    .trim();
}

// In every form that NFKC folds to them; nearly all identifiers have neither.
const hasPlusOrColon = /[+\u207a\u208a\ufb29\ufe62\uff0b:\ufe13\ufe55\uff1a]/u;
const looksLikePhone = /^\(?\+[\p{Nd} ()./-]+$/u;
const looksNational = /^\(?\d[\p{Nd} ()./-]+$/u;
const longestText = 640;
// Longer than any number is with its punctuation (15 digits in E.164).
const longestPhone = 64;
// Direction marks, embeddings and isolates; zero-width blanks and joiners; the soft hyphen.
const invisible = /[\u061c\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\u00ad]/gu;
// Every dash of Unicode, the minus sign, and the long-vowel mark that Japanese keyboards give for a dash.
const dashes = /[\p{Pd}\u2212\u30fc]/gu;

const require = createRequire(import.meta.url);
let loaded: PhoneLibrary | undefined;

/**
 * The library with the numbering plans that know each type of number: the smaller ones take numbers that are too short.
 * Read on first use, since start-up need not pay for it.
 */
function library(): PhoneLibrary {
  loaded ??= require("libphonenumber-js/max") as PhoneLibrary;
  return loaded;
}
