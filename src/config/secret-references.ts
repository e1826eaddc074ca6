import { clone } from "@bufbuild/protobuf";
import {
  type Config,
  ConfigSchema,
  type Secret as SecretReference,
} from "../../gen/ostiary/config/v1/config_pb.js";

/** A secret that a configuration refers to, with the path of its key. */
interface KeyedReference {
  readonly key: string;
  readonly reference: SecretReference;
}

/** The secrets of a provider that people sign in with. */
interface ProviderReferences {
  readonly id: string;
  readonly secret: KeyedReference | undefined;
  readonly key: KeyedReference | undefined;
}

/** The secrets that a configuration refers to. */
export function secretReferencesOf(config: Config): {
  readonly sealing: readonly KeyedReference[];
  readonly databaseUrl: KeyedReference | undefined;
  readonly smtpUrl: KeyedReference | undefined;
  readonly smtpPassword: KeyedReference | undefined;
  readonly mailUrl: KeyedReference | undefined;
  readonly mailSigning: readonly KeyedReference[];
  readonly smsUrl: KeyedReference | undefined;
  readonly smsSigning: readonly KeyedReference[];
  readonly postmarkPassword: KeyedReference | undefined;
  readonly breachedPasswordsUrl: KeyedReference | undefined;
  readonly oauth2ApiKey: KeyedReference | undefined;
  /** Of each provider, in the order of the configuration. */
  readonly providers: readonly ProviderReferences[];
} {
  const { email, sms, reports } = config.tenantDefaults?.courier ?? {};
  const smtp = email?.provider.case === "smtp" ? email.provider.value : undefined;
  const mailByHttp = email?.provider.case === "http" ? email.provider.value : undefined;
  const smsByHttp = sms?.provider.value;
  const prefix = "tenant_defaults.courier.";
  return {
    sealing: listed("secrets.sealing", config.secrets?.sealing),
    databaseUrl: keyed("database.url", config.database?.url),
    smtpUrl: keyed(`${prefix}email.smtp.url`, smtp?.url),
    smtpPassword: keyed(`${prefix}email.smtp.password`, smtp?.password),
    mailUrl: keyed(`${prefix}email.http.url`, mailByHttp?.url),
    mailSigning: listed(`${prefix}email.http.signing_secrets`, mailByHttp?.signingSecrets),
    smsUrl: keyed(`${prefix}sms.http.url`, smsByHttp?.url),
    smsSigning: listed(`${prefix}sms.http.signing_secrets`, smsByHttp?.signingSecrets),
    postmarkPassword: keyed(`${prefix}reports.postmark.password`, reports?.postmark?.password),
    breachedPasswordsUrl: keyed(
      "server.outbound.breached_passwords.url",
      config.server?.outbound?.breachedPasswords?.url,
    ),
    oauth2ApiKey: keyed(
      "tenant_defaults.oauth2_provider.api_key",
      config.tenantDefaults?.oauth2Provider?.apiKey,
    ),
    providers: (config.tenantDefaults?.oidc?.providers ?? []).map(
      ({ id, clientSecret, clientKey }, index) => ({
        id,
        secret: keyed(`${providerKey(index)}.client_secret`, clientSecret),
        key: keyed(`${providerKey(index)}.client_key`, clientKey),
      }),
    ),
  };
}

/** The path of a provider's keys. */
export function providerKey(index: number): string {
  return `tenant_defaults.oidc.providers[${index}]`;
}

function keyed(key: string, reference: SecretReference | undefined): KeyedReference | undefined {
  return reference && { key, reference };
}

function listed(key: string, references: readonly SecretReference[] = []): KeyedReference[] {
  return references.map((reference, index) => ({ key: `${key}[${index}]`, reference }));
}

/**
 * A copy of the configuration without its literal secrets: the objects that are passed around and printed hold
 * none, so no log line can show one. URLs keep their host, because operators look for it.
 */
export function withoutLiterals(config: Config): Config {
  const copy = clone(ConfigSchema, config);
  const { sealing, databaseUrl, smtpUrl, smtpPassword, ...others } = secretReferencesOf(copy);
  const { mailUrl, mailSigning, smsUrl, smsSigning, breachedPasswordsUrl, ...rest } = others;
  const { oauth2ApiKey, postmarkPassword, providers } = rest;
  const ofProviders = providers.flatMap(({ secret, key }) => [secret, key]);
  const single = [smtpPassword, postmarkPassword, oauth2ApiKey, ...ofProviders];
  for (const whole of [...sealing, ...mailSigning, ...smsSigning, ...single]) {
    if (whole !== undefined) hide(whole.reference, () => hidden);
  }
  for (const url of [databaseUrl, smtpUrl]) if (url !== undefined) hide(url.reference, hidePassword);
  for (const url of [mailUrl, smsUrl, breachedPasswordsUrl]) {
    if (url !== undefined) hide(url.reference, hideBehindHost);
  }
  return copy;
}

/** A URL for people: the password hidden, all of it if it is no URL. */
function hidePassword(text: string): string {
  if (!URL.canParse(text)) return hidden;
  const url = new URL(text);
  const placeholder = "_hidden_";
  if (url.password !== "") url.password = placeholder;
  for (const name of new Set(url.searchParams.keys())) {
    if (/pass|secret|token/i.test(name)) url.searchParams.set(name, placeholder);
  }
  return url.href.replaceAll(placeholder, hidden);
}

/** The host of an endpoint, to show to people, because providers put tokens into path and query. */
function hideBehindHost(text: string): string {
  if (!URL.canParse(text)) return hidden;
  const { origin } = new URL(text);
  return text === origin || text === `${origin}/` ? text : `${origin}/${hidden}`;
}

const hidden = "[secret]";

function hide(reference: SecretReference, replace: (literal: string) => string): void {
  if (reference.source.case === "literal") reference.source.value = replace(reference.source.value);
}
