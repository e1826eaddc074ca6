import type { FormTexts, MessageTexts } from "@ostiary/sdk/form";

/** Everything that the pages say, in one language. */
export interface Words {
  /** The language's tag (BCP 47). */
  readonly tag: string;
  /** The language's name in itself. */
  readonly name: string;
  readonly form: FormTexts;
  /**
   * The server's messages, of forms and errors, by their permanent numbers. A message that is not here is shown in the server's
   * words.
   */
  readonly messages: MessageTexts;
  readonly cannotReach: string;
  readonly tryAgain: string;
  readonly language: string;
  readonly login: FlowWords;
  readonly registration: FlowWords;
  readonly verification: FlowWords;
  readonly recovery: FlowWords;
  readonly settings: FlowWords;
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
  readonly example: {
    readonly identifier: string;
    readonly password: string;
    readonly submit: string;
    readonly wrong: string;
  };
  readonly notFound: { readonly title: string; readonly text: string };
  readonly area: AreaWords;
  readonly activity: ActivityWords;
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
  /** Said afterwards; `{date}` is when. */
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
  /** `{count}` sessions were ended. */
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
