// SPDX-License-Identifier: Apache-2.0
import type { JsonValue } from "@bufbuild/protobuf";
import type { NumberedMessage } from "../numbered-message.ts";

/** Says what a message of the server, of a form or of an error, is in the language of the page. */
export type Translate = (message: NumberedMessage) => string;

/** The values within a message. */
export type MessageContext = Readonly<Record<string, JsonValue>>;

/**
 * Sentences by the permanent number of the message. `{min_length}` stands for the value of that name in the
 * message's context. A function that gives undefined leaves the sentence to the server.
 */
export type MessageTexts = Readonly<
  Record<number, string | ((context: MessageContext) => string | undefined)>
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
  /** Below a new password; `{min_length}` is its least length. */
  readonly minLength: string;
  /** The first choice of a list: none yet. */
  readonly choose: string;
  /** On the button that adds an item to a list, and what it is called in full; `{list}` is the list's label. */
  readonly add: string;
  readonly addTo: string;
  /** Below a list: how an item is taken out. */
  readonly takeOut: string;
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
  minLength: "At least {min_length} characters.",
  choose: "Choose…",
  add: "Add",
  addTo: "Add to {list}",
  takeOut: "What you leave empty is taken out.",
  copy: "Copy",
  copied: "Copied.",
  notCopied: "This could not be copied. Select the text and copy it yourself.",
  save: "Save as a file",
  print: "Print",
  busy: "One moment…",
  anotherWay: "Try another way",
  lastUsed: "Last used",
  sendsItself: "The code is sent as soon as all {code_length} digits are there.",
  waits: "{label} in {time}",
  waited: "You can now use: {label}.",
  expired: "This form was open for too long. Check what you filled in, and send it again.",
  failed: "That did not work. Try again in a moment.",
  tryAgainIn: "Try again in {time}.",
  passkeyCancelled:
    "No passkey was used: that was cancelled, took too long, or there is none on this device. Try again, or choose another way.",
  passkeyThere: "This device has a passkey for your account already.",
  passkeyUnfit: "This device cannot keep a passkey. Use another one.",
  passkeyInsecure: "Passkeys do not work at the address of this page.",
  passkeyUnsupported: "This browser knows no passkeys, or the page is not secure. Choose another way.",
};

/** Translates by number, and falls back to the server's own sentence for numbers that the table does not have. */
export function translator(texts: MessageTexts): Translate {
  return (message) => {
    const entry = Object.hasOwn(texts, message.id) ? texts[message.id] : undefined;
    const context: MessageContext = message.context ?? {};
    const text = typeof entry === "function" ? entry(context) : entry;
    return (text === undefined ? undefined : fillIn(text, context)) ?? message.text;
  };
}

/** Puts values in the place of `{their_name}`; undefined if there is no value for one of them. */
export function fillIn(text: string, values: MessageContext): string | undefined {
  let complete = true;
  const filled = text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined || value === null) complete = false;
    return typeof value === "string" ? value : JSON.stringify(value);
  });
  return complete ? filled : undefined;
}
