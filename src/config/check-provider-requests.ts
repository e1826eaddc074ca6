import { OidcClaimsSource } from "../../gen/ostiary/config/v1/config_pb.js";
import { isAddress } from "../domain/hosts.ts";
import { isOthersMailDomain } from "../domain/provider/mail-domains.ts";
import type { PresetProvider } from "./preset-provider.ts";
import { type Problem, problemIf } from "./problems.ts";

/** Checks what a provider is asked for, and what its answers are believed in. */
export function checkProviderRequests(provider: PresetProvider): Problem[] {
  return [
    ...checkScopes(provider),
    ...checkParameters(provider),
    ...checkDomains(provider),
    ...checkIdTokens(provider),
  ];
}

function checkScopes({ key, given: { scopes }, fixed }: PresetProvider): Problem[] {
  // RFC 6749, section 3.3.
  const isScope = (scope: string) => /^[!#-[\]-~]{1,256}$/.test(scope);
  const missing = fixed === undefined && scopes.length > 0 && !scopes.includes("openid");
  return [
    ...scopes.flatMap((scope, index) =>
      problemIf(!isScope(scope), `${key}.scopes[${index}]`, "must be one scope, without blanks or quotes"),
    ),
    ...problemIf(missing, `${key}.scopes`, "must have openid: without it there is no ID token"),
  ];
}

const allowedParameters: readonly string[] = [
  "prompt",
  "hd",
  "audience",
  "acr_values",
  "max_age",
  "ui_locales",
  "display",
  "domain_hint",
  "access_type",
  "kc_idp_hint",
];

const maxParameterLength = 512;

/**
 * Security rule (SR-PROVIDER-2): an authorisation request has no parameter of the configuration but those of this list: not those
 * that bind the answer to the login (`state`, `nonce`, `redirect_uri`), and none that names a person (`login_hint`).
 */
function checkParameters({ key, given: { authorizationParameters = {} } }: PresetProvider): Problem[] {
  return Object.entries(authorizationParameters).flatMap(([name, value]) => {
    const place = `${key}.authorization_parameters.${name}`;
    if (!allowedParameters.includes(name)) {
      return [{ key: place, message: `cannot be set; those that can are ${allowedParameters.join(", ")}` }];
    }
    if (typeof value !== "string") return [{ key: place, message: "must be text: put it in quotes" }];
    const isLine = value !== "" && value.length <= maxParameterLength && !/\p{Cc}/u.test(value);
    const length = `must be 1 to ${maxParameterLength} characters without control characters`;
    const asksNobody = name === "prompt" && value.split(" ").includes("none");
    return [
      ...problemIf(!isLine, place, length),
      ...problemIf(asksNobody, place, "must not be none: nobody could sign in there"),
      ...problemIf(name === "max_age" && !/^\d{1,9}$/.test(value), place, "must be a number of seconds"),
    ];
  });
}

/**
 * Security rule (SR-PROVIDER-3): a provider decides alone about the addresses of a domain only where all of them are its own. An
 * account at a mail service can be anybody's.
 */
function checkDomains({ key, given, issuer }: PresetProvider): Problem[] {
  return given.authoritativeDomains.flatMap((domain, index) => {
    const place = `${key}.authoritative_domains[${index}]`;
    const isDomain = /^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$/.test(domain);
    const form = "must be a whole domain in lower case such as example.com; wildcards are not supported";
    if (!isDomain || isAddress(domain)) return [{ key: place, message: form }];
    const message = `is a mail service's domain, where anybody can have an address, and not run by this provider: leave it out`;
    return problemIf(isOthersMailDomain(domain, issuer), place, message);
  });
}

/** What only an ID token says. An OAuth 2 server has none. */
function checkIdTokens({ key, given, preset, fixed }: PresetProvider): Problem[] {
  const { aal2Acr: aal2_acr, aal2Amr: aal2_amr, nativeClientIds: native_client_ids } = given;
  const lists = Object.entries({ aal2_acr, aal2_amr, native_client_ids });
  const none = `needs ID tokens, which there are none of with the preset ${preset.id}: leave it out`;
  const isIdToken = given.claimsSource === OidcClaimsSource.ID_TOKEN;
  return [
    ...lists.flatMap(([name, values]) => [
      ...problemIf(fixed !== undefined && values.length > 0, `${key}.${name}`, none),
      ...values.flatMap((value, index) =>
        problemIf(
          !/^[!-~ ]{1,512}$/.test(value),
          `${key}.${name}[${index}]`,
          "must be 1 to 512 characters of ASCII",
        ),
      ),
    ]),
    ...problemIf(fixed !== undefined && isIdToken, `${key}.claims_source`, none),
    ...problemIf(
      fixed !== undefined && given.logoutAtProvider,
      `${key}.logout_at_provider`,
      `needs discovery, which there is none of with the preset ${preset.id}: leave it out`,
    ),
  ];
}
