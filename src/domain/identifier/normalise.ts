/**
 * How identifiers are made equal. The form is decided by the look of the text alone, so that registration, which
 * knows the schema, and login, which does not, always agree: what has an `@` is an email address, what is a plus
 * with digits and punctuation is a telephone number, all else a username.
 *
 * - Unicode NFKC (which also folds full-width and half-width forms, the full-width @ among them), then the
 *   locale-independent lower case of Unicode (`toLowerCase`, never `toLocaleLowerCase`: the Turkish dotless i would make
 *   the form depend on the machine), repeated until nothing changes. In usernames the final sigma is folded to the other
 *   one, so that upper and lower case of a Greek name are one.
 * - The domain of an email address is mapped by UTS 46 alone, as it was typed: NFKC before it would let in what UTS 46
 *   refuses (U+2488 would become `1.`). Special-use domains (`.invalid`, `.localhost`) are taken; whether mail gets
 *   there is for the relay to know.
 * - Telephone numbers are read as they are pasted, with direction marks, any dash, and as `tel:` URIs (phone.ts).
 * - Surrounding white space is cut off; runs of it within a username count as one space.
 * - Characters that people cannot see, type or tell apart are refused, not removed: control characters, everything
 *   Unicode lets a renderer ignore (zero-width, soft hyphen, variation selectors, tags, fillers), bidi controls,
 *   private use, unassigned, lone surrogates. Zero-width joiners are among them, but in a domain where a script needs
 *   them (IDNA2008, CONTEXTJ).
 * - Letters of several scripts that look alike (Latin and Cyrillic a) are two identifiers and are not refused:
 *   names in several scripts are ordinary, and a list of confusables would lock their owners out.
 */
import { domainToASCII, domainToUnicode } from "node:url";
import { phoneSpelling, toE164 } from "./phone.ts";

/** The longest identifier, in characters (Unicode code points), before and after normalisation. */
export const maxIdentifierLength = 320;

/** The longest email address, in octets as it is sent: RFC 5321, section 4.5.3.1.3 gives a path 256 with its brackets. */
export const maxEmailBytes = 254;

/** An identifier in the one form that it is stored and searched in. */
export interface NormalisedIdentifier {
  readonly kind: "email" | "phone" | "username";
  readonly value: string;
}

/** Reason why a text cannot be an identifier. */
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
  const phone = phoneSpelling(given);
  if (phone !== undefined) {
    const value = toE164(phone);
    // Not a username: the numbering plan may assign the number later.
    return value === undefined ? problem("phone_invalid") : { kind: "phone", value };
  }
  // Before folding as well: NFKC turns some of what is refused into ordinary characters.
  if (isForbidden(given)) return problem("forbidden_character");
  const form = compatible(given);
  if (form === "") return problem("empty");
  if (isForbidden(form)) return problem("forbidden_character");

  const normalised = form.includes("@")
    ? readEmail(given)
    : ({ kind: "username", value: foldUsername(form) } as const);
  if (normalised.kind !== "problem" && lengthOf(normalised.value) > maxIdentifierLength) {
    return problem("too_long");
  }
  return normalised;
}

/**
 * The normal form of a text that was typed at login; undefined if it cannot be an identifier. The
 * caller then does the work of a wrong password, since the answer and its time must not tell the two apart.
 */
export function normaliseForLogin(text: string): string | undefined {
  const normalised = normaliseIdentifier(text);
  return normalised.kind === "problem" ? undefined : normalised.value;
}

/** The form of the beginning of an identifier, to search by; undefined if no identifier begins so. */
export function normaliseIdentifierPrefix(text: string): string | undefined {
  if (text.length > 2 * maxIdentifierLength) return undefined;
  const phone = phoneSpelling(text);
  if (phone !== undefined) return phone.replace(/[^+\p{Nd}]/gu, "");
  const form = compatible(text.trim());
  if (isForbidden(text.trim()) || isForbidden(form)) return undefined;
  return form.includes("@") ? form.toLowerCase() : foldUsername(form);
}

/** Whether a text is an email address as it stands, without anything to trim. */
export function isEmailAddress(text: string): boolean {
  return text.trim() === text && normaliseIdentifier(text).kind === "email";
}

// \p{C} is control, format (bidi, zero-width), surrogate, private use and unassigned. U+2800 is a blank that
// Unicode counts as a symbol.
const forbidden = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;

/** Whether a text has a character that is refused. Of the joiners in a domain UTS 46 decides. */
function isForbidden(text: string): boolean {
  const at = text.search(atSign);
  return forbidden.test(at === -1 ? text : text.slice(0, at) + text.slice(at).replace(joiners, ""));
}

function readEmail(text: string): NormalisedIdentifier | IdentifierProblem {
  const value = normaliseEmail(text);
  return value === undefined ? problem("email_invalid") : { kind: "email", value };
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
  const [local = "", domain = "", ...rest] = text.split(atSign);
  if (rest.length > 0) return undefined;
  const localForm = lowerCase(compatible(local));
  if (!localPart.test(localForm) || Buffer.byteLength(localForm) > 64) return undefined;
  // domainToASCII reads a host as browsers do, with percent signs, ports and numbers in hexadecimal; so only
  // letters, digits, hyphens, dots and what IDNA2008 allows in a context get that far.
  if (!domainCharacters.test(domain)) return undefined;
  const ascii = domainToASCII(domain);
  if (!isDomain(ascii) || !isFaithful(ascii)) return undefined;
  const address = `${localForm}@${ascii}`;
  return Buffer.byteLength(address) <= maxEmailBytes ? address : undefined;
}

// Also as East Asian keyboards give it: all that NFKC folds to it.
const atSign = /[@\uff20\ufe6b]/u;
const joiners = /[\u200c\u200d]/g;
// RFC 5322 dot-atom, with the letters and digits of all scripts (RFC 6532).
const atom = "[\\p{L}\\p{M}\\p{N}!#$%&'*+/=?^_`{|}~-]+";
const localPart = new RegExp(`^${atom}(\\.${atom})*$`, "u");
// With the dots and hyphens that UTS 46 maps, and the characters of RFC 5892, appendix A.
const domainCharacters =
  /^[\p{L}\p{M}\p{N}.\u3002\uff0e\uff61\-\uff0d\u00b7\u0375\u05f3\u05f4\u30fb\uff65\u200c\u200d]+$/u;
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
  const isPlain = !forbidden.test(unicode.replace(joiners, "")) && domainCharacters.test(unicode);
  if (!isPlain || domainToASCII(unicode) !== ascii || unicode.includes("xn--")) return false;
  return unicode.split(".").every((label) => !contextRules.some((broken) => broken.test(label)));
}

/**
 * What breaks the rules of RFC 5892, appendix A.3 to A.9 (CONTEXTO), which UTS 46 leaves to registries: the Catalan dot
 * stands between two l, the Greek numeral sign before Greek, the Hebrew points after Hebrew, the Japanese dot beside
 * Japanese; the two sets of Arabic digits do not mix. The joiners (CONTEXTJ) are for domainToASCII to check.
 */
const contextRules: readonly RegExp[] = [
  /(?<!l)\u00b7|\u00b7(?!l)/u,
  /\u0375(?!\p{Script=Greek})/u,
  /(?<!\p{Script=Hebrew})[\u05f3\u05f4]/u,
  /^[^\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]*\u30fb[^\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]*$/u,
  /[\u0660-\u0669].*[\u06f0-\u06f9]|[\u06f0-\u06f9].*[\u0660-\u0669]/u,
];

function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length++;
  return length;
}

function problem(name: IdentifierProblem["problem"]): IdentifierProblem {
  return { kind: "problem", problem: name };
}
