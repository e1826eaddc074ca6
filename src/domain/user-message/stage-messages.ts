import { info, type UserMessage } from "./user-message.ts";

/*
 * Titles and subtitles of the stages of flows. Each has a number of its own, so that pages can say it in their own words.
 */

/** The heading of a login. */
export const signInTitle = (): UserMessage => info(9000210, "Sign in");

/** Its subtitle, if the identifier is asked for first. */
export const signInIdentifier = (): UserMessage => info(9000211, "Start by telling us who you are.");

/** Its subtitle, if the methods are on offer. */
export const signInMethod = (): UserMessage => info(9000212, "Welcome back.");

/** The heading of a refresh, a step-up and a second factor. */
export const confirmTitle = (): UserMessage => info(9000213, "Confirm it's you");

/** Its subtitle, if a second factor is asked for. */
export const confirmSecond = (): UserMessage =>
  info(9000214, "Your account is protected by a second factor.");

/** A change of the settings that waits for a login, in a word. */
export type AwaitedChange = "profile" | "password" | "credential" | "second_factor" | "removal" | "deletion";

const awaitedChanges: Readonly<Record<AwaitedChange, string>> = {
  profile: "To change your address, sign in again first.",
  password: "To set the new password, sign in again first.",
  credential: "To add a way to sign in, sign in again first.",
  second_factor: "To change what your account asks for, sign in again first.",
  removal: "To remove a way to sign in, sign in again first.",
  deletion: "To delete your account, sign in again first.",
};

/** Its subtitle, for a person who is signed in. `change`: what waits for it, where the server knows. */
export function confirmAgain(change?: string): UserMessage {
  const text = Object.entries(awaitedChanges).find(([known]) => known === change)?.[1];
  return text === undefined
    ? info(9000215, "For your security, sign in again before you continue.")
    : info(9000215, text, { change: change ?? "" });
}

/** The heading where a code is entered. */
export const codeTitle = (): UserMessage => info(9000216, "Enter the code");

/** Its subtitle. It does not say that a code was sent, because perhaps none was. */
export function lookForCode(sentTo: string): UserMessage {
  return info(9000217, `Check ${messagesTo(sentTo)}.`, { sent_to: sentTo });
}

/** The heading where a link is awaited. */
export const linkTitle = (): UserMessage => info(9000218, "Open the link");

/** Its subtitle. It does not say that a link was sent either. */
export function lookForLink(sentTo: string): UserMessage {
  return info(9000219, `Check ${messagesTo(sentTo)}, on this device or any other.`, { sent_to: sentTo });
}

/** The subtitle of a flow that began with a link. */
export const oneMoreClick = (): UserMessage =>
  info(
    9000220,
    "One more click, so that we know it was you who opened the link and not a program that scans your mail.",
  );

/** The heading of a recovery that waits. */
export const onHoldTitle = (): UserMessage => info(9000460, "Come back later");

/** Its subtitle. */
export const onHoldHelp = (): UserMessage =>
  info(9000461, "We tell the owner of an account about every recovery, and give them time to stop it.");

/** The heading of the question whether a recovery is to be stopped. */
export const stopRecoveryTitle = (): UserMessage => info(9000462, "Stop the recovery");

/** Its subtitle. */
export const stopRecoveryHelp = (): UserMessage =>
  info(
    9000463,
    "If it's you who wants to get back into the account, just leave this page. Nothing will happen.",
  );

/** The heading of a registration. */
export const signUpTitle = (): UserMessage => info(9000221, "Create an account");

/** Its subtitle, if the traits come first. */
export const signUpProfile = (): UserMessage =>
  info(9000222, "Tell us about yourself. Next, choose how to sign in.");

/** Its subtitle, if everything is asked at once. */
export const signUpMethod = (): UserMessage =>
  info(9000223, "Fill in your details and choose how to sign in.");

/** Its subtitle, once the traits were given. */
export const signUpMethodNext = (): UserMessage => info(9000224, "Choose how to sign in.");

/** The heading of a verification. */
export const verifyTitle = (): UserMessage => info(9000225, "Verify your address");

/** Its subtitle. */
export const verifyAddress = (): UserMessage =>
  info(9000226, "We'll send a message to it, to make sure it's yours.");

/** The heading of a recovery. */
export const recoverTitle = (): UserMessage => info(9000227, "Recover your account");

/** Its subtitle. */
export const recoverName = (): UserMessage =>
  info(9000228, "Tell us who you are, and we'll send you a message that gets you back in.");

/** The heading where one of several addresses is chosen. */
export const chooseAddressTitle = (): UserMessage => info(9000229, "Choose an address");

/** Its subtitle. */
export const chooseAddressHelp = (): UserMessage =>
  info(9000230, "We'll send the message to the one you choose.");

/** The heading of the question whose account it is. */
export const claimTitle = (): UserMessage => info(9000231, "Is this your account?");

/** Its subtitle. */
export const claimHelp = (): UserMessage => info(9000232, "Nobody has confirmed yet that it's theirs.");

/** The heading of the settings. */
export const settingsTitle = (): UserMessage => info(9000233, "Your account");

/** Its subtitle. */
export const settingsHelp = (): UserMessage =>
  info(9000234, "Change what you like. Each part is saved separately.");

/** The heading where a new secret is set. */
export const newSecretTitle = (): UserMessage => info(9000235, "Choose a new password");

/** The same, where that is no password. */
export const newWayTitle = (): UserMessage => info(9000415, "Set up a new way to sign in");

/** Where there is none to set up: people sign in by codes and links alone. */
export const noSecret = (): UserMessage =>
  info(9000416, "There's no password to choose here. Sign in with a code or a link.");

/** The link that leads there. */
export const signInLink = (): UserMessage => info(9000417, "Sign in");

/** Its subtitle. */
export const newSecretHelp = (): UserMessage => info(9000236, "It replaces the old one and signs you in.");

function messagesTo(sentTo: string): string {
  return sentTo === "" ? "your messages" : `your messages at ${sentTo}`;
}
