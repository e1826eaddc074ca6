import { DomainError, domainError } from "../errors.ts";
import type { SessionCredential } from "../session/credential.ts";
import type { Demand } from "../session/demands.ts";
import type { AuthenticatedSession } from "../session/session.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { ForwardedTokens } from "./forwarded-tokens.ts";
import type { ForwardAuthRules } from "./rules.ts";
import { type ForwardedRequest, readTarget } from "./target.ts";

/** What a request shows of a session; undefined: nothing. */
export type ShownCredential =
  | SessionCredential
  | { readonly kind: "session_cookies"; readonly values: readonly string[] }
  | undefined;

/** A request that a proxy asks about. */
export interface AskedRequest extends ForwardedRequest {
  /** Called only where the rule asks for a session. Throws a SESSION_ reason where what is shown cannot be read. */
  readonly credential: () => ShownCredential;
  /** Whether a person waits for a page, who can be sent to the login. */
  readonly isNavigation: boolean;
}

/** What a proxy is to do. */
export type ForwardAuthVerdict =
  /** `token`: what tells the application who it is; undefined where the rule lets everybody in. */
  | { readonly kind: "allowed"; readonly token: string | undefined }
  /** `loginUrl`: where to send a person, who then comes back. */
  | { readonly kind: "refused"; readonly error: DomainError; readonly loginUrl: string | undefined };

interface Deps {
  readonly rules: ForwardAuthRules;
  readonly sessions: {
    check(
      tenant: Tenant,
      credential: NonNullable<ShownCredential>,
      demands: readonly Demand[],
    ): Promise<AuthenticatedSession>;
  };
  /** What the application gets. */
  readonly tokens: Pick<ForwardedTokens, "tokenFor">;
}

/** Decides for proxies whether a request may go on to the application behind them. */
export class ForwardAuth {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Throws only what is no refusal: a database that is away, for example. Then nobody is let through either. */
  async decide(tenant: Tenant, request: AskedRequest): Promise<ForwardAuthVerdict> {
    const target = readTarget(request);
    if (typeof target === "string")
      return refused(domainError("FORWARD_AUTH_TARGET_AMBIGUOUS", { part: target }));
    const rule = this.#deps.rules.find(target);
    if (rule === undefined) return refused(domainError("FORWARD_AUTH_RULE_MISSING", { host: target.host }));
    const { access } = rule;
    if (access.kind === "anyone") return { kind: "allowed", token: undefined };
    try {
      const credential = request.credential();
      if (credential === undefined) throw domainError("SESSION_CREDENTIAL_MISSING", {});
      const shown = await this.#deps.sessions.check(tenant, credential, access.demands);
      const token = await this.#deps.tokens.tokenFor(tenant, shown, access);
      return { kind: "allowed", token };
    } catch (error) {
      if (!(error instanceof DomainError) || !error.reason.startsWith("SESSION_")) throw error;
      return refused(error, request.isNavigation ? loginUrlOf(tenant, error, target.url) : undefined);
    }
  }
}

function refused(error: DomainError, loginUrl?: string): ForwardAuthVerdict {
  return { kind: "refused", error, loginUrl };
}

/** The page where what is missing can be shown, with what that is; undefined if there is none. */
function loginUrlOf(
  { settings }: Tenant,
  { reason, metadata }: DomainError,
  returnTo: string,
): string | undefined {
  const { login, verification } = settings.uiUrls;
  const page = reason === "SESSION_ADDRESS_UNVERIFIED" ? verification : login;
  if (page === undefined) return undefined;
  const url = new URL(page);
  url.searchParams.set("return_to", returnTo);
  if (!shownByLogin.has(reason)) return url.href;
  url.searchParams.set("refusal", reason);
  for (const name of ["required", "maxAgeSeconds", "property"] as const) {
    if (metadata[name] !== undefined) url.searchParams.set(name, metadata[name]);
  }
  return url.href;
}

/** What somebody who is signed in shows by a login for it alone. */
const shownByLogin: ReadonlySet<string> = new Set([
  "SESSION_ASSURANCE_TOO_LOW",
  "SESSION_AUTHENTICATION_TOO_OLD",
  "SESSION_METHOD_INSUFFICIENT",
]);
