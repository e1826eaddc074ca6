import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type CredentialSchema,
  type IdentityProfileSchema,
  type IdentitySchema,
  CredentialKind as ProtoCredentialKind,
  IdentityState as ProtoIdentityState,
} from "../../../../gen/ostiary/identity/v1/identity_pb.js";
import { AddressKind as ProtoAddressKind } from "../../../../gen/ostiary/option/v1/demand_pb.js";
import { etagOf } from "../../../domain/identity/identities.ts";
import type {
  AddressKind,
  Credential,
  CredentialKind,
  Identity,
  IdentityState,
} from "../../../domain/identity/identity.ts";
import { toStruct, toTimestamp } from "./common.ts";

const states: Record<IdentityState, ProtoIdentityState> = {
  active: ProtoIdentityState.ACTIVE,
  inactive: ProtoIdentityState.INACTIVE,
};

/** Kinds of addresses, as the contract names them. */
export const addressKinds: Record<AddressKind, ProtoAddressKind> = {
  email: ProtoAddressKind.EMAIL,
  phone: ProtoAddressKind.PHONE,
};

const credentialKinds: Record<CredentialKind, ProtoCredentialKind> = {
  password: ProtoCredentialKind.PASSWORD,
};

/** An identity as the admin API shows it. */
export function toIdentity(identity: Identity): MessageInitShape<typeof IdentitySchema> {
  return {
    id: identity.id,
    createTime: toTimestamp(identity.createdAt),
    updateTime: toTimestamp(identity.updatedAt),
    etag: etagOf(identity),
    externalId: identity.externalId ?? "",
    schemaId: identity.schemaId,
    schemaVersion: identity.schemaVersion,
    state: states[identity.state],
    stateChangeTime: toTimestamp(identity.stateChangedAt),
    traits: identity.traits,
    publicMetadata: toStruct(identity.publicMetadata),
    adminMetadata: toStruct(identity.adminMetadata),
    identifiers: identity.identifiers.map((identifier) => identifier.value),
    verifiableAddresses: identity.verifiableAddresses.map((address) => ({
      value: address.value,
      kind: addressKinds[address.kind],
      verifyTime: toTimestamp(address.verifiedAt),
    })),
    recoveryAddresses: identity.recoveryAddresses.map((address) => ({
      value: address.value,
      kind: addressKinds[address.kind],
    })),
    displayName: identity.displayName,
    lastLoginTime: toTimestamp(identity.lastLoginAt),
    deleteTime: toTimestamp(identity.deleteAt),
  };
}

/** An identity as its owner may see it: without admin metadata, and without what only operators need. */
export function toIdentityProfile(identity: Identity): MessageInitShape<typeof IdentityProfileSchema> {
  return {
    id: identity.id,
    createTime: toTimestamp(identity.createdAt),
    updateTime: toTimestamp(identity.updatedAt),
    schemaId: identity.schemaId,
    traits: identity.traits,
    publicMetadata: toStruct(identity.publicMetadata),
    displayName: identity.displayName,
    externalId: identity.externalId ?? "",
    deleteTime: toTimestamp(identity.deleteAt),
  };
}

/** A credential, without its secret. */
export function toCredential(credential: Credential): MessageInitShape<typeof CredentialSchema> {
  return {
    kind: credentialKinds[credential.kind],
    createTime: toTimestamp(credential.createdAt),
    updateTime: toTimestamp(credential.updatedAt),
    details: { case: credential.kind, value: { hashAlgorithm: credential.hashAlgorithm ?? "" } },
  };
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
