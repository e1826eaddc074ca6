import type { JWTPayload, JWTVerifyResult } from "jose";
import type { Clock } from "../../domain/ports.ts";
import type { Provider } from "../../domain/provider/provider.ts";
import { isStorableText } from "../../domain/storable-text.ts";
import type { ProviderKeySet, ProviderKeys } from "./provider-keys.ts";
import { type ProviderMetadata, tenantPlaceholder } from "./provider-metadata.ts";
import { invalid, type ProviderProblem } from "./provider-problem.ts";

/** What tokens of a provider are checked with. */
export interface TokenDeps {
  readonly keys: ProviderKeys;
  readonly clock: Clock;
}

/** What a token must be like. */
export interface TokenExpectation {
  /** The token's name in problems. */
  readonly what: string;
  /** In lower case; a token without a type is taken. */
  readonly types: readonly string[];
  /** The token is for one of these clients. */
  readonly audiences: readonly string[];
}

/** A token whose signature, issuer, audience and times were checked. */
export interface SignedToken {
  readonly algorithm: string;
  readonly issuer: string;
  readonly payload: JWTPayload & { readonly iat: number; readonly exp: number };
}

/**
 * Signatures by a key pair.
 *
 * Security rule (SR-OIDC-2): `none` is nobody's signature, and HS256 is one that the client secret, or a public key taken as a
 * secret, would make.
 */
const algorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];
/** The largest token that is read: claims of 32 KiB in base64url, and a signature. */
const maxTokenLength = 48 * 1024;
/** How far the clocks of two machines may be apart. */
export const clockToleranceSeconds = 30;
const maxTextLength = 255;

/** Checks a token that a provider has signed. Throws ProviderProblem. */
export async function checkSignedToken(
  { keys, clock }: TokenDeps,
  provider: Provider,
  metadata: ProviderMetadata,
  token: string,
  { what, types, audiences }: TokenExpectation,
): Promise<SignedToken> {
  const no = (why: string): ProviderProblem => invalid(`${what}: ${why}`);
  if (token.length > maxTokenLength) throw no("it is too long");
  const { protectedHeader, payload, keySet } = await verify(
    { keys, clock },
    provider,
    metadata,
    token,
    allowedAlgorithms(metadata),
    no,
  );
  const { alg, typ } = protectedHeader;
  // A token of another kind says the same things and means something else (RFC 8725, section 3.11).
  if (typ !== undefined && !types.includes(String(typ).toLowerCase())) throw no("its type is another");

  const issuer = issuerOf(provider, payload);
  // Security rule (SR-OIDC-4): the issuer is compared exactly, slashes and case included.
  if (issuer === undefined || payload.iss !== issuer) throw no("its issuer is another");
  const isShared = provider.quirks.has("tenant_in_issuer");
  if (isShared && !isKeyOfIssuer(keySet, protectedHeader.kid, payload, issuer)) {
    throw no("its key is of another issuer");
  }
  const { aud, azp, exp, iat } = payload as JWTPayload & { azp?: unknown };
  const clients: unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!clients.some((client) => audiences.includes(client as string))) throw no("it is for another client");
  // OpenID Connect Core 1.0, section 3.1.3.7, steps 4 and 5.
  if (clients.length > 1 && azp === undefined) throw no("it is for several clients, and names no party");
  if (azp !== undefined && !audiences.includes(azp as string)) throw no("it was issued to another party");
  if (typeof exp !== "number" || typeof iat !== "number") throw no("it has no time");
  if (iat > clock.now().getTime() / 1000 + clockToleranceSeconds) throw no("it is from the future");
  return { algorithm: alg, issuer, payload: { ...payload, exp, iat } };
}

/** A claim that is stored as it is: a text of 1 to 255 characters. Undefined: it is missing or something else. */
export function textClaim(value: unknown): string | undefined {
  if (typeof value !== "string" || value === "" || value.length > maxTextLength) return undefined;
  return isStorableText(value) ? value : undefined;
}

/** Those of ours that the provider says it uses; RS256 where it says nothing, which all must have (Core, section 15.1). */
function allowedAlgorithms({ idTokenAlgorithms = ["RS256"] }: ProviderMetadata): string[] {
  return algorithms.filter((algorithm) => idTokenAlgorithms.includes(algorithm));
}

async function verify(
  { keys, clock }: TokenDeps,
  provider: Provider,
  metadata: ProviderMetadata,
  token: string,
  allowed: string[],
  no: (why: string) => ProviderProblem,
): Promise<JWTVerifyResult & { readonly keySet: ProviderKeySet }> {
  const { jwtVerify, errors } = await import("jose");
  const tryWith = async (keySet: ProviderKeySet) => {
    const verified = await jwtVerify(token, keySet.find, {
      algorithms: allowed,
      currentDate: clock.now(),
      clockTolerance: clockToleranceSeconds,
    });
    return { ...verified, keySet };
  };
  const keySet = await keys.get(provider, metadata);
  try {
    try {
      return await tryWith(keySet);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const refreshed = await keys.refresh(provider, metadata);
      if (refreshed === keySet) throw error;
      return await tryWith(refreshed);
    }
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error;
    if (error instanceof errors.JOSEAlgNotAllowed) throw no("its algorithm is not allowed");
    if (error instanceof errors.JWKSNoMatchingKey) throw no("its key is none of the provider's");
    if (error instanceof errors.JWKSMultipleMatchingKeys)
      throw no("it does not say which key it is signed with");
    if (error instanceof errors.JWSSignatureVerificationFailed) throw no("its signature is not right");
    if (error instanceof errors.JWTExpired) throw no("it has expired");
    if (error instanceof errors.JWTClaimValidationFailed) throw no("its times are not right");
    throw no("it is not written as a signed token");
  }
}

/** Microsoft's tenant of accounts that belong to no company. */
const personalAccounts = "9188040d-6c67-4c5b-b112-36a304b66dad";

/** The issuer that the token must name: with a tenant in it, the one of its own tenant. */
function issuerOf(
  { issuer, endpoints, quirks }: Provider,
  { tid }: JWTPayload & { tid?: unknown },
): string | undefined {
  if (!quirks.has("tenant_in_issuer")) return issuer;
  if (typeof tid !== "string" || !/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(tid))
    return undefined;
  // The page of Microsoft's that companies alone sign in at is an address that a person can change.
  const isCompanies = endpoints.kind === "discovery" && endpoints.tenant === "organizations";
  if (isCompanies && tid.toLowerCase() === personalAccounts) return undefined;
  return issuer.replace(tenantPlaceholder, tid);
}

/**
 * Whether the key may sign for the issuer. Microsoft has keys for all tenants in one set, and those of some tenants only:
 * https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-issuer
 */
function isKeyOfIssuer(
  { keys }: ProviderKeySet,
  kid: string | undefined,
  { tid }: JWTPayload & { tid?: unknown },
  issuer: string,
): boolean {
  return keys
    .filter((key) => key.kid === kid)
    .every((key) => {
      const of: unknown = (key as Record<string, unknown>).issuer;
      return typeof of !== "string" || of.replace(tenantPlaceholder, String(tid)) === issuer;
    });
}
