import type { FlowKind } from "../kinds.ts";
import type { Argon2Parameters, TenantScope } from "../ports.ts";
import type { Provider } from "../provider/provider.ts";
import type { Branding } from "./branding.ts";
import type { HostPattern } from "./protected-hosts.ts";
import type { ThrottleSettings } from "./throttle-settings.ts";
import type { TokenSettings } from "./token-settings.ts";

/** Whether new passwords may be ones that are known from breaches. */
export interface BreachCheckSettings {
  readonly enabled: boolean;
  /** Count of breaches from which a password is refused; at least 1. */
  readonly minCount: number;
  /** When another one is asked for, where a password turns out to be known that somebody has signed in with. */
  readonly atLogin: "off" | "when_convenient" | "before_session";
  /** Treatment of a password while the service cannot be reached. */
  readonly whenUnavailable: "accept" | "refuse";
}

/** The settings of a tenant, checked and complete. Durations are in milliseconds. */
export interface TenantSettings {
  /** The public listener's address as clients see it, without a path or slash at the end. */
  readonly publicUrl: string;
  /** Origins of pages that may call with cookies; those of publicUrl and the ui urls are among them. */
  readonly allowedOrigins: ReadonlySet<string>;
  /** Origins of pages that are native apps: they use native flows and tokens, never cookies. None is in allowedOrigins. */
  readonly nativeOrigins: ReadonlySet<string>;
  readonly allowedReturnUrls: ReadonlySet<string>;
  readonly defaultReturnUrl: string | undefined;
  /** The hosts of the rules of forward auth, whose pages browsers may be sent back to. */
  readonly protectedHosts: readonly HostPattern[];
  readonly branding: Branding;
  /** The URL of the development mailbox; empty if there is none. */
  readonly mailboxUrl: string;
  /** The page that draws each kind of flow. Links in messages lead there. */
  readonly uiUrls: Readonly<Record<FlowKind, string | undefined>>;
  readonly login: {
    readonly lifetimeMs: number;
    /** Whether a login is one form, or asks for the identifier first. */
    readonly style: "one_step" | "identifier_first";
    /** Whether the owner is told of logins on devices that are not known. */
    readonly newDeviceNotice: boolean;
  };
  readonly registration: {
    readonly lifetimeMs: number;
    /** People who can make an account: all, only those with an invitation, or none. */
    readonly mode: "open" | "invitation" | "closed";
    /** Whether the address is proven before there is an account. */
    readonly addressProof: "none" | "before_session";
    /** Whether traits and method are asked for at once, or the traits first. */
    readonly style: "one_step" | "profile_first";
    readonly invitationLifetimeMs: number;
  };
  readonly verification: {
    readonly lifetimeMs: number;
    readonly enabled: boolean;
    readonly afterRegistration: boolean;
  };
  readonly recovery: {
    readonly lifetimeMs: number;
    readonly enabled: boolean;
    /** Whether the session comes before the new secret is set. */
    readonly sessionAtOnce: boolean;
    /** How long a recovery waits that asks for nothing beside the address. 0: it does not. */
    readonly holdMs: number;
  };
  readonly settings: {
    readonly lifetimeMs: number;
    /** Time after a login in which secrets and addresses can be changed. */
    readonly privilegedMs: number;
    readonly accountDeletion: {
      readonly enabled: boolean;
      /** Period of grace of a deletion; 0: the account is deleted at once. */
      readonly graceMs: number;
    };
  };
  readonly code: {
    readonly enabledFor: ReadonlySet<FlowKind>;
    /** In digits. */
    readonly length: number;
    readonly lifetimeMs: number;
    readonly maxTries: number;
    /** Time until another code or link can be asked for. */
    readonly resendAfterMs: number;
  };
  readonly link: { readonly enabledFor: ReadonlySet<FlowKind>; readonly lifetimeMs: number };
  readonly secondFactor: {
    /** Whether logins ask for a second factor: never, where one is set up, or of everybody. */
    readonly policy: "optional" | "required_if_enrolled" | "required";
    /** Where it is `required`: how long somebody without one can put it off, from the first login on. */
    readonly graceMs: number;
  };
  /** The documents that people can be asked to accept. */
  readonly terms: readonly TermsDocument[];
  readonly totp: { readonly enabled: boolean };
  /** `count`: how many are made at once. */
  readonly backupCode: { readonly enabled: boolean; readonly count: number };
  readonly passkey: PasskeySettings;
  /** Other providers that people can sign in with, in the order to offer them. */
  readonly providers: readonly Provider[];
  /**
   * Where native apps have the browser go after a login at a provider, compared exactly. Those on the loopback address are without
   * a port; any is taken there.
   */
  readonly nativeReturnUrls: ReadonlySet<string>;
  /** Where providers may send browsers back to after a logout there, compared exactly. The first is the usual one. */
  readonly postLogoutRedirectUrls: readonly string[];
  /** Codes by text message as a second factor. */
  readonly smsFactor: { readonly enabled: boolean; readonly countsAsAal2: boolean };
  readonly sms: SmsSettings;
  readonly session: {
    readonly lifetimeMs: number;
    readonly maxLifetimeMs: number;
    /** 0: no idle limit. */
    readonly idleTimeoutMs: number;
    /** Of sessions with two factors, where they are shorter. 0: no idle limit of their own. */
    readonly aal2: { readonly maxLifetimeMs: number; readonly idleTimeoutMs: number };
    readonly maxParallel: number;
    readonly cookie: {
      /** Without the prefix that https adds. */
      readonly name: string;
      readonly domain: string | undefined;
      readonly persistent: boolean;
    };
  };
  /** The signed tokens that are made of sessions. */
  readonly signedTokens: TokenSettings;
  readonly password: {
    readonly enabled: boolean;
    readonly minLength: number;
    readonly maxLength: number;
    readonly argon2: Argon2Parameters;
    readonly breachCheck: BreachCheckSettings;
  };
  /** Whether answers hide who has an account. */
  readonly enumerationSafe: boolean;
  /** The OAuth2 server that people sign in for. Undefined: there is none. */
  readonly oauth2Server: OAuth2ServerSettings | undefined;
  readonly throttle: ThrottleSettings;
  readonly defaultSchemaId: string;
  /** The ids of the schemas that people can choose when they register. */
  readonly selfServiceSchemaIds: ReadonlySet<string>;
  /** The country whose telephone numbers need no country code (ISO 3166-1). Empty: there is none. */
  readonly defaultCountry: string;
}

/** The OAuth2 server that people sign in for. */
export interface OAuth2ServerSettings {
  /** The URL of its admin API, without a slash at the end. */
  readonly adminUrl: string;
  /** The origin that browsers reach it at. */
  readonly publicOrigin: string;
  /** How long each of its answers is waited for. */
  readonly timeoutMs: number;
}

/** The settings of all text messages. */
export interface SmsSettings {
  /** The countries that they are sent to, by their ISO 3166-1 codes. Undefined: to all, where none leaves the machine. */
  readonly countries: ReadonlySet<string> | undefined;
  /** How many are sent to each country in a day. */
  readonly dailyBudget: number;
}

/** The settings of passkeys (WebAuthn). */
export interface PasskeySettings {
  readonly enabled: boolean;
  /** The domain that passkeys are made for. */
  readonly rpId: string;
  /** The name that browsers show beside it. */
  readonly rpName: string;
  /** The origins of the pages and apps that may call for one, compared exactly. */
  readonly origins: readonly string[];
  /** Those among them on other domains, which browsers ask for. */
  readonly relatedOrigins: readonly string[];
  /** The Apple apps that may call for one: identifier of the team, dot, identifier of the app. */
  readonly appleApps: readonly string[];
  readonly androidApps: readonly AndroidApp[];
  readonly userVerification: "preferred" | "required" | "discouraged";
  /** Whether they sign in by themselves, beside another first proof, or both. */
  readonly useAs: "first" | "second" | "either";
  /** Whether a login by password offers an account without a passkey to make one. */
  readonly offerAfterLogin: boolean;
}

/** A document that people can be asked to accept, as it is now. */
export interface TermsDocument {
  readonly id: string;
  readonly version: string;
  readonly title: string;
  readonly url: string;
}

/** An Android app that may call for passkeys. */
export interface AndroidApp {
  readonly packageName: string;
  /** SHA-256 of the certificates that it is signed with: pairs of upper-case hexadecimal digits between colons. */
  readonly fingerprints: readonly string[];
}

/** A tenant. */
export interface Tenant extends TenantScope {
  /** The name within tokens: `default`. Never changes. */
  readonly name: string;
  readonly settings: TenantSettings;
}

/** Whether signed tokens are made of the sessions of a tenant. */
export function issuesTokens({ settings }: Pick<Tenant, "settings">): boolean {
  return settings.signedTokens.audiences.length > 0 || settings.protectedHosts.length > 0;
}

/** Finds tenants, from memory. Implemented in src/app.ts; there is one, `default`. */
export interface Tenants {
  /** Undefined if there is none of this name. */
  byName(name: string): Tenant | undefined;
  /** The tenant that a host of the public listener belongs to. */
  byHost(host: string | undefined): Tenant;
}
