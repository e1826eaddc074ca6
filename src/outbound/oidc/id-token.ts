import { createHash } from "node:crypto";
import type { JsonObject } from "../../domain/json.ts";
import type { Provider } from "../../domain/provider/provider.ts";
import type { ProviderMetadata } from "./provider-metadata.ts";
import { invalid } from "./provider-problem.ts";
import { checkSignedToken, type TokenDeps, textClaim } from "./signed-token.ts";

/** What an ID token must be for. */
export interface IdTokenExpectation {
  readonly audiences: readonly string[];
  /** One of them is the token's. Undefined: it comes with a refreshed token, which has none of a login. */
  readonly nonces: readonly string[] | undefined;
  /** What came with it, for `at_hash`. */
  readonly accessToken: string | undefined;
}

/** An ID token that was checked. */
export interface IdToken {
  readonly issuer: string;
  readonly subject: string;
  readonly claims: JsonObject;
}

/**
 * Checks an ID token (OpenID Connect Core 1.0, section 3.1.3.7), and gives its claims. Throws ProviderProblem.
 *
 * Security rule (SR-OIDC-1): all ID tokens are checked here, whether they came with a code, from an app or with a refreshed
 * token, and always their signature: that of a token from the token endpoint may be left out by the specification, and is
 * by libraries.
 */
export async function checkIdToken(
  deps: TokenDeps,
  provider: Provider,
  metadata: ProviderMetadata,
  token: string,
  { audiences, nonces, accessToken }: IdTokenExpectation,
): Promise<IdToken> {
  const { algorithm, issuer, payload } = await checkSignedToken(deps, provider, metadata, token, {
    what: "the ID token",
    types: ["jwt"],
    audiences,
  });
  // Security rule (SR-OIDC-3): a token without the nonce of this login may be of any other.
  if (nonces !== undefined && (typeof payload.nonce !== "string" || !nonces.includes(payload.nonce))) {
    throw invalid("the ID token: its nonce is not the one of this login");
  }
  const subject = textClaim(payload.sub);
  if (subject === undefined) throw invalid("the ID token: it names no subject, or one that is too long");
  const { nonce: _, at_hash: accessTokenHash, c_hash: _c, ...claims } = payload;
  if (accessToken !== undefined && accessTokenHash !== undefined) {
    if (accessTokenHash !== hashOf(algorithm, accessToken)) {
      throw invalid("the ID token: the access token beside it is another");
    }
  }
  return { issuer, subject, claims: claims as JsonObject };
}

/** The left half of the digest of the token's algorithm (OpenID Connect Core 1.0, section 3.1.3.6). */
function hashOf(algorithm: string, accessToken: string): string {
  const bits = /(?:256|384|512)$/.exec(algorithm)?.[0];
  // EdDSA signs what SHA-512 has digested.
  const name = algorithm === "Ed25519" || bits === undefined ? "sha512" : `sha${bits}`;
  const digest = createHash(name).update(accessToken).digest();
  return digest.subarray(0, digest.length / 2).toString("base64url");
}
