import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  type NewOidcAccount,
  type NewPasskey,
  type NewTotp,
  TotpAlgorithm,
} from "../../../../gen/ostiary/identity/v1/identity_service_pb.js";
import type {
  ImportedCredential,
  ImportedOidcAccount,
  ImportedPasskey,
  ImportedTotp,
} from "../../../domain/identity/imported-credential.ts";
import { Secret } from "../../../domain/secret.ts";
import { fromTimestamp } from "./common.ts";

interface Imported {
  readonly totp?: NewTotp | undefined;
  readonly passkeys: readonly NewPasskey[];
  readonly oidcAccounts: readonly NewOidcAccount[];
}

/**
 * The credentials of another system in a request: the app first, then the passkeys and the accounts at providers. Their fields are
 * below `prefix`.
 */
export function fromImported(
  { totp, passkeys, oidcAccounts }: Imported,
  prefix: "" | "credentials.",
): readonly ImportedCredential[] {
  return [
    ...(totp === undefined ? [] : [fromTotp(totp, `${prefix}totp`)]),
    ...passkeys.map((passkey, index) => fromPasskey(passkey, `${prefix}passkeys.${index}`)),
    ...oidcAccounts.map((account, index) => fromOidcAccount(account, `${prefix}oidcAccounts.${index}`)),
  ];
}

function fromOidcAccount(
  { provider, subject, issuer, account, createTime }: NewOidcAccount,
  field: string,
): ImportedOidcAccount {
  const createdAt = fromTimestamp(createTime);
  return { kind: "oidc", field, provider, subject, issuer, account, label: "", createdAt };
}

function fromTotp(
  { key, digits, period, algorithm, label, createTime }: NewTotp,
  field: string,
): ImportedTotp {
  const isSha1 = algorithm === TotpAlgorithm.UNSPECIFIED || algorithm === TotpAlgorithm.SHA1;
  return {
    kind: "totp",
    field,
    key: key.case === "raw" ? { raw: key.value } : { base32: new Secret(key.value ?? "") },
    digits,
    periodMs: period && durationMs(period),
    algorithm: isSha1 ? "sha1" : "other",
    label,
    createdAt: fromTimestamp(createTime),
  };
}

function fromPasskey(passkey: NewPasskey, field: string): ImportedPasskey {
  return {
    kind: "passkey",
    field,
    credentialId: passkey.credentialId,
    publicKey: passkey.publicKey,
    counter: Number(passkey.signCount),
    transports: passkey.transports,
    aaguid: passkey.aaguid,
    isBackupEligible: passkey.backupEligible,
    isBackedUp: passkey.backupState,
    isDiscoverable: passkey.discoverable,
    userHandle: passkey.userHandle,
    isSecondFactor: passkey.secondFactor,
    label: passkey.label,
    createdAt: fromTimestamp(passkey.createTime),
  };
}
