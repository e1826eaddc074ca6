import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  type NewPasskey,
  type NewTotp,
  TotpAlgorithm,
} from "../../../../gen/ostiary/identity/v1/identity_service_pb.js";
import type {
  ImportedCredential,
  ImportedPasskey,
  ImportedTotp,
} from "../../../domain/identity/imported-credential.ts";
import { Secret } from "../../../domain/secret.ts";
import { fromTimestamp } from "./common.ts";

/** The credentials of another system in a request: the app first, then the passkeys. Their fields are below `prefix`. */
export function fromImported(
  { totp, passkeys }: { readonly totp?: NewTotp | undefined; readonly passkeys: readonly NewPasskey[] },
  prefix: "" | "credentials.",
): readonly ImportedCredential[] {
  const apps = totp === undefined ? [] : [fromTotp(totp, `${prefix}totp`)];
  return [...apps, ...passkeys.map((passkey, index) => fromPasskey(passkey, `${prefix}passkeys.${index}`))];
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
