import { englishFormTexts } from "@ostiary/sdk/form";
import { describeDay } from "./day.ts";
import type { Words } from "./words.ts";

/** English. Most messages are said in the server's own words, which are English as well. */
export const english: Words = {
  tag: "en",
  name: "English",
  form: englishFormTexts,
  messages: {
    1010022: "Sign in",
    1040001: "Create account",
    4000002: "Fill this in.",
    4000006: "The e-mail, user name or password is wrong. Check them and try again.",
    4000007: "There is an account with this address or name already.",
    4000009: "Fill in something to sign in with.",
    4000032: "The password needs at least {min_length} characters.",
    4000033: "The password may have at most {max_length} characters.",
    4000034: "This password is known from data breaches. Choose another one.",
    9000050: ({ purge_time: time }) =>
      typeof time === "string"
        ? `This account will be deleted on ${describeDay(new Date(time), "en")}.`
        : undefined,
    9000316: ({ time }) => `Added on ${describeDay(new Date(String(time)), "en")}.`,
    9000324: ({ time }) => `Last used on ${describeDay(new Date(String(time)), "en")}.`,
    9000100: "Fill in a valid date, for example 2026-02-28.",
    9000102: "Fill in a date with a time and its zone, for example 2026-02-28T18:30:00Z.",
    9000103: "Fill in a time with its zone, for example 18:30:00Z.",
    9000104: "Fill in a full address, for example https://example.com/page.",
    9000105: "This does not have the format {format}.",
    // Also shown without an error.
    9000531:
      "This browser had several sessions at once, so it was signed out and they were removed. Sign in again.",
  },
  cannotReach: "The server cannot be reached. Check your connection and try again.",
  tryAgain: "Try again",
  language: "Language",
  login: { title: "Sign in", other: "No account yet?", link: "Create one" },
  registration: { title: "Create an account", other: "Have an account?", link: "Sign in" },
  verification: { title: "Verify your address", other: "Not now?", link: "Your sessions" },
  recovery: { title: "Recover your account", other: "Remembered it?", link: "Sign in" },
  settings: { title: "Your account", other: "Where are you signed in?", link: "Your sessions" },
  forApplication: "You go on to {name} afterwards.",
  notNow: "Not now",
  invitationOnly: "Accounts are made by invitation only.",
  account: {
    another:
      "Somebody else has signed in in this browser meanwhile. This is the account of {name}. What you had filled in was not saved.",
  },
  question: { confirm: "Yes, go on", cancel: "No, leave it" },
  deletion: {
    scheduled: "Your account will be deleted on {date}.",
    deleted: "Your account was deleted.",
    keep: "If you change your mind, sign in before then and keep it.",
    goOn: "Go on",
  },
  logout: {
    title: "Sign out",
    question: "Do you want to sign out of this browser?",
    confirm: "Sign out",
  },
  sessions: {
    title: "Your sessions",
    signedInAs: "Signed in as {name}.",
    otherAccount: "This is the account of {name}. This browser was also signed in to another one.",
    current: "This device",
    device: "Device",
    browserOn: "{browser} on {system}",
    unknownDevice: "Unknown device",
    lastUsed: "Last used",
    expires: "Ends",
    extend: "Stay signed in longer",
    extended: "This session was extended.",
    logOut: "Sign out",
    revoke: "End",
    revokeNamed: "End the session of {device}",
    revoked: "The session was ended.",
    others: "Other devices",
    revokeOthers: "End all others",
    othersRevoked: "Other sessions ended: {count}.",
    none: "You are signed in nowhere else.",
    more: "Show more",
  },
  example: {
    identifier: "E-mail",
    password: "Password",
    submit: "Sign in",
    wrong: "The e-mail or the password is wrong.",
  },
  notFound: { title: "Nothing here", text: "There is no page at this address." },
  ways: {
    signIn: "Sign in",
    startAgain: "Start again",
    goOn: "Continue",
    reload: "Reload the page",
    cancel: "Cancel",
    toApp: "Continue to the app",
  },
  meanwhile: {
    movedOn: "This has gone on in the meantime, maybe in another tab. This is how far it has come.",
    done: "This was done already, in another tab or on another device. To sign in here as well, continue below.",
    created: "Your account was created already, in another tab or on another device. Sign in to it.",
    gone: "This page was out of date, and here is a fresh one. Check what you filled in, and send it again.",
    changed:
      "Your account was changed elsewhere in the meantime. Check what you filled in, and send it again.",
    filledIn: "You were signed out in the meantime. What you had filled in is here again, except passwords.",
    interrupted: "You are not signed in any more. Sign in, and you come back to where you were.",
    cookiesBlocked:
      "Your browser does not keep cookies for this page, and without them nobody can sign in. Allow cookies, and try again.",
    tooSlow: "The server does not answer in time. Try again in a moment.",
  },
  signedIn: {
    title: "You are signed in",
    text: "You are signed in as {name}.",
    another: "If you sign in with another account, it takes the place of this one in this browser.",
    goOn: "Continue as {name}",
    useAnother: "Use another account",
  },
  marked: {
    text: "Your account will be deleted on {date}.",
    keep: "Keep the account",
    leave: "Leave it",
  },
  said: {
    created: "Your account was created.",
    verified: "Your address is verified.",
    passwordSet: "Your new password is set, and you are signed in.",
    signedIn: "You are signed in.",
    kept: "Your account is kept.",
    doneBefore: "This was done already, and nothing was done twice.",
  },
};
