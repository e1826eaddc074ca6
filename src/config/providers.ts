import { durationMs } from "@bufbuild/protobuf/wkt";
import { OidcClaimsSource, OidcPkce, OidcUpdate } from "../../gen/ostiary/config/v1/config_pb.js";
import { type ClaimsMapping, compileMapping, type MappingExpressions } from "../domain/provider/mapping.ts";
import type { ProviderPreset } from "../domain/provider/preset.ts";
import type { ClientAuthentication, Provider, ProviderEndpoints } from "../domain/provider/provider.ts";
import type { Secret } from "../domain/secret.ts";
import { checkProviderRequests } from "./check-provider-requests.ts";
import { checkProvider, checkProviders } from "./check-providers.ts";
import type { CompleteConfig } from "./complete-config.ts";
import { textTraitsOf } from "./identity-schemas.ts";
import { type GivenProvider, type PresetProvider, withPreset } from "./preset-provider.ts";
import { expressionProblem, type Problem } from "./problems.ts";
import { providerKey } from "./secret-references.ts";
import type { ResolvedSecrets, SecretSource } from "./secrets.ts";

/**
 * The providers of the configuration, with what their presets fill in, and what is wrong with them. Their secrets are read from
 * the source each time.
 */
export function readProviders(
  config: CompleteConfig,
  secrets: { readonly source: SecretSource; readonly resolved: ResolvedSecrets },
): { readonly providers: readonly Provider[]; readonly problems: readonly Problem[] } {
  const found: PresetProvider[] = [];
  const problems: Problem[] = [];
  for (const [index, given] of config.tenantDefaults.oidc.providers.entries()) {
    const provider = withPreset(providerKey(index), given);
    if (provider.kind === "unknown") problems.push(provider.problem);
    else found.push(provider.provider);
  }
  problems.push(
    ...checkProviders(found),
    ...found.flatMap((each) => [...checkProvider(each, secrets.resolved), ...checkProviderRequests(each)]),
  );
  const hasTrait = found.length === 0 ? () => true : textTraitsOf(config);
  const providers: Provider[] = [];
  for (const each of found) {
    const compiled = compileMapping(expressionsOf(each, hasTrait));
    if ("mapping" in compiled) providers.push(toProvider(each, compiled.mapping, secrets.source));
    else
      problems.push(...compiled.problems.map((problem) => expressionProblem(`${each.key}.mapping`, problem)));
  }
  return { providers, problems };
}

/** The operator's expressions, else those of the preset, as far as the default schema has a place for what they find. */
function expressionsOf(
  { given: { mapping }, preset }: PresetProvider,
  hasTrait: (name: string) => boolean,
): MappingExpressions {
  const own = mapping?.traits ?? {};
  const usual = Object.entries(preset.traits).filter(([name]) => hasTrait(name));
  return {
    traits: Object.keys(own).length > 0 ? own : Object.fromEntries(usual),
    verifiedAddresses: mapping?.verifiedAddresses || preset.verifiedAddresses,
    publicMetadata: mapping?.publicMetadata ?? {},
    adminMetadata: mapping?.adminMetadata ?? {},
    account: mapping?.account || preset.account,
  };
}

function toProvider(provider: PresetProvider, mapping: ClaimsMapping, source: SecretSource): Provider {
  const { given, preset, issuer } = provider;
  const quirks = preset.quirks.filter(
    (quirk) => quirk !== "tenant_in_issuer" || issuer.includes("{tenantid}"),
  );
  return Object.freeze({
    id: given.id,
    preset: preset.id,
    name: given.name || preset.name || given.id,
    logo: given.logo || preset.logo,
    issuer,
    endpoints: endpointsOf(provider),
    clientId: given.clientId,
    authentication: authenticationOf(given, preset, source),
    scopes: given.scopes.length > 0 ? given.scopes : preset.scopes,
    pkce: given.pkce !== OidcPkce.OFF,
    // Texts, as checked.
    parameters: (given.authorizationParameters ?? {}) as Provider["parameters"],
    claimsSource: claimsSourceOf(given.claimsSource, preset),
    quirks: new Set(quirks),
    mapping,
    updateOnLogin: updateOf(given.updateOnLogin),
    authoritativeDomains: new Set(given.authoritativeDomains),
    aal2: { acr: new Set(given.aal2Acr), amr: new Set(given.aal2Amr) },
    keepTokens: given.keepTokens,
    logoutAtProvider: given.logoutAtProvider,
    nativeClientIds: new Set(given.nativeClientIds),
    timeoutMs: durationMs(given.timeout),
  });
}

function endpointsOf({ given, preset, fixed }: PresetProvider): ProviderEndpoints {
  if (fixed !== undefined) return { kind: "fixed", ...fixed };
  const domain = given.domain || preset.defaultDomain;
  return preset.quirks.includes("tenant_in_issuer") && domain !== undefined
    ? { kind: "discovery", tenant: domain }
    : { kind: "discovery" };
}

function authenticationOf(
  given: GivenProvider,
  preset: ProviderPreset,
  source: SecretSource,
): ClientAuthentication {
  const { id, clientSecret, clientKey, clientKeyId: keyId, teamId } = given;
  const key = () => existing(source.provider(id).key);
  if (preset.quirks.includes("signed_secret")) return { kind: "signed_secret", key, keyId, teamId };
  if (clientKey !== undefined) return { kind: "private_key", key, keyId };
  if (clientSecret === undefined) return { kind: "none" };
  return { kind: "secret", secret: () => existing(source.provider(id).secret) };
}

/** A secret that was there when the configuration was loaded; `reload` refuses to lose it. */
function existing(secret: Secret | undefined): Secret {
  if (secret === undefined) throw new Error("the provider has no such secret");
  return secret;
}

function claimsSourceOf(source: OidcClaimsSource, preset: ProviderPreset): Provider["claimsSource"] {
  if (source === OidcClaimsSource.ID_TOKEN) return "id_token";
  return source === OidcClaimsSource.USERINFO ? "userinfo" : preset.claimsSource;
}

function updateOf(update: OidcUpdate): Provider["updateOnLogin"] {
  if (update === OidcUpdate.ALWAYS) return "always";
  return update === OidcUpdate.MISSING ? "missing" : "never";
}
