import { OidcPkce } from "../../gen/ostiary/config/v1/config_pb.js";
import { readPrivateKey } from "./check-secrets.ts";
import { checkEndpoint, checkService } from "./check-urls.ts";
import { type PresetProvider, sharedTenants } from "./preset-provider.ts";
import { type Problem, problemIf } from "./problems.ts";
import type { ResolvedSecrets } from "./secrets.ts";

/** Checks providers beside each other. */
export function checkProviders(providers: readonly PresetProvider[]): Problem[] {
  return providers.flatMap(({ key, given, issuer }, index) => {
    const before = providers.slice(0, index);
    const hasId = before.some((other) => other.given.id === given.id);
    // One client may be there twice where that leads to different pages, such as by `kc_idp_hint`.
    const same = before.find(
      (other) =>
        issuer !== "" &&
        other.issuer === issuer &&
        other.given.clientId === given.clientId &&
        JSON.stringify(other.given.authorizationParameters) === JSON.stringify(given.authorizationParameters),
    );
    const twice = `is the same client at the same issuer as ${same?.key}: take one of them out, or tell them apart by authorization_parameters`;
    return [
      ...problemIf(hasId, `${key}.id`, "is there twice"),
      ...problemIf(same !== undefined, `${key}.client_id`, twice),
    ];
  });
}

/** Checks one provider: where it is, and how the server proves to it who it is. */
export function checkProvider(provider: PresetProvider, secrets: ResolvedSecrets): Problem[] {
  const { key, given, preset } = provider;
  const twice = given.issuer !== "" && given.domain !== "";
  return [
    ...problemIf(twice, `${key}.domain`, "has no effect beside issuer: take one of them out"),
    ...(given.issuer === "" ? checkDomain(provider) : checkService(`${key}.issuer`, given.issuer)),
    ...checkEndpoints(provider),
    ...(preset.quirks.includes("signed_secret")
      ? checkSignedSecret(provider, secrets)
      : checkAuthentication(provider)),
  ];
}

/** The issuer that the preset has, and the part of it that is the operator's own. */
function checkDomain({ key, given: { domain }, preset, issuer }: PresetProvider): Problem[] {
  if (!preset.issuer.includes("{domain}")) {
    const needed = preset.issuer === "" ? "it needs issuer" : "the preset has its issuer: leave it out";
    return [
      ...problemIf(domain !== "", `${key}.domain`, `has no place in the preset ${preset.id}; ${needed}`),
      ...problemIf(issuer === "", `${key}.issuer`, `must be set: the preset ${preset.id} has none`),
    ];
  }
  const template = `: it is a part of the issuer, ${preset.issuer}`;
  if (issuer === "") return [{ key: `${key}.domain`, message: `must be set${template}` }];
  if (domain === "") return [];
  if (preset.quirks.includes("tenant_in_issuer")) return checkTenant(`${key}.domain`, domain);
  const host = String.raw`[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:[1-9]\d{0,4})?`;
  const isHost = new RegExp(`^${host}(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$`).test(domain);
  const form = `must be a host in lower case such as id.example.com, with a path where there is one, and without https://${template}`;
  return problemIf(!isHost || !URL.canParse(issuer), `${key}.domain`, form);
}

/** ID tokens name the tenant by its id, so that no other name of it is compared with. */
function checkTenant(key: string, domain: string): Problem[] {
  const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(domain);
  const message = `must be the id of the tenant in lower case (9188040d-6c67-4c5b-b112-36a304b66dad for personal accounts), or one of ${sharedTenants.join(", ")}`;
  return problemIf(!isId && !sharedTenants.includes(domain), key, message);
}

/** The endpoints of a provider without discovery. */
function checkEndpoints({ key, given, preset, fixed }: PresetProvider): Problem[] {
  const configured = {
    authorization_url: given.authorizationUrl,
    token_url: given.tokenUrl,
    userinfo_url: given.userinfoUrl,
    subject_field: given.subjectField,
  };
  if (fixed === undefined) {
    const message = `is known by discovery with the preset ${preset.id}: leave it out, or take the preset oauth2`;
    return Object.entries(configured).flatMap(([name, text]) =>
      problemIf(text !== "", `${key}.${name}`, message),
    );
  }
  const { authorizationUrl, tokenUrl, userinfoUrl } = fixed;
  const needed = { authorization_url: authorizationUrl, token_url: tokenUrl, userinfo_url: userinfoUrl };
  return Object.entries(needed).flatMap(([name, url]) => {
    if (url === "") return [{ key: `${key}.${name}`, message: `must be set with the preset ${preset.id}` }];
    if (url.includes("#")) return [{ key: `${key}.${name}`, message: "must have no fragment" }];
    return checkEndpoint(`${key}.${name}`, url);
  });
}

/**
 * A client secret, a key, or neither.
 *
 * Security rule (SR-PROVIDER-1): a code is bound to the login by PKCE, or nobody else can exchange it, or both.
 */
function checkAuthentication({ key, given }: PresetProvider): Problem[] {
  const { clientSecret, clientKey, clientKeyId, teamId, pkce } = given;
  const hasBoth = clientSecret !== undefined && clientKey !== undefined;
  const hasNone = clientSecret === undefined && clientKey === undefined;
  const unbound = "must not be off without client_secret or client_key: others could exchange the code";
  return [
    ...problemIf(hasBoth, `${key}.client_key`, "cannot be set together with client_secret"),
    ...checkKeyId(key, clientKeyId, clientKey !== undefined),
    ...problemIf(teamId !== "", `${key}.team_id`, "is for the preset apple alone: leave it out"),
    ...problemIf(hasNone && pkce === OidcPkce.OFF, `${key}.pkce`, unbound),
  ];
}

function checkKeyId(key: string, keyId: string, hasKey: boolean): Problem[] {
  const needed = "must be set beside client_key: the id of the key at the provider";
  return [
    ...problemIf(hasKey && keyId === "", `${key}.client_key_id`, needed),
    ...problemIf(!hasKey && keyId !== "", `${key}.client_key_id`, "needs client_key"),
  ];
}

/** What signs Apple's client secret: an ES256 key of a team. */
function checkSignedSecret({ key, given, preset }: PresetProvider, secrets: ResolvedSecrets): Problem[] {
  const { clientSecret, clientKey, clientKeyId, teamId } = given;
  const made = `is made from client_key with the preset ${preset.id}: leave it out`;
  const pem = secrets.providers.find((each) => each.key?.key === `${key}.client_key`)?.key?.secret.reveal();
  const signer = pem === undefined ? undefined : readPrivateKey(pem);
  const isUnfit = signer !== undefined && signer.asymmetricKeyDetails?.namedCurve !== "prime256v1";
  return [
    ...problemIf(clientSecret !== undefined, `${key}.client_secret`, made),
    ...problemIf(clientKey === undefined, `${key}.client_key`, `must be set with the preset ${preset.id}`),
    ...problemIf(isUnfit, `${key}.client_key`, "must be a key of the curve P-256, as Apple makes them"),
    ...(clientKey === undefined ? [] : checkKeyId(key, clientKeyId, true)),
    ...problemIf(teamId === "", `${key}.team_id`, `must be set with the preset ${preset.id}`),
  ];
}
