import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type CredentialSchema,
  type IdentityProfileSchema,
  type IdentitySchema,
  IdentifierKind as ProtoIdentifierKind,
  IdentityState as ProtoIdentityState,
} from "../../../../gen/ostiary/identity/v1/identity_pb.js";
import { IdentityView as ProtoIdentityView } from "../../../../gen/ostiary/identity/v1/identity_service_pb.js";
import type { AddressMark } from "../../../domain/courier/store.ts";
import { type OwnAddress, ownAddresses } from "../../../domain/identity/addresses.ts";
import { etagOf } from "../../../domain/identity/etag.ts";
import type {
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
  marks: ReadonlyMap<string, AddressMark> = new Map(),
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
    addresses: ownAddresses(identity).map((address) => ({
      ...toAddress(address),
      ...toMark(address.kind === "email" ? marks.get(address.value) : undefined),
    })),
    displayName: identity.displayName,
    lastLoginTime: toTimestamp(identity.lastLoginAt),
    purgeTime: toTimestamp(identity.purgeAt),
    requiredActions: toRequiredActions(identity, context),
  };
}

/** An address of an account. */
export function toAddress(address: OwnAddress) {
  const { kind, verifiedAt, ...rest } = address;
  return { ...rest, kind: addressKinds[kind], verifyTime: toTimestamp(verifiedAt) };
}

function toMark(mark: AddressMark | undefined) {
  return { bounceTime: toTimestamp(mark?.bouncedAt), complaintTime: toTimestamp(mark?.complainedAt) };
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
    addresses: ownAddresses(identity).map(toAddress),
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
