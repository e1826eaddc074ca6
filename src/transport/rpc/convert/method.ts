/** Conversions for each method; a new method adds its own here. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { MethodKind as ProtoMethodKind } from "../../../../gen/ostiary/common/v1/method_kind_pb.js";
import type {
  AcceptedPasskeysSchema,
  MethodOfferSchema,
  PasskeyOfferSchema,
  SettingsOfferSchema,
} from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import type { CredentialSchema } from "../../../../gen/ostiary/identity/v1/identity_pb.js";
import type { MethodOffer, SettingsOffer } from "../../../domain/flow/shared/flow.ts";
import type { Credential } from "../../../domain/identity/identity.ts";
import { isObject, type JsonObject, type JsonValue } from "../../../domain/json.ts";
import type { CredentialKind, MethodKind } from "../../../domain/kinds.ts";
import { continueWith, linkProvider } from "../../../domain/user-message/provider-messages.ts";
import { addressKinds, toTimestamp } from "./common.ts";
import { toMessage } from "./message.ts";

type CredentialOffer = Extract<
  NonNullable<MessageInitShape<typeof MethodOfferSchema>["method"]>,
  { case: "password" | "totp" | "backupCode" | "passkey" | "sms" | "oidc" }
>;

/** The kinds of methods, and so of credentials, as the contract names them. */
export const methodKinds: Readonly<Record<MethodKind, ProtoMethodKind>> = {
  password: ProtoMethodKind.PASSWORD,
  code: ProtoMethodKind.CODE,
  link: ProtoMethodKind.LINK,
  totp: ProtoMethodKind.TOTP,
  backup_code: ProtoMethodKind.BACKUP_CODE,
  passkey: ProtoMethodKind.PASSKEY,
  sms: ProtoMethodKind.SMS,
  oidc: ProtoMethodKind.OIDC,
};

/** The method on offer at a stage. */
export function toMethodOffer({
  kind,
  addresses = [],
  facts,
}: MethodOffer): MessageInitShape<typeof MethodOfferSchema> {
  if (kind !== "code" && kind !== "link") return { method: toOffer(kind, facts) };
  const offered = addresses.map(({ id, masked, kind: of }) => ({
    id,
    address: masked,
    kind: addressKinds[of],
  }));
  return { method: { case: kind, value: { addresses: offered } } };
}

/** The part of the settings on offer. */
export function toSettingsOffer(offer: SettingsOffer): MessageInitShape<typeof SettingsOfferSchema> {
  if (offer.kind === "profile") return { part: { case: "profile", value: {} } };
  if (offer.kind !== "deletion") return { part: toOffer(offer.kind, offer.facts, linkProvider) };
  const purgeTime = offer.purgeAt && toTimestamp(offer.purgeAt);
  return { part: { case: "deletion", value: { purgeTime } } };
}

/** The offer of a method that keeps a credential. `facts`: what the method says to forms that are written by hand. */
function toOffer(kind: CredentialKind, facts: JsonObject = {}, labelOf = continueWith): CredentialOffer {
  switch (kind) {
    case "password":
      return { case: "password", value: {} };
    case "totp":
      return { case: "totp", value: { key: textOf(facts.key), uri: textOf(facts.uri) } };
    case "backup_code": {
      const codes = Array.isArray(facts.codes) ? facts.codes.map(textOf) : [];
      return { case: "backupCode", value: { codes } };
    }
    case "passkey":
      return { case: "passkey", value: toPasskeyOffer(facts) };
    case "sms":
      return {
        case: "sms",
        value: {
          phoneNumber: textOf(facts.phoneNumber),
          expireTime: timeOf(facts.expiresAt),
          resendTime: timeOf(facts.resendAt),
        },
      };
    case "oidc": {
      const name = textOf(facts.name);
      return {
        case: "oidc",
        value: {
          ...{ provider: textOf(facts.provider), name, logo: textOf(facts.logo), nonce: textOf(facts.nonce) },
          label: toMessage(labelOf(name)),
          lastUsed: facts.lastUsed === true,
          unavailable: facts.unavailable === true,
        },
      };
    }
    default:
      return kind satisfies never;
  }
}

/** The offer of a passkey. */
export function toPasskeyOffer({
  options,
  accepted,
}: JsonObject): MessageInitShape<typeof PasskeyOfferSchema> {
  return {
    options: isObject(options) ? options : undefined,
    accepted: Array.isArray(accepted) ? accepted.filter(isObject).map(toAcceptedPasskeys) : [],
  };
}

function toAcceptedPasskeys(accepted: JsonObject): MessageInitShape<typeof AcceptedPasskeysSchema> {
  const { rpId, userId, allAcceptedCredentialIds: ids, name, displayName } = accepted;
  return {
    ...{ rpId: textOf(rpId), userId: textOf(userId), name: textOf(name), displayName: textOf(displayName) },
    allAcceptedCredentialIds: Array.isArray(ids) ? ids.map(textOf) : [],
  };
}

/** What may be shown of a credential, as its method keeps it. */
export function toCredentialDetails({
  kind,
  facts,
}: Credential): MessageInitShape<typeof CredentialSchema>["details"] {
  switch (kind) {
    case "password":
      return { case: "password", value: { hashAlgorithm: textOf(facts.algorithm) } };
    case "totp":
      return { case: "totp", value: {} };
    case "backup_code":
      return {
        case: "backupCode",
        value: { remaining: Number(facts.remaining), total: Number(facts.total) },
      };
    case "passkey":
      return {
        case: "passkey",
        value: {
          synced: facts.synced === true,
          aaguid: textOf(facts.aaguid),
          transports: Array.isArray(facts.transports) ? facts.transports.map(textOf) : [],
          discoverable: facts.discoverable === true,
        },
      };
    case "sms":
      return { case: "sms", value: { phoneNumber: textOf(facts.masked) } };
    case "oidc":
      return {
        case: "oidc",
        value: {
          ...{ provider: textOf(facts.provider), providerName: textOf(facts.name) },
          ...{ issuer: textOf(facts.issuer), subject: textOf(facts.subject) },
          account: textOf(facts.account),
        },
      };
    default:
      return kind satisfies never;
  }
}

function timeOf(value: JsonValue | undefined): ReturnType<typeof toTimestamp> | undefined {
  return typeof value === "string" ? toTimestamp(new Date(value)) : undefined;
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}
