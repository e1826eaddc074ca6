import { clone } from "@bufbuild/protobuf";
import {
  type Config,
  ConfigSchema,
  type Secret as SecretReference,
} from "../../gen/ostiary/config/v1/config_pb.js";

/** The secrets that a configuration refers to, with the paths of their keys. */
export function secretReferencesOf(config: Config): {
  readonly sealing: readonly { readonly key: string; readonly reference: SecretReference }[];
  readonly databaseUrl: { readonly key: string; readonly reference: SecretReference } | undefined;
} {
  const url = config.database?.url;
  return {
    sealing: (config.secrets?.sealing ?? []).map((reference, index) => ({
      key: `secrets.sealing[${index}]`,
      reference,
    })),
    databaseUrl: url === undefined ? undefined : { key: "database.url", reference: url },
  };
}

/**
 * A copy of the configuration without its literal secrets: the objects that are passed around and printed hold
 * none, so no log line can show one. A database URL keeps all but its password, because operators look for the host.
 */
export function withoutLiterals(config: Config): Config {
  const copy = clone(ConfigSchema, config);
  const { sealing, databaseUrl } = secretReferencesOf(copy);
  for (const { reference } of sealing) hide(reference, () => hidden);
  if (databaseUrl !== undefined) hide(databaseUrl.reference, hidePassword);
  return copy;
}

/** A database URL for people: the password hidden, all of it if it is no URL. */
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
