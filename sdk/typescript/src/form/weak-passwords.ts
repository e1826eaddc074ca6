// SPDX-License-Identifier: Apache-2.0

/*
 * Passwords that are guessed first, by the rules of the server (docs/passwords.md), for a page that tells people while they type. Its list of
 * common ones is too long for a page: here are those at its top. A test compares the two.
 */

/** A password in the form that the rules speak of. */
export function passwordForm(password: string): string {
  return password.replace(/\p{Zs}/gu, " ").normalize("NFC");
}

const shortestWord = 4;
const longestWord = 128;
const mostWords = 128;

/** The words that a password of somebody must not be made of: each text whole, in its parts, and without its punctuation. */
export function ownWords(texts: readonly string[]): ReadonlySet<string> {
  const words = new Set<string>();
  const add = (word: string) => {
    if (word.length >= shortestWord && words.size < mostWords) words.add(word);
  };
  for (const text of texts) {
    const value = text.slice(0, longestWord).normalize("NFC").toLowerCase();
    add(value);
    // Prose has half the dictionary.
    if (value.length > 64) continue;
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

/** Whether a password is little more than such words, forwards or backwards, or nearly one of them. */
export function isLikeWords(password: string, words: ReadonlySet<string>): boolean {
  if (password.length < shortestWord) return false;
  const reversed = [...password].reverse().join("");
  for (const word of words)
    if (word.includes(password) || word.includes(reversed) || isClose(password, word)) return true;
  return isMostlyWords(password, words) || isMostlyWords(reversed, words);
}

function isMostlyWords(password: string, words: ReadonlySet<string>): boolean {
  const covered = new Set<number>();
  for (const word of words)
    for (let at = password.indexOf(word); at !== -1; at = password.indexOf(word, at + word.length))
      for (let index = at; index < at + word.length; index++) covered.add(index);
  return covered.size * 2 >= password.length;
}

function isClose(password: string, word: string): boolean {
  const longer = Math.max(password.length, word.length);
  const allowed = Math.floor(longer / 4);
  if (longer > longestWord || Math.abs(password.length - word.length) > allowed) return false;
  return distance(password, word) <= allowed;
}

/** How many characters have to be put in, taken out or replaced to make one text the other (Levenshtein). */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let place = 1; place <= one.length; place++) {
    const next = [place];
    for (let index = 1; index <= other.length; index++) {
      const replaced = (row[index - 1] ?? 0) + (one[place - 1] === other[index - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[index] ?? 0) + 1, (next[index - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}

/** The most common passwords of eight characters and more, in lower case. */
export const topPasswords: ReadonlySet<string> = new Set(
  (
    "password 12345678 123456789 1234567890 baseball football qwertyuiop superman 1qaz2wsx jennifer trustno1 sunshine iloveyou computer " +
    "michelle starwars princess corvette 1234qwer internet samantha q1w2e3r4t5 maverick whatever mercedes steelers qwer1234 q1w2e3r4 " +
    "midnight victoria marlboro password1 1q2w3e4r cocacola jordan23 asdfasdf danielle 12344321 jonathan qwerty123 passw0rd abcd1234 " +
    "slipknot scorpion startrek asdfghjkl liverpool nicholas dolphins qwertyui mountain benjamin elephant 1q2w3e4r5t creative 1qazxsw2 " +
    "december brooklyn 11223344 12qwaszx snowball november 789456123 asdf1234 147258369 minecraft chocolate patricia champion"
  ).split(" "),
);

/** Whether a password in lower case is among the most common, with up to two signs behind it, or has no more than two characters. */
export function isCommonPassword(folded: string): boolean {
  if (new Set(folded).size <= 2 || topPasswords.has(folded)) return true;
  const [suffix = ""] = /[^\p{L}\p{M}]{1,2}$/u.exec(folded) ?? [];
  const signs = [...suffix];
  return signs.some((_, index) =>
    topPasswords.has(folded.slice(0, folded.length - signs.slice(index).join("").length)),
  );
}
