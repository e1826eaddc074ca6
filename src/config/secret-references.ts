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

/** The secrets that a configuration refers to. */
export function secretReferencesOf(config: Config): {
  readonly sealing: readonly KeyedReference[];
  readonly databaseUrl: KeyedReference | undefined;
  readonly smtpUrl: KeyedReference | undefined;
  readonly smtpPassword: KeyedReference | undefined;
  readonly mailSigning: readonly KeyedReference[];
  readonly smsSigning: readonly KeyedReference[];
} {
  const courier = config.tenantDefaults?.courier;
  const prefix = "tenant_defaults.courier.";
  return {
    sealing: listed("secrets.sealing", config.secrets?.sealing),
    databaseUrl: keyed("database.url", config.database?.url),
    smtpUrl: keyed(`${prefix}smtp.url`, courier?.smtp?.url),
    smtpPassword: keyed(`${prefix}smtp.password`, courier?.smtp?.password),
    mailSigning: listed(`${prefix}http.signing_secrets`, courier?.http?.signingSecrets),
    smsSigning: listed(`${prefix}sms.signing_secrets`, courier?.sms?.signingSecrets),
  };
}

function keyed(key: string, reference: SecretReference | undefined): KeyedReference | undefined {
  return reference && { key, reference };
}

function listed(key: string, references: readonly SecretReference[] = []): KeyedReference[] {
  return references.map((reference, index) => ({ key: `${key}[${index}]`, reference }));
}

/**
 * A copy of the configuration without its literal secrets: the objects that are passed around and printed hold
 * none, so no log line can show one. URLs keep all but their password, because operators look for the host.
 */
export function withoutLiterals(config: Config): Config {
  const copy = clone(ConfigSchema, config);
  const { sealing, databaseUrl, smtpUrl, smtpPassword, mailSigning, smsSigning } = secretReferencesOf(copy);
  const whole = [...sealing, ...mailSigning, ...smsSigning, ...(smtpPassword ? [smtpPassword] : [])];
  for (const { reference } of whole) hide(reference, () => hidden);
  for (const url of [databaseUrl, smtpUrl]) if (url !== undefined) hide(url.reference, hidePassword);
  return copy;
}

/** A URL for people: the password hidden, all of it if it is no URL. */
export function hidePassword(text: string): string {
  if (!URL.canParse(text)) return hidden;
  const url = new URL(text);
  const placeholder = "_hidden_";
  if (url.password !== "") url.password = placeholder;
  for (const name of new Set(url.searchParams.keys())) {
    if (/pass|secret|token/i.test(name)) url.searchParams.set(name, placeholder);
  }
  return url.href.replaceAll(placeholder, hidden);
}

const hidden = "[secret]";

function hide(reference: SecretReference, replace: (literal: string) => string): void {
  if (reference.source.case === "literal") reference.source.value = replace(reference.source.value);
}
