import { error, info, type UserMessage } from "./user-message.ts";

/*
 * What is said of a login that an OAuth2 server asked for, and could not be told of.
 */

/** The heading. */
export const handOverTitle = (): UserMessage => info(9000620, "You're signed in");

/** Its subtitle. */
export function handOverHelp(application: string): UserMessage {
  const name = application === "" ? "the app you came from" : application;
  const text = `We couldn't get you back to ${name} yet. Nothing is lost: try again in a moment.`;
  return info(9000621, text, { application });
}

/** The button that tries again. */
export const handOverAgain = (): UserMessage => info(9000622, "Try again");

/** It did not work this time either. */
export const handOverFailed = (): UserMessage =>
  error(9000623, "It still isn't working. You stay signed in; try again in a moment.");
