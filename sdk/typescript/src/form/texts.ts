// SPDX-License-Identifier: Apache-2.0
import type { JsonValue } from "@bufbuild/protobuf";
import type { NumberedMessage } from "../numbered-message.ts";

/** Says what a message of the server, of a form or of an error, is in the language of the page. */
export type Translate = (message: NumberedMessage) => string;

/** The values within a message. */
export type MessageContext = Readonly<Record<string, JsonValue>>;

/**
 * Sentences by the permanent number of the message. `{min_length}` stands for the value of that name in the message's context;
 * docs/texts.md says what else may be in the braces. `1070008[what=link]` is the sentence of the number if the value has that text,
 * or is a number with that plural form in the language (`[days=one]`); `[sent_to=]` if there is none. A function that gives undefined leaves the
 * sentence to the server.
 */
export type MessageTexts = Readonly<
  Record<string, string | ((context: MessageContext) => string | undefined)>
>;

/** The words of a form that no message of the server has. */
export interface FormTexts {
  /** Beside the label of a field that may stay empty. */
  readonly optional: string;
  /** Between two ways to go on, each with fields of its own. */
  readonly or: string;
  /** On the button that shows a password, and what it is called in full. */
  readonly show: string;
  readonly showPassword: string;
  readonly hide: string;
  readonly hidePassword: string;
  /** The rules below a new password: its least and its greatest length, `{min_length}` and `{max_length}`, and what it must not be. */
  readonly minLength: string;
  readonly maxLength: string;
  readonly notOwn: string;
  readonly notCommon: string;
  /** What the mark beside a rule says: it cannot be told yet, it is kept, or it is not. */
  readonly ruleOpen: string;
  readonly ruleKept: string;
  readonly ruleBroken: string;
  /** The first choice of a list: none yet. */
  readonly choose: string;
  /** On the button that adds an item to a list, and what it is called in full; `{list}` is the list's label. */
  readonly add: string;
  readonly addTo: string;
  /** On the button that takes an item out of a list, and what it is called in full; `{item}` is the item. */
  readonly remove: string;
  readonly removeNamed: string;
  /** What a link is called in full that opens in a new tab; `{link}` is its text. */
  readonly opensNewTab: string;
  /** On the button that copies a text. */
  readonly copy: string;
  /** Beside that button, once it was pressed. */
  readonly copied: string;
  readonly notCopied: string;
  /** On the buttons that save a text as a file, and print it. */
  readonly save: string;
  readonly print: string;
  /** While the server is asked. */
  readonly busy: string;
  /** What is opened for other ways to go on, where there are many. */
  readonly anotherWay: string;
  /** Beside the method that this browser signed in with last. */
  readonly lastUsed: string;
  /** Below a field for a code that is sent by itself; `{code_length}` is the number of its digits. */
  readonly sendsItself: string;
  /** On a button that waits; `{label}` is what it says later, `{time}` a span such as "29 seconds". */
  readonly waits: string;
  /** Said to screen readers once it can be pressed; `{label}` is what it says. */
  readonly waited: string;
  /** The form was filled in for too long; what was typed is in a fresh one. */
  readonly expired: string;
  /** The server could not be asked. */
  readonly failed: string;
  /** After what went wrong; `{time}` is a span such as "3 minutes". */
  readonly tryAgainIn: string;
  /** Once that time is over. */
  readonly tryAgainNow: string;
  /** No passkey was shown: somebody said no, waited too long, or has none here. */
  readonly passkeyCancelled: string;
  /** The device has a passkey for the account already. */
  readonly passkeyThere: string;
  /** The device cannot keep a passkey, or cannot verify who uses it. */
  readonly passkeyUnfit: string;
  /** The address of the page allows no passkeys. */
  readonly passkeyInsecure: string;
  /** The browser knows no passkeys. */
  readonly passkeyUnsupported: string;
}

/** The words in English. */
export const englishFormTexts: FormTexts = {
  optional: "optional",
  or: "or",
  show: "Show",
  showPassword: "Show password",
  hide: "Hide",
  hidePassword: "Hide password",
  minLength: "At least {min_length} characters",
  maxLength: "At most {max_length} characters",
  notOwn: "Different from your name and email",
  notCommon: "Not a common password",
  ruleOpen: "To check",
  ruleKept: "Met",
  ruleBroken: "Not met",
  choose: "Choose…",
  add: "Add",
  addTo: "Add to {list}",
  remove: "Remove",
  removeNamed: "Remove {item}",
  opensNewTab: "{link} (opens in a new tab)",
  copy: "Copy",
  copied: "Copied.",
  notCopied: "This couldn't be copied. Select the text and copy it yourself.",
  save: "Save as a file",
  print: "Print",
  busy: "One moment…",
  anotherWay: "Try another way",
  lastUsed: "Last used",
  sendsItself: "The code is sent as soon as all {code_length} digits are there.",
  waits: "{label} in {time}",
  waited: "You can now use: {label}.",
  expired: "This form was open for too long. Check what you entered and send it again.",
  failed: "That didn't work. Try again in a moment.",
  tryAgainIn: "Try again in {time}.",
  tryAgainNow: "You can try again now.",
  passkeyCancelled:
    "No passkey was used: it was cancelled, took too long, or there is none on this device. Try again, or choose another way.",
  passkeyThere: "This device already has a passkey for your account.",
  passkeyUnfit: "This device can't store a passkey. Use a different device.",
  passkeyInsecure: "Passkeys don't work at the address of this page. Choose another way.",
  passkeyUnsupported: "This browser doesn't support passkeys, or the page isn't secure. Choose another way.",
};

/**
 * Translates by number, and falls back to the server's own sentence for numbers that the table does not have. `language` (BCP 47) is
 * that of the sentences: for plural forms, and for numbers and times within them. Default `en`.
 */
export function translator(texts: MessageTexts, language = "en"): Translate {
  const sentences = sentencesOf(texts);
  return (message) => {
    const context: MessageContext = message.context ?? {};
    const [best] = (sentences.get(message.id) ?? [])
      .filter(({ conditions }) => conditions.every((condition) => holds(condition, context, language)))
      .sort((one, other) => other.conditions.length - one.conditions.length);
    const entry = best?.entry;
    const text = typeof entry === "function" ? entry(context) : entry;
    return (text === undefined ? undefined : fillIn(text, context, language)) ?? message.text;
  };
}

/**
 * Puts values in the place of `{their_name}`; undefined if there is no value for one of them, or it is not of the format that is
 * asked for: `{time:date}` and `{time:date-time}`. With a language (BCP 47) numbers are written as in it.
 */
export function fillIn(text: string, values: MessageContext, language?: string): string | undefined {
  let complete = true;
  const filled = text.replace(placeholder, (_, name: string, format: string | undefined) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    const written = value === undefined || value === null ? undefined : write(value, format, language);
    if (written === undefined) complete = false;
    return written ?? "";
  });
  return complete ? filled : undefined;
}

const placeholder = /\{(\w+)(?::([\w-]+))?\}/g;

const timeFormats: Readonly<Record<string, Intl.DateTimeFormatOptions>> = {
  date: { dateStyle: "long" },
  "date-time": { dateStyle: "long", timeStyle: "short" },
};

/** A value as people read it: numbers and times in their language, times in their zone. */
function write(
  value: JsonValue,
  format: string | undefined,
  language: string | undefined,
): string | undefined {
  if (format !== undefined) {
    const time = new Date(String(value));
    const options = Object.hasOwn(timeFormats, format) ? timeFormats[format] : undefined;
    if (options === undefined || Number.isNaN(time.getTime())) return undefined;
    return new Intl.DateTimeFormat(localeOf(language), options).format(time);
  }
  if (typeof value === "number" && language !== undefined) {
    return new Intl.NumberFormat(localeOf(language), { maximumFractionDigits: 20 }).format(value);
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}

interface Condition {
  readonly name: string;
  readonly wanted: string;
}

interface Sentence {
  readonly conditions: readonly Condition[];
  readonly entry: MessageTexts[string];
}

function sentencesOf(texts: MessageTexts): ReadonlyMap<number, readonly Sentence[]> {
  const sentences = new Map<number, Sentence[]>();
  for (const [key, entry] of Object.entries(texts)) {
    const [, id, rest = ""] = /^(\d+)((?:\[\w+=[^\]]*\])*)$/.exec(key) ?? [];
    if (id === undefined) continue;
    const conditions = [...rest.matchAll(/\[(\w+)=([^\]]*)\]/g)].map(([, name = "", wanted = ""]) => ({
      name,
      wanted,
    }));
    const found = sentences.get(Number(id)) ?? [];
    sentences.set(Number(id), [...found, { conditions, entry }]);
  }
  return sentences;
}

function holds({ name, wanted }: Condition, context: MessageContext, language: string): boolean {
  const value = Object.hasOwn(context, name) ? context[name] : undefined;
  if (typeof value === "number") {
    return String(value) === wanted || new Intl.PluralRules(localeOf(language)).select(value) === wanted;
  }
  // What is neither a text nor a number has none.
  return (typeof value === "object" || value === undefined ? "" : String(value)) === wanted;
}

/** A language that is none must not keep a sentence from being said. */
function localeOf(language: string | undefined): string {
  try {
    return Intl.getCanonicalLocales(language)[0] ?? "en";
  } catch {
    return "en";
  }
}
