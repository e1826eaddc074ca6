import { defineEntity, p, Type } from "@mikro-orm/core";
import type { MessageChannel, MessageTemplate } from "../domain/courier/message.ts";
import type { MessageArrival, MessageState } from "../domain/courier/store.ts";
import type { EventActor, EventType } from "../domain/event/event.ts";
import type { FlowData, FlowState } from "../domain/flow/shared/flow.ts";
import type { AddressKind, IdentityState } from "../domain/identity/identity.ts";
import type { ApiKeyId, EventId, IdentityId, InvitationId, MessageId, SessionId } from "../domain/ids.ts";
import type { JsonObject } from "../domain/json.ts";
import type { FlowClient, FlowKind } from "../domain/kinds.ts";
import type { Challenge } from "../domain/method/method.ts";
import type { AssuranceLevel } from "../domain/session/session.ts";
import {
  actorColumn,
  callerText,
  endColumn,
  endOf,
  instantOf,
  proofsOf,
  requiredActionsOf,
} from "./column-values.ts";

/**
 * The tables: the one description of a row. From it come the migrations (`make migration NAME=...` writes the next one), and
 * rows.generated.ts (`make generate`): the columns and types of the hand-written SQL, and what makes a row of a value and a
 * value of a row. `hidden` is what a row has and its value has not. The process that serves does not load this file.
 * Each exported entity is a table.
 *
 * Foreign keys, which all lead to `identity`, are written in the migrations alone: they share `tenant_id` with the primary key.
 */

/** A column of a value that is read by the one function and written by the other: both are in column-values.ts. */
export class Mapped<Value, Column> extends Type<Value, Column> {
  readonly columnType: string;
  readonly read: ((column: Column) => Value) | undefined;
  readonly write: ((value: Value) => unknown) | undefined;

  constructor(columnType: string, read?: (column: Column) => Value, write?: (value: Value) => unknown) {
    super();
    this.columnType = columnType;
    this.read = read;
    this.write = write;
  }

  override getColumnType(): string {
    return this.columnType;
  }
}

const time = "timestamptz(6)";
const moment = () => p.datetime().columnType(time);
/** A moment that comes to be compared. */
const instant = () => p.type(new Mapped(time, instantOf));
/** An end that may never come: NULL. */
const end = () => p.type(new Mapped(time, endOf, endColumn)).nullable();
/** What a caller's software says of itself. */
const ofCaller = () => p.type(new Mapped<string, string>("text", undefined, callerText));
const bytes = () => p.blob().$type<Uint8Array>();
/** Text that is ordered by its bytes. */
const orderedText = () => p.text().collation("C");

/** Indexes that are more than a list of properties: the columns, and what may stand before and after them. */
function indexes(table: string, definitions: Readonly<Record<string, string>>) {
  return Object.entries(definitions).map(([name, definition]) => {
    const [, unique = "", rest] = /^(unique )?(.*)$/.exec(definition) ?? [];
    return { name, expression: `create ${unique}index ${name} on ostiary.${table} ${rest}` };
  });
}

export const Tenant = defineEntity({
  name: "Tenant",
  properties: { tenantId: p.uuid().primary(), name: orderedText(), createdAt: moment() },
  uniques: [{ name: "tenant_name", properties: ["name"] }],
});

export const Identity = defineEntity({
  name: "Identity",
  properties: {
    tenantId: p.uuid().primary(),
    id: p.uuid().primary().$type<IdentityId>(),
    createdAt: moment(),
    updatedAt: moment(),
    revision: p.integer(),
    externalId: orderedText().nullable(),
    schemaId: orderedText(),
    schemaVersion: p.integer(),
    state: orderedText().$type<IdentityState>(),
    stateChangedAt: moment(),
    traits: p.json<JsonObject>(),
    publicMetadata: p.json<JsonObject>(),
    adminMetadata: p.json<JsonObject>(),
    displayName: p.text(),
    lastLoginAt: moment().nullable(),
    loginSequence: p.integer().hidden(),
    purgeAt: end(),
    requiredActions: p.type(new Mapped("jsonb", requiredActionsOf)).defaultRaw("'[]'"),
  },
  indexes: indexes("identity", {
    identity_deletion: "(tenant_id, purge_at) where purge_at is not null",
    identity_list: "(tenant_id, created_at desc, id desc)",
    identity_list_by_schema: "(tenant_id, schema_id, created_at desc, id desc)",
    identity_list_by_state: "(tenant_id, state, created_at desc, id desc)",
    identity_traits: "using gin (traits jsonb_path_ops)",
  }),
  uniques: [{ name: "identity_external_id", properties: ["tenantId", "externalId"] }],
});

export const IdentityIdentifier = defineEntity({
  name: "IdentityIdentifier",
  properties: {
    tenantId: p.uuid().primary(),
    value: orderedText().primary(),
    identityId: p.uuid(),
    kind: p.text(),
    path: p.text(),
    ordinal: p.integer(),
  },
  indexes: [{ name: "identity_identifier_identity", properties: ["tenantId", "identityId"] }],
});

export const IdentityVerifiableAddress = defineEntity({
  name: "IdentityVerifiableAddress",
  properties: {
    tenantId: p.uuid().primary(),
    identityId: p.uuid().primary(),
    kind: orderedText().primary(),
    value: orderedText().primary(),
    path: p.text().default(""),
    verifiedAt: moment().nullable(),
    ordinal: p.integer(),
  },
  indexes: [{ name: "identity_verifiable_address_value", properties: ["tenantId", "kind", "value"] }],
});

export const IdentityRecoveryAddress = defineEntity({
  name: "IdentityRecoveryAddress",
  properties: {
    tenantId: p.uuid().primary(),
    identityId: p.uuid().primary(),
    kind: orderedText().primary(),
    value: orderedText().primary(),
    path: p.text().default(""),
    ordinal: p.integer(),
  },
});

export const IdentityCredential = defineEntity({
  name: "IdentityCredential",
  properties: {
    tenantId: p.uuid().primary(),
    identityId: p.uuid().primary(),
    kind: orderedText().primary(),
    /** What it is looked up by, where an identity can have several of its kind; else empty. */
    lookupKey: orderedText().primary().default(""),
    id: p.uuid(),
    label: p.text().default(""),
    isSecondFactor: p.boolean().default(false),
    secret: p.text(),
    facts: p.json<JsonObject>().columnType("jsonb"),
    lastUsedAt: moment().nullable(),
    setByOperator: p.boolean().nullable(),
    createdAt: moment(),
    updatedAt: moment(),
  },
  indexes: indexes("identity_credential", {
    identity_credential_lookup: "unique (tenant_id, kind, lookup_key) where lookup_key <> ''",
  }),
});

export const IdentitySchema = defineEntity({
  name: "IdentitySchema",
  properties: {
    tenantId: p.uuid().primary(),
    id: orderedText().primary(),
    version: p.integer().primary(),
    createdAt: moment(),
    document: p.json<JsonObject>().columnType("json"),
    documentDigest: bytes().hidden(),
  },
});

const ClientInfo = defineEntity({
  name: "ClientInfo",
  embeddable: true,
  properties: { ipAddress: ofCaller().nullable(), userAgent: ofCaller().nullable() },
});

/** Few sessions are those of a provider, and only they cost an entry when they begin. */
const isLiveByProvider = `revoked_at is null and authentication_methods @> '[{"kind": "oidc"}]'`;

export const Session = defineEntity({
  name: "Session",
  properties: {
    tenantId: p.uuid().primary(),
    id: p.uuid().primary().$type<SessionId>(),
    tokenDigest: bytes().hidden(),
    identityId: p.uuid().$type<IdentityId>(),
    createdAt: moment(),
    updatedAt: moment(),
    assuranceLevel: p.text().$type<AssuranceLevel>(),
    authenticationMethods: p.type(new Mapped("jsonb", proofsOf)),
    authenticatedAt: moment(),
    expiresAt: instant(),
    lastUsedAt: moment(),
    revokedAt: end(),
    device: p.embedded(ClientInfo).prefix(false),
  },
  indexes: indexes("session", {
    session_identity: "(tenant_id, identity_id, created_at desc, id desc)",
    session_list: "(tenant_id, created_at desc, id desc)",
    session_expiry: "(expires_at)",
    session_revocation: "(revoked_at) where revoked_at is not null",
    session_provider: `using gin (authentication_methods jsonb_path_ops) where ${isLiveByProvider}`,
  }),
  uniques: [{ name: "session_token_digest", properties: ["tenantId", "tokenDigest"] }],
});

export const Flow = defineEntity({
  name: "Flow",
  properties: {
    tenantId: p.uuid().primary(),
    digest: bytes().primary(),
    kind: p.text().$type<FlowKind>(),
    client: p.text().$type<FlowClient>(),
    state: p.text().$type<FlowState>(),
    createdAt: moment(),
    expiresAt: moment(),
    returnTo: p.text().nullable(),
    browserDigest: bytes().nullable(),
    identityId: p.uuid().$type<IdentityId>().nullable(),
    data: p.json<FlowData>(),
    revision: p.integer().default(0),
    challengeKind: p.text().$type<Challenge["kind"]>().nullable(),
    challengeDigest: bytes().nullable(),
    challengeExpiresAt: moment().nullable(),
    challengeAttempts: p.integer().default(0),
    kept: p.text().nullable(),
    answer: p.text().nullable(),
  },
  indexes: indexes("flow", {
    flow_link: "unique (tenant_id, challenge_digest) where challenge_kind = 'link'",
    flow_identity: "(tenant_id, identity_id, revision)",
    flow_expiry: "(expires_at)",
  }),
});

export const ApiKey = defineEntity({
  name: "ApiKey",
  properties: {
    tenantId: p.uuid().primary(),
    id: p.uuid().primary().$type<ApiKeyId>(),
    tokenDigest: bytes().hidden(),
    createdAt: moment(),
    updatedAt: moment(),
    name: p.text(),
    scopes: p.array().$type<readonly string[]>(),
    expiresAt: end(),
    lastUsedAt: moment().nullable(),
    revokedAt: end(),
    bootstrap: p.boolean(),
    makerApiKeyId: p.uuid().$type<ApiKeyId>().nullable(),
    makerCertificate: p.text().nullable(),
  },
  indexes: indexes("api_key", {
    api_key_maker: "(tenant_id, maker_api_key_id)",
    api_key_list: "(tenant_id, created_at desc, id desc)",
  }),
  uniques: [{ name: "api_key_token_digest", properties: ["tenantId", "tokenDigest"] }],
});

export const ApiKeyBootstrap = defineEntity({
  name: "ApiKeyBootstrap",
  properties: { tenantId: p.uuid().primary(), apiKeyId: p.uuid(), createdAt: moment() },
});

export const IdempotencyRecord = defineEntity({
  name: "IdempotencyRecord",
  properties: {
    tenantId: p.uuid().primary(),
    caller: orderedText().primary(),
    method: orderedText().primary(),
    requestId: orderedText().primary(),
    outcome: p.text().nullable(),
    createdAt: moment(),
    expiresAt: moment(),
  },
  indexes: [{ name: "idempotency_record_expiry", properties: ["expiresAt"] }],
});

/** One row: the event log is that of the whole database. */
export const EventEpoch = defineEntity({
  name: "EventEpoch",
  properties: {
    only: p.smallint().primary().autoincrement(false),
    epoch: p.bigint("string"),
    databaseIdentity: p.text(),
    timeline: p.text(),
    createdAt: moment(),
    removedThrough: p.string().columnType("xid8"),
  },
});

const Origin = defineEntity({
  name: "OriginOfEvent",
  embeddable: true,
  properties: {
    actor: p.type(new Mapped<EventActor, EventActor>("jsonb", undefined, actorColumn)),
    requestId: ofCaller(),
    ipAddress: ofCaller().nullable(),
    userAgent: ofCaller().nullable(),
  },
});

/** In partitions, which the migrations and event-partitions.ts make: by class and month. */
export const Event = defineEntity({
  name: "Event",
  properties: {
    tenantId: p.uuid().primary(),
    position: p.bigint("string").primary().autoincrement(false).hidden(),
    retentionClass: orderedText().primary().hidden().default(""),
    createdAt: moment().primary(),
    transactionId: p.string().columnType("xid8").hidden(),
    id: p.uuid().$type<EventId>(),
    type: orderedText().$type<EventType>(),
    identityId: p.uuid().$type<IdentityId>().nullable(),
    sessionId: p.uuid().$type<SessionId>().nullable(),
    origin: p.embedded(Origin).prefix(false),
    data: p.json<JsonObject>(),
  },
  indexes: indexes("event", {
    event_order: "(transaction_id, position)",
    event_age: "using brin (created_at)",
    event_client_details: "(created_at) where ip_address is not null or user_agent is not null",
    event_of_identity: "(tenant_id, identity_id, created_at desc, id desc) where identity_id is not null",
    event_deletion: "(created_at) where type = 'identity.deleted'",
  }),
});

export const Message = defineEntity({
  name: "Message",
  properties: {
    tenantId: p.uuid().primary(),
    id: p.uuid().primary().$type<MessageId>(),
    createdAt: moment(),
    updatedAt: moment(),
    state: orderedText().$type<MessageState>(),
    channel: p.text().$type<MessageChannel>(),
    template: p.text().$type<MessageTemplate>(),
    recipient: orderedText(),
    language: p.text(),
    identityId: p.uuid().$type<IdentityId>().nullable(),
    attempts: p.integer(),
    nextAttemptAt: moment().nullable(),
    leaseToken: p.uuid().nullable().hidden(),
    expiresAt: end(),
    endedAt: moment().nullable(),
    lastError: p.text().nullable(),
    sealedData: p.text().nullable().hidden(),
    arrival: p.text().$type<MessageArrival>().nullable(),
    arrivalAt: moment().nullable(),
    arrivalReason: p.text().nullable(),
  },
  indexes: indexes("message", {
    message_due: "(next_attempt_at) where state in ('queued', 'sending')",
    message_list: "(tenant_id, created_at desc, id desc)",
    message_failed: "(tenant_id, created_at desc, id desc) where state = 'failed'",
    message_recipient: "(tenant_id, recipient, created_at desc, id desc)",
    message_identity: "(tenant_id, identity_id, created_at desc, id desc)",
    message_end: "(ended_at) where ended_at is not null",
    message_suppressed: "(ended_at) where state = 'suppressed'",
  }),
});

/** Email addresses that mail came back from, or whose reader complained. They belong to the address, and not to an identity. */
export const AddressMark = defineEntity({
  name: "AddressMark",
  properties: {
    tenantId: p.uuid().primary(),
    value: orderedText().primary(),
    updatedAt: moment(),
    bouncedAt: moment().nullable(),
    bounceReason: p.text().nullable(),
    /** The last time that mail came back which was sent without regard to accounts. */
    openAt: moment().nullable(),
    complainedAt: moment().nullable(),
  },
});

export const ThrottleCounter = defineEntity({
  name: "ThrottleCounter",
  properties: {
    tenantId: p.uuid().primary(),
    key: bytes().primary(),
    spentUntilUs: p.bigint("string"),
    periodUs: p.bigint("string"),
  },
  indexes: [{ name: "throttle_counter_end", properties: ["spentUntilUs"] }],
});

export const Device = defineEntity({
  name: "Device",
  properties: {
    tenantId: p.uuid().primary(),
    tokenDigest: bytes().primary(),
    identityId: p.uuid(),
    createdAt: moment(),
    expiresAt: moment(),
  },
  indexes: [
    { name: "device_identity", properties: ["tenantId", "identityId"] },
    { name: "device_expiry", properties: ["expiresAt"] },
  ],
});

export const Invitation = defineEntity({
  name: "Invitation",
  properties: {
    tenantId: p.uuid().primary(),
    id: p.uuid().primary().$type<InvitationId>(),
    tokenDigest: bytes().hidden(),
    createdAt: moment(),
    expiresAt: instant(),
    endsAt: moment().hidden(),
    addressKind: p.text().$type<AddressKind>().nullable(),
    address: orderedText().nullable(),
    schemaId: p.text(),
    traits: p.json<JsonObject>(),
    publicMetadata: p.json<JsonObject>(),
    adminMetadata: p.json<JsonObject>(),
    usedAt: end(),
    identityId: p.uuid().$type<IdentityId>().nullable(),
    revokedAt: end(),
  },
  indexes: indexes("invitation", {
    invitation_list: "(tenant_id, created_at desc, id desc)",
    invitation_address: "(tenant_id, address, created_at desc, id desc) where address is not null",
    invitation_identity: "(tenant_id, identity_id) where identity_id is not null",
    invitation_end: "(ends_at)",
  }),
  uniques: [{ name: "invitation_token_digest", properties: ["tenantId", "tokenDigest"] }],
});
