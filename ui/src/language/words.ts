import type { Catalogue } from "@ostiary/sdk/form";
import type { Said } from "../navigation.ts";

/** Everything that the pages say, in one language: their own words, and the catalogue of forms and messages. */
export interface Words extends PageWords, Catalogue {
  /** How the reader writes numbers and times (BCP 47): the browser's own kind of the language. */
  readonly locale: string;
}

/** The words of the pages alone. */
export interface PageWords {
  /** The language's tag (BCP 47). */
  readonly tag: string;
  /** The language's name in itself. */
  readonly name: string;
  readonly cannotReach: string;
  readonly tryAgain: string;
  readonly language: string;
  readonly login: FlowWords;
  readonly registration: FlowWords;
  readonly verification: FlowWords;
  readonly recovery: FlowWords;
  readonly settings: FlowWords;
  /** Said where a code or link to sign in was asked for, whether or not one was sent. */
  readonly nothingCame: { readonly text: string; readonly link: string };
  /** Said where an OAuth2 server has sent the person; `{name}` is the application that they go on to. */
  readonly forApplication: string;
  /** The button that leaves the offer to make a passkey. */
  readonly notNow: string;
  /** Shown instead of the registration link when registration is by invitation only. */
  readonly invitationOnly: string;
  readonly account: AccountWords;
  /** The buttons below a question. */
  readonly question: { readonly confirm: string; readonly cancel: string };
  readonly deletion: DeletionWords;
  readonly sessions: SessionWords;
  readonly logout: LogoutWords;
  readonly notFound: { readonly title: string; readonly text: string; readonly start: string };
  readonly around: AroundWords;
  readonly ways: WayWords;
  readonly meanwhile: MeanwhileWords;
  readonly signedIn: SignedInWords;
  readonly marked: MarkedWords;
  readonly said: Readonly<Record<Said, string>>;
  readonly area: AreaWords;
  readonly activity: ActivityWords;
}

/** What stands around every page. */
export interface AroundWords {
  readonly terms: string;
  readonly privacy: string;
  readonly support: string;
  /** Shown where messages are sent to nobody, and the words of the link to them. */
  readonly development: string;
  readonly mailbox: string;
}

/** The buttons that lead on from something that did not work. */
export interface WayWords {
  readonly signIn: string;
  readonly startAgain: string;
  readonly goOn: string;
  readonly reload: string;
  /** Leaves the question who one is, and goes back to the settings. */
  readonly cancel: string;
  /** Back to the app that sent the person here. */
  readonly toApp: string;
}

/** What is said where something has happened that the page did not know of. */
export interface MeanwhileWords {
  /** In another tab; the form shows how far it has come. */
  readonly movedOn: string;
  /** What the flow was for is done, and nobody is signed in here. */
  readonly done: string;
  readonly created: string;
  /** A flow cannot be used any more, and this is a fresh one. */
  readonly gone: string;
  /** The account was changed elsewhere, and what was filled in is in a fresh form. */
  readonly changed: string;
  /** The person was signed out, has signed in again, and finds what they had filled in. */
  readonly filledIn: string;
  /** They are to sign in before they go on. */
  readonly interrupted: string;
  readonly cookiesBlocked: string;
  /** The server, or what is before it, does not answer in time. */
  readonly tooSlow: string;
}

/** What is said to somebody who is about to sign in and has done so; `{name}` is who. */
export interface SignedInWords {
  readonly title: string;
  readonly text: string;
  readonly another: string;
  readonly goOn: string;
  readonly useAnother: string;
}

/** What is said on every page to the owner of an account that will be deleted; `{date}` is when. */
export interface MarkedWords {
  readonly text: string;
  readonly keep: string;
  readonly leave: string;
}

/** What the page of a flow says around its form. */
export interface FlowWords {
  readonly title: string;
  /** What leads to the page that people may have meant, and the words of the link. */
  readonly other: string;
  readonly link: string;
}

/** About the account that settings change; `{name}` is what its owner knows it by. */
export interface AccountWords {
  /** In place of a form that was of somebody else's account. */
  readonly another: string;
}

/** What is said about the end of an account. */
export interface DeletionWords {
  /** Said afterwards; `{time}` is when. */
  readonly scheduled: string;
  readonly deleted: string;
  readonly keep: string;
  readonly goOn: string;
}

/** What the page says that asks before it signs out. */
export interface LogoutWords {
  readonly title: string;
  readonly question: string;
  readonly confirm: string;
  readonly stay: string;
}

/** What the page of sessions says. */
export interface SessionWords {
  readonly title: string;
  /** `{name}` is who is signed in. */
  readonly signedInAs: string;
  /** The browser also has the cookie of a session of another account. `{name}` is who is signed in. */
  readonly otherAccount: string;
  readonly current: string;
  readonly device: string;
  /** `{browser}` on `{system}`. */
  readonly browserOn: string;
  readonly unknownDevice: string;
  readonly signedIn: string;
  readonly lastUsed: string;
  readonly expires: string;
  readonly extend: string;
  readonly extended: string;
  readonly logOut: string;
  readonly revoke: string;
  /** The full name of the button for screen readers; `{device}` is which. */
  readonly revokeNamed: string;
  readonly revoked: string;
  readonly others: string;
  readonly revokeOthers: string;
  /** `{count}` is how many. */
  readonly othersRevoked: string;
  readonly none: string;
  readonly more: string;
}

/** What is said around the pages of an account. */
export interface AreaWords {
  /** What the pages are together. */
  readonly title: string;
  readonly settings: string;
  readonly devices: string;
  readonly activity: string;
  /** Above the sections of a long page. */
  readonly onThisPage: string;
  /** The title of a page on which something is wrong; `{title}` is its own. */
  readonly wrong: string;
}

/** What the page says that lists logins. */
export interface ActivityWords {
  readonly title: string;
  readonly help: string;
  /** What happened, by its purpose and outcome. */
  readonly signedIn: string;
  readonly confirmed: string;
  readonly registered: string;
  readonly recovered: string;
  readonly failed: string;
  /** Beside what was done on this device in the session that is under way. */
  readonly thisSession: string;
  readonly none: string;
  readonly more: string;
  /** What it was done with. */
  readonly methods: Readonly<Record<MethodName, string>>;
}

/** The methods by name. */
export type MethodName = "password" | "code" | "link" | "totp" | "backupCode" | "passkey" | "oidc" | "sms";
