/**
 * How identifiers are made equal. The form is decided by the look of the text alone, so that registration, which
 * knows the schema, and login, which does not, always agree: what has an `@` is an e-mail address, what is a plus
 * with digits and punctuation is a telephone number, all else a username.
 *
 * - Unicode NFKC (which also folds full-width and half-width forms), then the locale-independent lower case of
 *   Unicode (`toLowerCase`, never `toLocaleLowerCase`: the Turkish dotless i would make the form depend on the
 *   machine), repeated until nothing changes. In usernames the final sigma is folded to the other one, so that
 *   upper and lower case of a Greek name are one.
 * - Surrounding white space is cut off; runs of it within a username count as one space.
 * - Characters that nobody can see, type or tell apart are refused, not removed: control characters, everything
 *   Unicode lets a renderer ignore (zero-width, soft hyphen, variation selectors, tags, fillers), bidi controls,
 *   private use, unassigned, lone surrogates. Zero-width joiners are among them, also where a script uses them.
 * - Letters of several scripts that look alike (Latin and Cyrillic a) are two identifiers and are not refused:
 *   names in several scripts are ordinary, and a list of confusables would lock their owners out.
 */
import { domainToASCII, domainToUnicode } from "node:url";
import { looksLikePhone, toE164 } from "./phone.ts";

/** The longest identifier, in characters (Unicode code points), before and after normalisation. */
export const maxIdentifierLength = 320;

/** An identifier in the one form that it is stored and searched in. */
export interface NormalisedIdentifier {
  readonly kind: "email" | "phone" | "username";
  readonly value: string;
}

/** Why a text cannot be an identifier. */
export interface IdentifierProblem {
  readonly kind: "problem";
  readonly problem: "empty" | "too_long" | "forbidden_character" | "email_invalid" | "phone_invalid";
}

/** Brings an identifier to its form; the same for registration, login and look-up. Applying it again changes nothing. */
export function normaliseIdentifier(text: string): NormalisedIdentifier | IdentifierProblem {
  // A code point is at most two units, so this refuses only what is too long and bounds the work below.
  if (text.length > 2 * maxIdentifierLength) return problem("too_long");
  const given = text.trim();
  if (given === "") return problem("empty");
  if (lengthOf(given) > maxIdentifierLength) return problem("too_long");
  // Before folding as well: NFKC turns some of what is refused into ordinary characters.
  if (forbidden.test(given)) return problem("forbidden_character");
  const form = compatible(given);
  if (form === "") return problem("empty");
  if (forbidden.test(form)) return problem("forbidden_character");

  const normalised = byLook(form);
  if (normalised.kind !== "problem" && lengthOf(normalised.value) > maxIdentifierLength) {
    return problem("too_long");
  }
  return normalised;
}

/**
 * The form to search for what somebody typed at login; undefined when it cannot be anybody's identifier. The
 * caller then does the work of a wrong password, since the answer and its time must not tell the two apart.
 */
export function normaliseForLogin(text: string): string | undefined {
  const normalised = normaliseIdentifier(text);
  return normalised.kind === "problem" ? undefined : normalised.value;
}

/** The form of the beginning of an identifier, to search by; undefined if no identifier begins so. */
export function normaliseIdentifierPrefix(text: string): string | undefined {
  if (text.length > 2 * maxIdentifierLength) return undefined;
  const form = compatible(text.trim());
  if (forbidden.test(text.trim()) || forbidden.test(form)) return undefined;
  if (looksLikePhone(form)) return form.replace(/[^+\p{Nd}]/gu, "");
  return form.includes("@") ? form.toLowerCase() : foldUsername(form);
}

/** Whether a text is an e-mail address as it stands, without anything to trim. */
export function isEmailAddress(text: string): boolean {
  return text.trim() === text && normaliseIdentifier(text).kind === "email";
}

// \p{C} is control, format (bidi, zero-width), surrogate, private use and unassigned. U+2800 is a blank that
// Unicode counts as a symbol.
const forbidden = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;

function byLook(form: string): NormalisedIdentifier | IdentifierProblem {
  if (form.includes("@")) {
    const value = normaliseEmail(form);
    return value === undefined ? problem("email_invalid") : { kind: "email", value };
  }
  if (looksLikePhone(form)) {
    const value = toE164(form);
    // Not a username: should the numbering plan know it one day, it would be somebody's number.
    return value === undefined ? problem("phone_invalid") : { kind: "phone", value };
  }
  return { kind: "username", value: foldUsername(form) };
}

/** NFKC and lower case are not stable under each other for every character, hence the repetition. */
function stable(text: string, step: (text: string) => string): string {
  let form = text;
  for (let round = 0; round < 8; round++) {
    const next = step(form);
    if (next === form) break;
    form = next;
  }
  return form;
}

function compatible(text: string): string {
  return text.normalize("NFKC").trim();
}

function lowerCase(text: string): string {
  return stable(text, (form) => form.toLowerCase().normalize("NFKC"));
}

function foldUsername(text: string): string {
  return stable(text, (form) => lowerCase(form).replaceAll("ς", "σ").replace(/\s+/gu, " ").trim());
}

/**
 * The local part in lower case (RFC 5321 leaves its case to the receiving host; none that matters tells them
 * apart) and the domain as lower-case A-labels. Quoted local parts, comments and address literals are refused.
 */
function normaliseEmail(text: string): string | undefined {
  const [local = "", domain = "", ...rest] = text.split("@");
  if (rest.length > 0) return undefined;
  const localForm = lowerCase(local);
  if (!localPart.test(localForm) || Buffer.byteLength(localForm) > 64) return undefined;
  // domainToASCII reads a host as browsers do, with percent signs, ports and numbers in hexadecimal; so only
  // letters, digits, hyphens and dots get that far.
  if (!domainCharacters.test(domain)) return undefined;
  const ascii = domainToASCII(domain.toLowerCase());
  return isDomain(ascii) && isFaithful(ascii) ? `${localForm}@${ascii}` : undefined;
}

// RFC 5322 dot-atom, with the letters and digits of all scripts (RFC 6532).
const atom = "[\\p{L}\\p{M}\\p{N}!#$%&'*+/=?^_`{|}~-]+";
const localPart = new RegExp(`^${atom}(\\.${atom})*$`, "u");
const domainCharacters = /^[\p{L}\p{M}\p{N}.\u3002-]+$/u;
const domainLabel = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

function isDomain(ascii: string): boolean {
  const labels = ascii.split(".");
  const top = labels.at(-1) ?? "";
  return (
    ascii.length <= 253 &&
    labels.length >= 2 &&
    labels.every((label) => domainLabel.test(label)) &&
    // No top-level domain is a number (RFC 3696, section 2): that is an address.
    !/^\d+$/.test(top)
  );
}

/** Whether A-labels stand for the labels that they seem to: domainToASCII passes on what is already ASCII unread. */
function isFaithful(ascii: string): boolean {
  if (!ascii.includes("xn--")) return true;
  const unicode = domainToUnicode(ascii);
  return !forbidden.test(unicode) && domainToASCII(unicode) === ascii && !unicode.includes("xn--");
}

function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length++;
  return length;
}

function problem(name: IdentifierProblem["problem"]): IdentifierProblem {
  return { kind: "problem", problem: name };
}
