import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type AddressSchema,
  type CredentialSchema,
  type IdentityProfileSchema,
  type IdentitySchema,
  IdentifierKind as ProtoIdentifierKind,
  IdentityState as ProtoIdentityState,
} from "../../../../gen/ostiary/identity/v1/identity_pb.js";
import { IdentityView as ProtoIdentityView } from "../../../../gen/ostiary/identity/v1/identity_service_pb.js";
import { etagOf } from "../../../domain/identity/etag.ts";
import type {
  AddressKind,
  Credential,
  IdentifierKind,
  Identity,
  IdentityState,
} from "../../../domain/identity/identity.ts";
import { addressKinds, toStruct, toTimestamp } from "./common.ts";
import { methodKinds, toCredentialDetails } from "./method.ts";
import { type ActionContext, toRequiredActions } from "./required-action.ts";

const states: Record<IdentityState, ProtoIdentityState> = {
  active: ProtoIdentityState.ACTIVE,
  inactive: ProtoIdentityState.INACTIVE,
};

/** The kinds of identifiers as the contract names them. */
export const identifierKinds: Record<IdentifierKind, ProtoIdentifierKind> = {
  email: ProtoIdentifierKind.EMAIL,
  phone: ProtoIdentifierKind.PHONE,
  username: ProtoIdentifierKind.USERNAME,
};

/** How much of an identity is shown. */
export type IdentityView = "id" | "basic" | "full";

/** An identity as the admin API shows it. */
export function toIdentity(
  identity: Identity,
  context: ActionContext,
  view: IdentityView = "full",
): MessageInitShape<typeof IdentitySchema> {
  if (view === "id") return { id: identity.id };
  const documents =
    view === "basic"
      ? {}
      : {
          traits: identity.traits,
          publicMetadata: toStruct(identity.publicMetadata),
          adminMetadata: toStruct(identity.adminMetadata),
        };
  return {
    ...documents,
    id: identity.id,
    createTime: toTimestamp(identity.createdAt),
    updateTime: toTimestamp(identity.updatedAt),
    etag: etagOf(identity),
    externalId: identity.externalId ?? "",
    schemaId: identity.schemaId,
    schemaVersion: identity.schemaVersion,
    state: states[identity.state],
    stateChangeTime: toTimestamp(identity.stateChangedAt),
    identifiers: identity.identifiers.map(({ value, kind, path }) => ({
      value,
      kind: identifierKinds[kind],
      path,
    })),
    addresses: toAddresses(identity),
    displayName: identity.displayName,
    lastLoginTime: toTimestamp(identity.lastLoginAt),
    purgeTime: toTimestamp(identity.purgeAt),
    requiredActions: toRequiredActions(identity, context),
  };
}

/** The addresses of an identity: those that can be verified, then those that only recover. */
function toAddresses({
  verifiableAddresses,
  recoveryAddresses,
}: Identity): MessageInitShape<typeof AddressSchema>[] {
  const recovers = (one: KindAndValue) => recoveryAddresses.some((address) => isSame(address, one));
  const verified = verifiableAddresses.filter(({ verifiedAt }) => verifiedAt !== undefined);
  const primary = verified.find(recovers) ?? verified[0];
  const verifiable = verifiableAddresses.map((address) => ({
    value: address.value,
    kind: addressKinds[address.kind],
    verifyTime: toTimestamp(address.verifiedAt),
    verifiable: true,
    recovers: recovers(address),
    path: address.path,
    primary: address === primary,
  }));
  const others = recoveryAddresses
    .filter((one) => !verifiableAddresses.some((address) => isSame(address, one)))
    .map(({ value, kind, path }) => ({ value, kind: addressKinds[kind], recovers: true, path }));
  return [...verifiable, ...others];
}

interface KindAndValue {
  readonly kind: AddressKind;
  readonly value: string;
}

function isSame(one: KindAndValue, other: KindAndValue): boolean {
  return one.kind === other.kind && one.value === other.value;
}

/**
 * An identity as its owner may see it: without admin metadata, and without what only operators need. Its traits are those that
 * `IdentityProfiles` leaves.
 */
export function toIdentityProfile(identity: Identity): MessageInitShape<typeof IdentityProfileSchema> {
  return {
    id: identity.id,
    createTime: toTimestamp(identity.createdAt),
    updateTime: toTimestamp(identity.updatedAt),
    etag: etagOf(identity),
    externalId: identity.externalId ?? "",
    schemaId: identity.schemaId,
    traits: identity.traits,
    publicMetadata: toStruct(identity.publicMetadata),
    addresses: toAddresses(identity),
    displayName: identity.displayName,
    purgeTime: toTimestamp(identity.purgeAt),
  };
}

/** A credential, without its secret. */
export function toCredential(credential: Credential): MessageInitShape<typeof CredentialSchema> {
  return {
    id: credential.id,
    kind: methodKinds[credential.kind],
    createTime: toTimestamp(credential.createdAt),
    updateTime: toTimestamp(credential.updatedAt),
    label: credential.label,
    secondFactor: credential.isSecondFactor,
    lastUseTime: credential.lastUsedAt && toTimestamp(credential.lastUsedAt),
    details: toCredentialDetails(credential),
  };
}

/** The view that is asked for; unspecified is the method's default. */
export function fromIdentityView(view: ProtoIdentityView, byDefault: IdentityView): IdentityView {
  switch (view) {
    case ProtoIdentityView.ID:
      return "id";
    case ProtoIdentityView.BASIC:
      return "basic";
    case ProtoIdentityView.FULL:
      return "full";
    case ProtoIdentityView.UNSPECIFIED:
      return byDefault;
    default: {
      const unreachable: never = view;
      return unreachable;
    }
  }
}

/** A state to filter by; unspecified filters nothing. */
export function fromIdentityState(state: ProtoIdentityState): IdentityState | undefined {
  switch (state) {
    case ProtoIdentityState.ACTIVE:
      return "active";
    case ProtoIdentityState.INACTIVE:
      return "inactive";
    case ProtoIdentityState.UNSPECIFIED:
      return undefined;
    default: {
      const unreachable: never = state;
      return unreachable;
    }
  }
}
