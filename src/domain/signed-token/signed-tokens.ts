import { domainError } from "../errors.ts";
import type { Identity } from "../identity/identity.ts";
import { pendingActions } from "../identity/required-actions.ts";
import type { IdentitySchemas } from "../identity/schemas.ts";
import type { JsonObject } from "../json.ts";
import type { Clock, Logger } from "../ports.ts";
import { Secret } from "../secret.ts";
import { idleExpiry } from "../session/lifetime.ts";
import type { AuthenticatedSession, Session } from "../session/session.ts";
import type { Tenant } from "../tenant/tenant.ts";
import { sessionClaims } from "./claims.ts";
import type { SigningKeys } from "./signing-keys.ts";

interface Deps {
  readonly keys: SigningKeys;
  readonly schemas: Pick<IdentitySchemas, "traitsForOwner">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of each token. Default: nobody is. */
  readonly onIssued?: ((issued: { readonly template: string }) => void) | undefined;
}

/** What the holder of a session asks for. */
export interface TokenAsk {
  /** Empty: the usual one. */
  readonly audience: string;
  /** Undefined: the usual one. */
  readonly lifetimeMs: number | undefined;
  /** The name of a template. Empty: `default`, if there is one. */
  readonly template: string;
}

/** A token just made. */
export interface SignedToken {
  readonly token: Secret;
  readonly expiresAt: Date;
}

/** The type of these tokens, so that a token of another kind is none of them (RFC 8725, section 3.11). */
const tokenType = "ostiary-session+jwt";
/** The most characters of a token. Servers take 8 KiB for a header, and some for all of them. */
const maxTokenLength = 4096;
const defaultTemplate = "default";

/** Makes short-lived signed tokens of sessions. */
export class SignedTokens {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /**
   * A token of a session that was looked up just now. Throws FEATURE_OFF, TOKEN_AUDIENCE_NOT_ALLOWED, TOKEN_TEMPLATE_UNKNOWN,
   * TOKEN_CLAIMS_FAILED, TOKEN_TOO_LARGE.
   *
   * Security rule (SR-TOKEN-2): a token is for one audience of the list, so that no service can use it at another one, and ends with the
   * session at the latest.
   */
  async issue(
    tenant: Tenant,
    shown: AuthenticatedSession,
    { audience, lifetimeMs, template }: TokenAsk,
  ): Promise<SignedToken> {
    const { signedTokens: tokens } = tenant.settings;
    const [usual] = tokens.audiences;
    if (usual === undefined) throw notConfigured();
    if (audience !== "" && !tokens.audiences.includes(audience)) {
      throw domainError("TOKEN_AUDIENCE_NOT_ALLOWED", { audience });
    }
    const asked = { audience: audience || usual, lifetimeMs: lifetimeMs ?? tokens.lifetimeMs, template };
    return this.issueFor(tenant, shown, asked);
  }

  /** The same for an audience that the operator has named elsewhere. Throws TOKEN_TEMPLATE_UNKNOWN, TOKEN_CLAIMS_FAILED, TOKEN_TOO_LARGE. */
  async issueFor(
    tenant: Tenant,
    { session, identity }: AuthenticatedSession,
    { audience, lifetimeMs, template }: TokenAsk & { readonly lifetimeMs: number },
  ): Promise<SignedToken> {
    const { signedTokens: tokens } = tenant.settings;
    const now = this.#deps.clock.now();
    const name = template === "" && tokens.templates.has(defaultTemplate) ? defaultTemplate : template;
    const further = await this.#claimsOf(tenant, name, { session, identity });
    const expiresAt = endOf(tenant, session, now, lifetimeMs);
    const claims: JsonObject = {
      ...further,
      iss: tokens.issuer,
      aud: audience,
      iat: Math.floor(now.getTime() / 1000),
      exp: expiresAt.getTime() / 1000,
      jti: crypto.randomUUID(),
      tenant: tenant.name,
      ...sessionClaims(session),
    };
    const token = await this.#deps.keys.sign(tenant, tokenType, claims, expiresAt);
    if (token.length > maxTokenLength) {
      throw domainError("TOKEN_TOO_LARGE", { template: name, limitBytes: String(maxTokenLength) });
    }
    this.#deps.onIssued?.({ template: name });
    return { token: new Secret(token), expiresAt };
  }

  async #claimsOf(tenant: Tenant, name: string, holder: AuthenticatedSession): Promise<JsonObject> {
    if (name === "") return {};
    const template = tenant.settings.signedTokens.templates.get(name);
    if (template === undefined) throw domainError("TOKEN_TEMPLATE_UNKNOWN", { template: name });
    const filled = template.fill(await this.#factsOf(tenant, holder));
    if (filled.kind === "filled") return filled.claims;
    const { claim, reason } = filled;
    this.#deps.logger.warn(
      { template: name, claim, reason, identityId: holder.identity.id },
      "a claim of a token cannot be computed",
    );
    throw domainError("TOKEN_CLAIMS_FAILED", { template: name, claim });
  }

  /**
   * What expressions see. Security rule (SR-TOKEN-7): no secret, no admin metadata, and no trait that even its owner is not shown.
   */
  async #factsOf(tenant: Tenant, { session, identity }: AuthenticatedSession): Promise<JsonObject> {
    const traits = await this.#deps.schemas.traitsForOwner(tenant, identity);
    const pending = pendingActions(identity, tenant.settings, this.#deps.clock.now());
    return {
      session: { ...factsOfSession(session), pending_actions: [...new Set(pending.map(({ kind }) => kind))] },
      identity: factsOfIdentity({ ...identity, traits }),
    };
  }
}

function factsOfSession(session: Session): JsonObject {
  return {
    id: session.id,
    create_time: secondsOf(session.createdAt),
    authenticate_time: secondsOf(session.authenticatedAt),
    expire_time: secondsOf(session.expiresAt),
    assurance_level: session.assuranceLevel,
    authentication_methods: session.authenticationMethods.map(
      ({ kind, purpose, assuranceLevel, provider }) => ({
        kind,
        purpose,
        assurance_level: assuranceLevel,
        ...(provider !== undefined && { provider }),
      }),
    ),
  };
}

function factsOfIdentity(identity: Identity): JsonObject {
  return {
    id: identity.id,
    ...(identity.externalId !== undefined && { external_id: identity.externalId }),
    schema_id: identity.schemaId,
    create_time: secondsOf(identity.createdAt),
    display_name: identity.displayName,
    traits: identity.traits,
    public_metadata: identity.publicMetadata,
    verified_addresses: identity.verifiableAddresses
      .filter(({ verifiedAt }) => verifiedAt !== undefined)
      .map(({ kind, value, path }) => ({ kind, value, path })),
  };
}

/** When a token ends: with its lifetime or its session, whichever is earlier, in whole seconds. The session is used just now. */
function endOf(tenant: Tenant, session: Session, now: Date, lifetimeMs: number): Date {
  const idle = idleExpiry({ ...session, lastUsedAt: now }, tenant.settings.session);
  const ends = [now.getTime() + lifetimeMs, session.expiresAt.getTime(), ...(idle ? [idle.getTime()] : [])];
  return new Date(Math.floor(Math.min(...ends) / 1000) * 1000);
}

function secondsOf(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

function notConfigured(): Error {
  const key = "tenant_defaults.session.tokens.audiences";
  return domainError(
    "FEATURE_OFF",
    { field: key },
    { message: `No tokens are issued: ${key} names no audience.` },
  );
}
