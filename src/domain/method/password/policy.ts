import { distance } from "fastest-levenshtein";
import { domainError } from "../../errors.ts";
import type { JsonObject, JsonValue } from "../../json.ts";
import { passwordForm } from "../../password-form.ts";
import type { BreachCheckSettings, Tenant } from "../../tenant/tenant.ts";

/**
 * The longest password that is compared with a stored one, in characters as `passwordLength` counts them: the greatest
 * `max_length` that can be configured. What is longer was never anybody's and is not hashed. The tenant's own maximum is
 * for new passwords only: a rule that came later locks nobody out, and nobody knows how long imported ones are.
 */
export const longestPassword = 1024;

/** Whose password it is to be. */
export interface PasswordAccount {
  readonly traits: JsonObject;
  /** Normalised identifiers; they are traits as well, but these are looked at first. */
  readonly identifiers: readonly string[];
}

/** The bounds on a password's length, in Unicode code points of its NFC form. */
export interface PasswordRules {
  readonly minLength: number;
  readonly maxLength: number;
}

/** The rule that a password breaks, by the name that answers carry, with the numbers of its message. */
export type PasswordViolation =
  | { readonly rule: "too_short"; readonly min: number; readonly actual: number }
  | { readonly rule: "too_long"; readonly max: number; readonly actual: number }
  | { readonly rule: "common" }
  | { readonly rule: "too_similar" }
  | { readonly rule: "breached"; readonly count: number };

/** Knows the passwords that attackers try first. Implemented in src/crypto. */
export interface CommonPasswords {
  /** Whether the list has it; the case does not matter. */
  has(password: string): boolean;
}

/** Knows the passwords that became public in breaches. Implemented in src/outbound. */
export interface BreachedPasswords {
  /**
   * How often the password was found; 0 for one that was not, undefined if that cannot be told at the moment. Takes
   * as long as another server takes, and never throws.
   */
  countOf(password: string): Promise<number | undefined>;
}

/**
 * Judges new passwords, of owners and of operators: each place that takes one asks `check` before it hashes. Never asked at
 * login: a rule that came later locks nobody out.
 */
export interface PasswordPolicy {
  /**
   * The first rule that the password breaks; undefined if it keeps them all. Throws BREACH_CHECK_UNAVAILABLE. It may
   * ask another server, so never call it within a transaction.
   */
  check(password: string, account: PasswordAccount, tenant: Tenant): Promise<PasswordViolation | undefined>;
  /** As `check`, by what this process knows: without the breaches. */
  checkHere(password: string, account: PasswordAccount, tenant: Tenant): PasswordViolation | undefined;
}

/** Makes the policy out of a tenant's settings, the list of common passwords and the service for breached ones. */
export function createPasswordPolicy({
  commonPasswords,
  breachedPasswords,
}: {
  readonly commonPasswords: CommonPasswords;
  readonly breachedPasswords: BreachedPasswords;
}): PasswordPolicy {
  const checkHere: PasswordPolicy["checkHere"] = (password, account, { settings }) =>
    checkPassword(password, account, settings.password, (text) => commonPasswords.has(text));
  return {
    checkHere,
    check: async (password, account, tenant) => {
      const { password: rules } = tenant.settings;
      const violation = checkHere(password, account, tenant);
      // Last, because it is the rule that leaves the process.
      return violation ?? (await checkBreaches(passwordForm(password), rules.breachCheck, breachedPasswords));
    },
  };
}

async function checkBreaches(
  password: string,
  settings: BreachCheckSettings,
  breachedPasswords: BreachedPasswords,
): Promise<PasswordViolation | undefined> {
  if (!settings.enabled) return undefined;
  const count = await breachedPasswords.countOf(password);
  if (count === undefined && settings.whenUnavailable === "refuse") {
    throw domainError("BREACH_CHECK_UNAVAILABLE", {});
  }
  if (count === undefined || count < settings.minCount) return undefined;
  return { rule: "breached", count };
}

/**
 * Checks a new password by what this process knows (NIST SP 800-63B-4, section 3.1.1.2: length, a list of common
 * passwords, words of the account; no rules of composition). The answer is the first rule broken, in the order of
 * PasswordViolation.
 *
 * - common: the password is on the list; or it is a listed one with one or two digits or signs appended
 *   (`Password1!`); or it has no more than two different characters (`aaaaaaaa`).
 * - too_similar: see `isSimilar`.
 */
export function checkPassword(
  password: string,
  account: PasswordAccount,
  rules: PasswordRules,
  isCommon: (password: string) => boolean,
): PasswordViolation | undefined {
  const form = passwordForm(password);
  const actual = passwordLength(password);
  const { minLength: min, maxLength: max } = rules;
  if (actual < min) return { rule: "too_short", min, actual };
  if (actual > max) return { rule: "too_long", max, actual };

  const folded = form.toLowerCase();
  if (isPredictable(folded, isCommon)) return { rule: "common" };
  if (isSimilar(folded, personalWords(account))) return { rule: "too_similar" };
  return undefined;
}

/** The length that the rules speak of: in Unicode code points of the NFC form, which is what gets hashed. */
export function passwordLength(password: string): number {
  let count = 0;
  for (const _ of password.normalize("NFC")) count++;
  return count;
}

const shortestWord = 4;
// An account's words are bounded, so that huge traits cost no more than a few milliseconds. Identifiers come first.
const maxWords = 128;
const maxWordLength = 128;
const maxSplitLength = 64;
const maxVisited = 1_000;

function isPredictable(folded: string, isCommon: (password: string) => boolean): boolean {
  if (new Set(folded).size <= 2 || isCommon(folded)) return true;
  const [suffix = ""] = /[^\p{L}\p{M}]{1,2}$/u.exec(folded) ?? [];
  const characters = [...suffix];
  return characters.some((_, index) => {
    const stem = folded.slice(0, folded.length - characters.slice(index).join("").length);
    return stem.length >= shortestWord && isCommon(stem);
  });
}

/**
 * Whether a password is little more than words of the account. It is if
 * - it is part of such a word;
 * - such words, forwards or backwards, cover half of it or more: `lovelace1815` is refused, and
 *   `adam went down to the sea` is fine for somebody called Adam;
 * - a quarter of the characters or fewer have to be edited to make it such a word (Levenshtein distance).
 */
function isSimilar(password: string, words: ReadonlySet<string>): boolean {
  if (password.length < shortestWord) return false;
  const reversed = [...password].reverse().join("");
  for (const word of words) {
    if (word.includes(password) || word.includes(reversed) || isClose(password, word)) return true;
  }
  return isMostlyWords(password, words) || isMostlyWords(reversed, words);
}

function isMostlyWords(password: string, words: ReadonlySet<string>): boolean {
  const covered = new Uint8Array(password.length);
  for (const word of words) {
    for (let at = password.indexOf(word); at !== -1; at = password.indexOf(word, at + word.length)) {
      covered.fill(1, at, at + word.length);
    }
  }
  const count = covered.reduce((sum, flag) => sum + flag, 0);
  return count * 2 >= password.length;
}

function isClose(password: string, word: string): boolean {
  const longer = Math.max(password.length, word.length);
  const allowed = Math.floor(longer / 4);
  if (longer > maxWordLength || Math.abs(password.length - word.length) > allowed) return false;
  return distance(password, word) <= allowed;
}

/**
 * The words of an account that a password must not be made of, in lower case and of four characters or more: each
 * identifier and string trait as it is and without its punctuation, the local part of an email address, and the
 * single words of short values (names, addresses; not of prose, which has half the dictionary).
 */
function personalWords({ identifiers, traits }: PasswordAccount): ReadonlySet<string> {
  const words = new Set<string>();
  const add = (word: string) => {
    if (word.length >= shortestWord && words.size < maxWords) words.add(word);
  };
  for (const text of [...identifiers, ...stringsOf(traits)]) {
    if (words.size >= maxWords) break;
    const value = text.slice(0, maxWordLength).normalize("NFC").toLowerCase();
    add(value);
    if (value.length > maxSplitLength) continue;
    const localPart = value.slice(0, Math.max(0, value.lastIndexOf("@")));
    add(localPart);
    for (const part of [localPart, value]) {
      const pieces = part.split(/[^\p{L}\p{M}\p{N}]+/u);
      add(pieces.join(""));
      for (const piece of pieces) add(piece);
    }
  }
  return words;
}

/** The strings within a value at any depth, breadth first, among its first `maxVisited` values. */
function stringsOf(root: JsonValue): readonly string[] {
  const strings: string[] = [];
  const toVisit: JsonValue[] = [root];
  for (let index = 0; index < toVisit.length; index++) {
    const value = toVisit[index];
    if (typeof value === "string") strings.push(value);
    else if (typeof value === "object" && value !== null) {
      const children = Array.isArray(value) ? value : Object.values(value);
      toVisit.push(...children.slice(0, maxVisited - toVisit.length));
    }
  }
  return strings;
}
