import type { ClientAuth, ServerMetadata } from "openid-client";
import type { Clock } from "../../domain/ports.ts";
import type { ClientAuthentication, Provider } from "../../domain/provider/provider.ts";
import { type ProviderMetadata, tenantPlaceholder } from "./provider-metadata.ts";
import { ProviderProblem } from "./provider-problem.ts";

/** A client secret that was signed, until another one is. */
interface SignedSecret {
  readonly key: string;
  readonly secret: string;
  readonly usedUntil: number;
}

/** Apple allows half a year; a secret that gets lost is worth an hour. */
const signedSecretLifetimeSeconds = 3_600;
const signedSecretUsedMs = 1_800_000;

/** Proves to token endpoints that it is this client. */
export class ClientAuthentications {
  readonly #deps: { readonly clock: Clock };
  readonly #signedSecrets = new Map<string, SignedSecret>();

  constructor(deps: { readonly clock: Clock }) {
    this.#deps = deps;
  }

  /** The proof for `openid-client`. */
  async of(provider: Provider, metadata: ProviderMetadata): Promise<ClientAuth> {
    const { ClientSecretBasic, ClientSecretPost, None, PrivateKeyJwt, modifyAssertion } = await import(
      "openid-client"
    );
    const { authentication } = provider;
    switch (authentication.kind) {
      case "none":
        return None();
      case "secret": {
        const secret = authentication.secret().reveal();
        // The header only where the body is not announced: there, texts are encoded twice (RFC 6749, section 2.3.1), and many
        // providers decode once. Without a word of the provider it is the header (OpenID Connect Discovery 1.0, section 3).
        const isPosted = metadata.authenticationMethods?.includes("client_secret_post") === true;
        return isPosted ? ClientSecretPost(secret) : ClientSecretBasic(secret);
      }
      case "signed_secret":
        return ClientSecretPost(await this.#signedSecret(provider, authentication));
      case "private_key": {
        const key = await readPrivateKey(authentication.key().reveal());
        return PrivateKeyJwt(
          { key, kid: authentication.keyId },
          {
            [modifyAssertion]: (_header: object, payload: { aud?: unknown }) => {
              // A template is no issuer; the endpoint is what RFC 7523 had there first.
              if (provider.issuer.includes(tenantPlaceholder)) payload.aud = metadata.tokenUrl;
            },
          },
        );
      }
    }
  }

  /** https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret */
  async #signedSecret(
    { id, clientId, issuer }: Provider,
    { key: readKey, keyId, teamId }: Extract<ClientAuthentication, { kind: "signed_secret" }>,
  ): Promise<string> {
    const now = this.#deps.clock.now().getTime();
    const key = readKey().reveal();
    const known = this.#signedSecrets.get(id);
    if (known !== undefined && known.key === key && now < known.usedUntil) return known.secret;
    const { SignJWT } = await import("jose");
    const issuedAt = Math.floor(now / 1000);
    const secret = await new SignJWT()
      .setProtectedHeader({ alg: "ES256", kid: keyId })
      .setIssuer(teamId)
      .setSubject(clientId)
      .setAudience(issuer)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + signedSecretLifetimeSeconds)
      .sign(await readPrivateKey(key));
    this.#signedSecrets.set(id, { key, secret, usedUntil: now + signedSecretUsedMs });
    return secret;
  }
}

/** The metadata as `openid-client` has it. */
export function serverMetadataOf(metadata: ProviderMetadata): ServerMetadata {
  return {
    issuer: metadata.issuer,
    authorization_endpoint: metadata.authorizationUrl,
    token_endpoint: metadata.tokenUrl,
    ...(metadata.revocationUrl === undefined ? {} : { revocation_endpoint: metadata.revocationUrl }),
    authorization_response_iss_parameter_supported: metadata.namesIssuer,
  };
}

/** A private key of PKCS #8 in PEM, for the algorithm that its kind is used with. */
async function readPrivateKey(pem: string): Promise<CryptoKey> {
  const { createPrivateKey } = await import("node:crypto");
  const { importPKCS8 } = await import("jose");
  try {
    return await importPKCS8(pem.trim(), algorithmOf(createPrivateKey(pem)));
  } catch {
    // The library's own words may quote the key.
    throw new ProviderProblem("invalid", "the client key cannot be read");
  }
}

function algorithmOf(key: import("node:crypto").KeyObject): string {
  const curves: Record<string, string> = { prime256v1: "ES256", secp384r1: "ES384", secp521r1: "ES512" };
  switch (key.asymmetricKeyType) {
    case "rsa":
      return "RS256";
    case "ed25519":
      return "Ed25519";
    default:
      return curves[key.asymmetricKeyDetails?.namedCurve ?? ""] ?? "";
  }
}
