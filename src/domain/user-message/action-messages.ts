/** What people read of what they are asked to do. The numbers are as in user-messages.ts. */
import type { RequiredActionKind } from "../identity/required-actions.ts";
import { info, success, type UserMessage } from "./user-message.ts";

/** The heading where something comes before the session. */
export const oneThingFirst = (): UserMessage => info(9000600, "One more step");

const asked: Readonly<Record<RequiredActionKind, () => UserMessage>> = {
  set_password: () => info(9000601, "Choose a new password before you continue."),
  verify_address: () => info(9000602, "Confirm that this address is yours before you continue."),
  complete_traits: () => info(9000603, "Some of your account details are missing. Fill them in to continue."),
  enrol_factor: () => info(9000604, "Set up a second factor before you continue. It protects your account."),
  accept_terms: () => info(9000605, "Read and accept this to continue."),
};

/** What is asked for, before a session. */
export const actionAsked = (kind: RequiredActionKind): UserMessage => asked[kind]();

const pending: Readonly<Record<RequiredActionKind, () => UserMessage>> = {
  set_password: () => info(9000611, "Please choose a new password."),
  verify_address: () => info(9000612, "Please verify your address."),
  complete_traits: () => info(9000613, "Please complete your account details."),
  enrol_factor: () => info(9000614, "Please set up a second factor."),
  accept_terms: () => info(9000615, "Please read and accept the document below."),
};

/** What is asked for, and can be done at any time. */
export const actionPending = (kind: RequiredActionKind): UserMessage => pending[kind]();

/** The button that sends a code to an address that is to be verified. */
export const sendCodeTo = (address: string): UserMessage =>
  info(9000606, `Send a code to ${address}`, { address });

/** A document to accept, as a link. */
export const termsLink = (title: string, version: string): UserMessage =>
  info(9000607, `${title} (${version})`, { title, version });

/** The button that accepts a document. */
export const acceptTerms = (title: string): UserMessage => info(9000608, `Accept ${title}`, { title });

/** The heading of documents to accept, in the settings. */
export const termsTitle = (): UserMessage => info(9000609, "Documents");

/** All that was asked for is done. */
export const allDone = (): UserMessage => success(9000610, "All done.");
