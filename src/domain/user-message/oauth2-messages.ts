import { error, info, type UserMessage } from "./user-message.ts";

/*
 * What is said of a login that an OAuth2 server asked for, and could not be told of.
 */

/** The heading. */
export const handOverTitle = (): UserMessage => info(9000620, "You are signed in");

/** Its subtitle. */
export function handOverHelp(application: string): UserMessage {
  const name = application === "" ? "The application that you came from" : application;
  return info(9000621, `${name} could not be told yet. Nothing is lost: try again in a moment.`, {
    application,
  });
}

/** The button that tries again. */
export const handOverAgain = (): UserMessage => info(9000622, "Try again");

/** It did not work this time either. */
export const handOverFailed = (): UserMessage =>
  error(9000623, "It still does not work. Your sign-in stays; try again in a moment.");
