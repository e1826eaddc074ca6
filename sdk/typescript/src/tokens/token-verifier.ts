// SPDX-License-Identifier: Apache-2.0
import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from "jose";
import { SessionRefusedError } from "../server/refusal.ts";
import { type FetchRequest, headOf, type NodeRequest } from "../server/request-head.ts";
import { isAboutToken, publishedKeys } from "./published-keys.ts";
import { readVerifierOptions, type TokenVerifierOptions, type VerifierSettings } from "./verifier-options.ts";

export type { TokenVerifierOptions } from "./verifier-options.ts";

/** What a token says that was verified. */
export interface VerifiedToken {
  /** The token's own id, `jti`. */
  readonly id: string;
  /** Whose session it was made of, `sub`. */
  readonly identityId: string;
  /** The session, `sid`. */
  readonly sessionId: string;
  readonly tenant: string;
  readonly assuranceLevel: "aal1" | "aal2";
  /** How they signed in, `amr` (RFC 8176). May be empty. */
  readonly methods: readonly string[];
  /** When they last proved who they are, `auth_time`. */
  readonly authenticateTime: Date;
  readonly issueTime: Date;
  readonly expireTime: Date;
  /** All claims, those of a template among them. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Checks tokens. */
export interface TokenVerifier {
  /** What a token says. Rejects with a SessionRefusedError, and nothing else, unless it is good. */
  verify(token: string): Promise<VerifiedToken>;
  /** The same for the bearer token of a request. */
  check(request: FetchRequest | NodeRequest): Promise<VerifiedToken>;
}

/** The type of a session's tokens. */
const tokenType = "ostiary-session+jwt";
/** The longest token that is looked at; the server makes none of more than 4096 characters. */
const longestToken = 8192;
/** The longest that a token is valid. */
const longestLifetimeSeconds = 3600;
const levels = { aal1: 1, aal2: 2 } as const;

/**
 * Makes a verifier of signed tokens. The keys are read with the first token and kept; a token with an unknown key has them read again, at most
 * every ten seconds. Throws a TypeError for options that cannot be meant.
 */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const settings = readVerifierOptions(options);
  const { keysUrl: url, fetch, keysTimeoutMs: timeoutMs } = settings;
  const keys = publishedKeys({ url, fetch, timeoutMs });

  /**
   * Security rule (SR-TOKEN-8): type, algorithm, signature, issuer, audience and times must all be right (RFC 8725, sections 3.1 and 3.8 to 3.12). The
   * header is looked at first, so that nobody has keys read by a token that can be none.
   */
  async function claimsOf(token: string): Promise<JWTPayload> {
    if (typeof token !== "string" || token.length > longestToken) throw wrong("form");
    const { typ, kid, alg } = headerOf(token);
    if (typ !== tokenType) throw wrong("type");
    if (alg === undefined || !settings.algorithms.includes(alg)) throw wrong("algorithm");
    if (typeof kid !== "string" || kid === "") throw wrong("key");
    const { payload } = await jwtVerify(token, keys, {
      algorithms: [...settings.algorithms],
      issuer: settings.issuer,
      requiredClaims: ["sub", "sid", "iat", "exp", "auth_time", "acr", "jti", "tenant"],
      currentDate: settings.now(),
      clockTolerance: settings.toleranceMs / 1000,
    });
    return payload;
  }

  async function verify(token: string): Promise<VerifiedToken> {
    try {
      const verified = readClaims(await claimsOf(token), settings);
      assertMeets(verified, settings);
      return verified;
    } catch (error) {
      throw refusalOf(error);
    }
  }

  return {
    verify,
    async check(request) {
      const authorization = authorizationOf(request);
      if (authorization === undefined || !/^bearer(\s|$)/i.test(authorization)) throw missing();
      return verify(authorization.slice("bearer".length).trim());
    },
  };
}

function headerOf(token: string): ReturnType<typeof decodeProtectedHeader> {
  try {
    return decodeProtectedHeader(token);
  } catch (error) {
    throw wrong("form", error);
  }
}

function authorizationOf(request: FetchRequest | NodeRequest): string | undefined {
  try {
    return headOf(request).header("authorization");
  } catch (error) {
    throw refusalOf(error);
  }
}

/** The claims, each of its kind. */
function readClaims(claims: JWTPayload, { audience, toleranceMs, now }: VerifierSettings): VerifiedToken {
  const { aud, sub, jti, iat, exp, sid, tenant, acr, amr = [], auth_time: authenticatedAt } = claims;
  // A list of audiences is none of this server's, and would let one service use the token at another.
  if (aud !== audience) throw wrong("audience");
  const isText = (value: unknown): value is string => typeof value === "string" && value !== "";
  if (!isText(sub) || !isText(jti) || !isText(sid) || !isText(tenant)) throw wrong("claims");
  if (typeof iat !== "number" || typeof exp !== "number" || typeof authenticatedAt !== "number") {
    throw wrong("claims");
  }
  if (acr !== "aal1" && acr !== "aal2") throw wrong("claims");
  if (!Array.isArray(amr) || !amr.every(isText)) throw wrong("claims");
  const isEarly = iat * 1000 > now().getTime() + toleranceMs;
  if (isEarly || exp - iat > longestLifetimeSeconds) throw wrong("time");
  return {
    id: jti,
    identityId: sub,
    sessionId: sid,
    tenant,
    assuranceLevel: acr,
    methods: amr,
    authenticateTime: new Date(authenticatedAt * 1000),
    issueTime: new Date(iat * 1000),
    expireTime: new Date(exp * 1000),
    claims,
  };
}

/** Throws the refusal of the first demand that a token does not meet: the reasons of a guard that asks the server. */
function assertMeets(token: VerifiedToken, settings: VerifierSettings): void {
  const { assuranceLevel: required, maxAgeMs, toleranceMs } = settings;
  if (settings.isEnded(token.sessionId) !== false) {
    throw refused("SESSION_REVOKED", "The session was ended.", "Log in again.");
  }
  if (required !== undefined && levels[token.assuranceLevel] < levels[required]) {
    const metadata = { required, actual: token.assuranceLevel };
    throw refused(
      "SESSION_ASSURANCE_TOO_LOW",
      "The login was not strong enough.",
      "Log in with a second factor.",
      metadata,
    );
  }
  const age = settings.now().getTime() - token.authenticateTime.getTime();
  if (maxAgeMs !== undefined && age > maxAgeMs + toleranceMs) {
    const metadata = { maxAgeSeconds: String(maxAgeMs / 1000) };
    throw refused("SESSION_AUTHENTICATION_TOO_OLD", "The login is too long ago.", "Log in again.", metadata);
  }
}

/** Security: whatever is not a clear answer about the token is 503, never a pass. */
function refusalOf(error: unknown): SessionRefusedError {
  if (error instanceof SessionRefusedError) return error;
  if (error instanceof errors.JWTExpired) {
    return refused("SESSION_EXPIRED", "The token has expired.", "Ask the server for another one.");
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    return wrong(error.claim === "iss" ? "issuer" : "claims", error);
  }
  if (error instanceof errors.JWKSNoMatchingKey) return wrong("key", error);
  if (error instanceof errors.JWSSignatureVerificationFailed) return wrong("signature", error);
  if (isAboutToken(error)) return wrong("form", error);
  return new SessionRefusedError({
    status: 503,
    reason: "OSTIARY_UNAVAILABLE",
    message: "The token could not be checked.",
    remedy: "Try again later.",
    retryAfterMs: 1_000,
    cause: error,
  });
}

/** What is wrong with a token, in the metadata `problem`. */
type Problem =
  | "form"
  | "type"
  | "algorithm"
  | "key"
  | "signature"
  | "issuer"
  | "audience"
  | "time"
  | "claims";

function wrong(problem: Problem, cause?: unknown): SessionRefusedError {
  const reason = problem === "form" ? "SESSION_TOKEN_MALFORMED" : "SESSION_TOKEN_UNKNOWN";
  const remedy = "Send a token that IssueToken has made for this service.";
  return refused(reason, "This is no token for this service.", remedy, { problem }, cause);
}

function missing(): SessionRefusedError {
  const remedy =
    "Send the header Authorization: Bearer with a token that IssueToken has made for this service.";
  return refused("SESSION_CREDENTIAL_MISSING", "The call has no bearer token.", remedy);
}

function refused(
  reason: SessionRefusedError["reason"],
  message: string,
  remedy: string,
  metadata: Readonly<Record<string, string>> = {},
  cause?: unknown,
): SessionRefusedError {
  return new SessionRefusedError({ status: 401, reason, message, remedy, metadata, cause });
}
