import type { JsonObject, JsonValue } from "../../domain/json.ts";
import type { Clock, Logger, OutgoingHttp } from "../../domain/ports.ts";
import type { Provider } from "../../domain/provider/provider.ts";
import { LookupCache } from "./lookup-cache.ts";
import { askProvider, objectOf } from "./provider-http.ts";
import { invalid } from "./provider-problem.ts";

/** What a provider says of itself (OpenID Connect Discovery 1.0, section 3), as far as it is read. */
export interface ProviderMetadata {
  /** As ID tokens have it; a template for some (`tenant_in_issuer`). */
  readonly issuer: string;
  readonly authorizationUrl: string;
  readonly tokenUrl: string;
  readonly userinfoUrl: string | undefined;
  /** Undefined: there are no ID tokens. */
  readonly keysUrl: string | undefined;
  readonly endSessionUrl: string | undefined;
  readonly revocationUrl: string | undefined;
  /** How clients may prove who they are at the token endpoint. Undefined: it does not say. */
  readonly authenticationMethods: readonly string[] | undefined;
  /** Undefined: it does not say. */
  readonly idTokenAlgorithms: readonly string[] | undefined;
  /** Whether its answers name their issuer (RFC 9207). */
  readonly namesIssuer: boolean;
}

interface MetadataDeps {
  readonly http: OutgoingHttp;
  readonly clock: Clock;
  readonly logger: Logger;
}

const lifetimeMs = 3_600_000;
const keptMs = 86_400_000;
const retryAfterMs = 5_000;
/** Microsoft's placeholder for the tenant of an account. */
export const tenantPlaceholder = "{tenantid}";

/** Knows the metadata of providers: from the configuration, or looked up at the issuer and kept for an hour. */
export class ProviderMetadataCache {
  readonly #deps: MetadataDeps;
  readonly #known: LookupCache<ProviderMetadata>;

  constructor(deps: MetadataDeps) {
    this.#deps = deps;
    this.#known = new LookupCache({
      clock: deps.clock,
      lifetimeMs,
      keptMs,
      retryAfterMs,
      onChange: (key, problem) => {
        const [provider] = key.split(" ");
        if (problem === undefined) deps.logger.info({ provider }, "a provider can be signed in with again");
        else {
          deps.logger.warn(
            { provider, detail: problem.message },
            "a provider cannot be signed in with: its discovery failed, and is tried again when it is wanted",
          );
        }
      },
    });
  }

  /** The metadata. Throws ProviderProblem. */
  async get(provider: Provider): Promise<ProviderMetadata> {
    return (
      fixedMetadata(provider) ?? (await this.#known.get(keyOf(provider), () => this.#discover(provider)))
    );
  }

  /**
   * Whether the provider can be used, as far as is known. Asks for what is not known, or not any more, without waiting: the
   * button of a provider that has failed is not pressed, so that pressing it cannot be what heals it.
   */
  isAvailable(provider: Provider): boolean {
    if (provider.endpoints.kind === "fixed") return true;
    const key = keyOf(provider);
    if (this.#known.isDue(key)) this.#known.get(key, () => this.#discover(provider)).catch(() => {});
    return !this.#known.isFailing(key);
  }

  async #discover(provider: Provider): Promise<ProviderMetadata> {
    const { issuer, endpoints, timeoutMs } = provider;
    const tenant = (endpoints.kind === "discovery" ? endpoints.tenant : undefined) ?? tenantPlaceholder;
    const place = issuer.replace(tenantPlaceholder, tenant).replace(/\/$/, "");
    const url = `${place}/.well-known/openid-configuration`;
    const answer = await askProvider(this.#deps.http, "discovery", url, {
      timeoutMs,
      followsRedirects: true,
    });
    return readMetadata(provider, objectOf("discovery", answer));
  }
}

function keyOf({ id, issuer, endpoints }: Provider): string {
  return `${id} ${issuer} ${endpoints.kind === "discovery" ? (endpoints.tenant ?? "") : ""}`;
}

function fixedMetadata({ issuer, endpoints }: Provider): ProviderMetadata | undefined {
  if (endpoints.kind !== "fixed") return undefined;
  const { authorizationUrl, tokenUrl, userinfoUrl } = endpoints;
  return {
    issuer,
    authorizationUrl,
    tokenUrl,
    userinfoUrl,
    keysUrl: undefined,
    endSessionUrl: undefined,
    revocationUrl: undefined,
    // Section 2.3.1 of RFC 6749 has both; those without discovery know this one.
    authenticationMethods: ["client_secret_post"],
    idTokenAlgorithms: undefined,
    namesIssuer: false,
  };
}

function readMetadata({ issuer }: Provider, document: JsonObject): ProviderMetadata {
  // Security rule (SR-OIDC-4): the issuer is compared exactly (OpenID Connect Discovery 1.0, section 4.3).
  if (document.issuer !== issuer) throw invalid("discovery names another issuer than the configuration");
  const url = (name: string): string | undefined => {
    const value = document[name];
    if (value === undefined || value === null) return undefined;
    const read = typeof value === "string" ? URL.parse(value) : null;
    if (typeof value !== "string" || read === null) throw invalid(`discovery: ${name} is no URL`);
    // An issuer on plain HTTP is of a test or of a machine's own network, as the configuration allows it.
    const isSecure = read.protocol === "https:" || (read.protocol === "http:" && issuer.startsWith("http:"));
    if (!isSecure) throw invalid(`discovery: ${name} is not on HTTPS`);
    return value;
  };
  const needed = (name: string): string => {
    const value = url(name);
    if (value === undefined) throw invalid(`discovery: ${name} is missing`);
    return value;
  };
  return {
    issuer,
    authorizationUrl: needed("authorization_endpoint"),
    tokenUrl: needed("token_endpoint"),
    userinfoUrl: url("userinfo_endpoint"),
    keysUrl: needed("jwks_uri"),
    endSessionUrl: url("end_session_endpoint"),
    revocationUrl: url("revocation_endpoint"),
    authenticationMethods: textsOf(document.token_endpoint_auth_methods_supported),
    idTokenAlgorithms: textsOf(document.id_token_signing_alg_values_supported),
    namesIssuer: document.authorization_response_iss_parameter_supported === true,
  };
}

function textsOf(value: JsonValue | undefined): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : undefined;
}
