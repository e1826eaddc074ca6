// SPDX-License-Identifier: Apache-2.0

import { hasFunction, longestTimerMs, reachNames } from "../check-reach.ts";
import type { Ostiary } from "../client.ts";
import { type OptionNames, refuseUnknownOptions } from "../options.ts";
import type { Reach } from "../transport.ts";
import { cookieNameOf } from "./cookies.ts";
import type { CookieRules } from "./credential.ts";
import { originSet } from "./origin.ts";
import type { SessionRefusedError } from "./refusal.ts";
import { type Span, spanMs } from "./span.ts";

/** A property that a proof of a session can be asked for. */
export type MethodPropertyName = "phishing_resistant" | "user_verified";

/** How much is asked for: the session alone, or with the identity that it belongs to. */
export type GuardView = "session" | "identity";

/** The demands of a guard, and the server that it asks. */
export type GuardOptions<View extends GuardView = "identity"> = GuardRules<View> & GuardReach;

/** How a guard by the methods' `access` option checks, and the server that it asks. The demands are in the option. */
export type AccessGuardOptions<View extends GuardView = "identity"> = CheckRules<View> & GuardReach;

/** The server that a guard asks: the URL of the public listener, or existing clients of it. */
export type GuardReach =
  | (Reach & { readonly ostiary?: undefined })
  | { readonly ostiary: Pick<Ostiary, "sessions"> };

/** What a guard demands. */
export interface GuardRules<View extends GuardView = "identity"> extends CheckRules<View> {
  /** The least assurance level that will do. Default: any. */
  readonly assuranceLevel?: "aal1" | "aal2" | undefined;
  /**
   * The longest time since the person last proved who they are: from a second to 10,000 years, or `privileged`, the time in
   * which Ostiary lets them change secrets and addresses (`flows.settings.privileged_for`). Default: no limit.
   */
  readonly maxAge?: Span | "privileged" | undefined;
  /**
   * Properties that proofs of the session must have, each at least once. A property that no method of Ostiary has refuses
   * everybody. Default: none.
   */
  readonly methodProperties?: readonly MethodPropertyName[] | undefined;
  /** The kind of verified address that the person must have. Default: none is needed. */
  readonly verifiedAddress?: "any" | "email" | "phone" | undefined;
  /** Whether no required action may be pending. Default: no. */
  readonly noPendingActions?: boolean | undefined;
  /**
   * Gets the error that a handler of `node` threw or rejected with, after 500 was answered; node:http itself has no error
   * handler. An error that this callback throws is ignored. Default: `console.error`. Other frameworks have error handlers of
   * their own.
   */
  readonly onHandlerError?: ((error: unknown) => unknown) | undefined;
}

/** How every guard checks a session. */
export interface CheckRules<View extends GuardView = "identity"> {
  /**
   * What to ask for. Default: `identity`, the session and whose it is. Traits are personal data, so `session` is the
   * better choice where the identity's id is enough.
   */
  readonly view?: View | undefined;
  /**
   * Origins of other pages that may make requests with a cookie, for example `https://app.example.com`. Default:
   * none but the request's own. Bearer tokens need none: no browser adds them by itself.
   */
  readonly allowedOrigins?: readonly string[] | undefined;
  /** The server's `session.cookie.name`. Default: `ostiary_session`. */
  readonly cookieName?: string | undefined;
  /**
   * Whether the session cookie without `__Host-` or `__Secure-` counts, which Ostiary sets where its `public_url` is http.
   * Any page of a sibling host could set it. Default: only for requests of this machine to this machine that no proxy has
   * passed on.
   */
  readonly allowInsecureCookies?: boolean | undefined;
  /** How long a check may take: from a millisecond to 24 days. Default: 5 seconds. */
  readonly checkTimeout?: Span | undefined;
  /**
   * Told of each check that failed for a reason that is not the request's, before 503 is answered; for the log. It is not
   * waited for, and what it throws or rejects with is ignored.
   */
  readonly onUnavailable?: ((error: SessionRefusedError) => unknown) | undefined;
}

const checkNames = {
  view: true,
  allowedOrigins: true,
  cookieName: true,
  allowInsecureCookies: true,
  checkTimeout: true,
  onUnavailable: true,
} as const;

const optionNames: OptionNames<GuardOptions<GuardView>> = {
  ...reachNames,
  ostiary: true,
  assuranceLevel: true,
  maxAge: true,
  methodProperties: true,
  verifiedAddress: true,
  noPendingActions: true,
  ...checkNames,
  onHandlerError: true,
};

const accessOptionNames: OptionNames<AccessGuardOptions<GuardView>> = {
  ...reachNames,
  ostiary: true,
  ...checkNames,
};

/** What the contract calls some of the options. */
const contractNames = {
  freshness: "maxAge",
  methodProperty: "methodProperties",
  method_property: "methodProperties",
} as const;

/** The longest span that a Duration of Protobuf can hold: 10,000 years. */
const longestAgeMs = 315_576_000_000_000;

/** The options of a guard, as its check uses them. */
export interface GuardSettings extends CheckSettings {
  readonly assuranceLevel: "aal1" | "aal2" | undefined;
  readonly maxAgeMs: number | "privileged" | undefined;
  readonly methodProperties: readonly MethodPropertyName[];
  readonly verifiedAddress: "any" | "email" | "phone" | undefined;
  readonly noPendingActions: boolean;
}

/** The options that every check uses, for all demands. */
export interface CheckSettings {
  readonly withIdentity: boolean;
  readonly allowedOrigins: ReadonlySet<string>;
  readonly cookies: CookieRules;
  readonly timeoutMs: number;
  readonly onUnavailable: CheckRules["onUnavailable"];
}

/**
 * Reads the options of a guard. Throws a TypeError for those that cannot be meant.
 *
 * Security rule (SR-SDK-4): a misspelt demand from untyped code, name or value, must not become no demand.
 */
export function readGuardOptions(options: GuardOptions<GuardView>): GuardSettings {
  refuseUnknownOptions("requireSession", options, optionNames, contractNames);
  const { assuranceLevel, maxAge, verifiedAddress, methodProperties = [], noPendingActions } = options;
  const settings = readCheckRules(options);
  oneOf("assuranceLevel", assuranceLevel, ["aal1", "aal2"]);
  oneOf("verifiedAddress", verifiedAddress, ["any", "email", "phone"]);
  if (!Array.isArray(methodProperties)) throw new TypeError("methodProperties must be a list");
  for (const property of methodProperties) {
    oneOf("methodProperties", String(property), ["phishing_resistant", "user_verified"]);
  }
  trueOrFalse("noPendingActions", noPendingActions);
  listener("onHandlerError", options.onHandlerError);
  return {
    ...settings,
    assuranceLevel,
    maxAgeMs:
      maxAge === undefined || maxAge === "privileged" ? maxAge : spanMs("maxAge", maxAge, 1000, longestAgeMs),
    methodProperties: [...new Set(methodProperties)],
    verifiedAddress,
    noPendingActions: noPendingActions === true,
  };
}

/** Reads the options of a guard by the methods' `access` option. Throws a TypeError for an option that makes no sense. */
export function readAccessGuardOptions(options: AccessGuardOptions<GuardView>): CheckSettings {
  refuseUnknownOptions("requireAccess", options, accessOptionNames);
  return readCheckRules(options);
}

function readCheckRules(options: AccessGuardOptions<GuardView>): CheckSettings {
  const { view, allowInsecureCookies, onUnavailable } = options;
  if (options.ostiary !== undefined) checkClients(options);
  oneOf("view", view, ["session", "identity"]);
  trueOrFalse("allowInsecureCookies", allowInsecureCookies);
  listener("onUnavailable", onUnavailable);
  return {
    withIdentity: view !== "session",
    allowedOrigins: originSet(options.allowedOrigins ?? []),
    cookies: { cookieName: cookieNameOf(options.cookieName), allowInsecureCookies },
    timeoutMs: spanMs("checkTimeout", options.checkTimeout ?? "5s", 1, longestTimerMs),
    onUnavailable,
  };
}

function checkClients(options: GuardReach): void {
  if (!hasFunction(options.ostiary?.sessions, "checkSession")) {
    throw new TypeError("ostiary must be clients of the public listener, as of createOstiary");
  }
  for (const name of Object.keys(reachNames)) {
    if (Reflect.get(options, name) !== undefined) {
      throw new TypeError(`${name} has no effect beside ostiary: leave one of them out`);
    }
  }
}

function listener(option: string, value: unknown): void {
  if (value !== undefined && typeof value !== "function") throw new TypeError(`${option} must be a function`);
}

function trueOrFalse(option: string, value: unknown): void {
  if (value !== undefined && typeof value !== "boolean")
    throw new TypeError(`${option} must be true or false`);
}

function oneOf(option: string, value: string | undefined, allowed: readonly string[]): void {
  if (value === undefined || allowed.includes(value)) return;
  throw new TypeError(
    `${option} must be ${allowed.map((name) => `"${name}"`).join(" or ")}: ${String(value)}`,
  );
}
