import type { SchemaText } from "../identity/schema-texts.ts";
import { error, info, type UserMessage } from "./user-message.ts";

/*
 * More messages about traits. No sentence holds a regular expression or the words of a validator:
 * those are in the context, for programs.
 */

/** A value of the wrong form, in the words of the schema. `name` is the name of the node, without the indices of lists. */
export const ownSentence = (
  { text, translations }: SchemaText,
  name: string,
  rule: { readonly pattern: string } | { readonly format: string },
): UserMessage => ({ ...error(9000122, text, { error: text, name, ...rule }), translations });

/** A text that is no number. */
export const notANumber = (): UserMessage => error(9000110, "Enter a number, for example 1.5.");

/** A number with a fraction, or a text, where a whole number is expected. */
export const notAWholeNumber = (): UserMessage => error(9000111, "Enter a whole number, for example 42.");

/** A number whose separator may mean thousands or a fraction. */
export const ambiguousNumber = (): UserMessage =>
  error(9000112, "Enter the number without thousands separators, for example 1234 or 1.5.");

/** A number is not above its bound. */
export const notAbove = (bound: number): UserMessage =>
  error(9000113, `Enter more than ${bound}.`, { minimum: bound });

/** A number is not below its bound. */
export const notBelow = (bound: number): UserMessage =>
  error(9000114, `Enter less than ${bound}.`, { maximum: bound });

/** A number is not a multiple of another one. */
export const notAMultiple = (step: number): UserMessage =>
  error(9000115, `Enter a multiple of ${step}.`, { step });

/** A value that is not among those to choose from. */
export const notAChoice = (): UserMessage => error(9000116, "Choose one of the options.");

/** A box that must be ticked. */
export const consentMissing = (): UserMessage => error(9000117, "Tick this box to continue.");

/** A list has too few items. */
export const tooFewItems = (minimum: number): UserMessage =>
  error(9000118, `Enter at least ${minimum}.`, { min_items: minimum });

/** A list has too many items. */
export const tooManyItems = (maximum: number): UserMessage =>
  error(9000119, `Enter at most ${maximum}.`, { max_items: maximum });

/** A list has an item twice. */
export const duplicateItems = (): UserMessage => error(9000121, "Each value can be entered only once.");

/** Traits that are too large as a whole. */
export const traitsTooLarge = (): UserMessage =>
  error(9000123, "That's too much to save. Shorten something and try again.");

/** The words of a link to a page that belongs to a trait, from the identity schema. */
export const linkLabel = ({ text, translations }: SchemaText, name: string): UserMessage => ({
  ...info(9000124, text, { title: text, name }),
  translations,
});

/** An email address that the operator's mail server does not take: it has letters beyond ASCII before the @. */
export const unreachableEmail = (): UserMessage =>
  error(
    9000126,
    "We can't send email to this address. Enter one with only plain letters (a to z), digits and signs before the @.",
  );

/** An e-mail address that mail came back from a short while ago. */
export const bouncedEmail = (): UserMessage =>
  error(9000127, "Email to this address comes back to us. Check it for typos, or use another address.");

/** Not a telephone number, where numbers of one country need no country code. */
export const invalidPhoneOf = (country: string): UserMessage =>
  error(
    9000125,
    "Enter a valid phone number. A number from another country begins with + and its country code.",
    {
      country,
    },
  );
