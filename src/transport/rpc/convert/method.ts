/** Conversions for each method; a new method adds its own here. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { MethodKind as ProtoMethodKind } from "../../../../gen/ostiary/common/v1/method_kind_pb.js";
import type { MethodOfferSchema, SettingsOfferSchema } from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import type { CredentialSchema } from "../../../../gen/ostiary/identity/v1/identity_pb.js";
import type { MethodOffer, SettingsOffer } from "../../../domain/flow/shared/flow.ts";
import type { Credential } from "../../../domain/identity/identity.ts";
import type { MethodKind } from "../../../domain/kinds.ts";
import { addressKinds, toTimestamp } from "./common.ts";

/** The kinds of methods, and so of credentials, as the contract names them. */
export const methodKinds: Readonly<Record<MethodKind, ProtoMethodKind>> = {
  password: ProtoMethodKind.PASSWORD,
  code: ProtoMethodKind.CODE,
  link: ProtoMethodKind.LINK,
};

/** The method on offer at a stage. */
export function toMethodOffer({
  kind,
  addresses = [],
}: MethodOffer): MessageInitShape<typeof MethodOfferSchema> {
  if (kind === "password") return { method: { case: kind, value: {} } };
  const offered = addresses.map(({ id, masked, kind: of }) => ({
    id,
    address: masked,
    kind: addressKinds[of],
  }));
  return { method: { case: kind, value: { addresses: offered } } };
}

/** The part of the settings on offer. */
export function toSettingsOffer(offer: SettingsOffer): MessageInitShape<typeof SettingsOfferSchema> {
  if (offer.kind !== "deletion") return { part: { case: offer.kind, value: {} } };
  const purgeTime = offer.purgeAt && toTimestamp(offer.purgeAt);
  return { part: { case: "deletion", value: { purgeTime } } };
}

/** What may be shown of a credential, as its method keeps it. */
export function toCredentialDetails({
  kind,
  facts,
}: Credential): MessageInitShape<typeof CredentialSchema>["details"] {
  return { case: kind, value: { hashAlgorithm: String(facts.algorithm ?? "") } };
}
