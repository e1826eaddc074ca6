import { defineEntity, p } from "@mikro-orm/core";

/**
 * The tables as MikroORM knows them: what the migrations are compared with, so that a column that is changed in
 * one place only fails a test. The stores do not use them, see README.md. Foreign keys, which all lead to
 * `identity`, are written in the migrations alone: they share `tenant_id` with the primary key.
 */

const schema = "ostiary";

const moment = () => p.datetime().columnType("timestamptz(6)");
/** Text that is ordered by its bytes. */
const orderedText = () => p.text().collation("C");

const Tenant = defineEntity({
  name: "Tenant",
  tableName: "tenant",
  schema,
  properties: { tenantId: p.uuid().primary(), name: orderedText(), createdAt: moment() },
  uniques: [{ name: "tenant_name", properties: ["name"] }],
});

const Identity = defineEntity({
  name: "Identity",
  tableName: "identity",
  schema,
  properties: {
    tenantId: p.uuid().primary(),
    id: p.uuid().primary(),
    createdAt: moment(),
    updatedAt: moment(),
    revision: p.integer(),
    externalId: orderedText().nullable(),
    schemaId: p.text(),
    schemaVersion: p.integer(),
    state: p.text(),
    stateChangedAt: moment(),
    traits: p.json(),
    publicMetadata: p.json(),
    adminMetadata: p.json(),
    displayName: p.text(),
    lastLoginAt: moment().nullable(),
    loginSequence: p.integer(),
    deleteAt: moment().nullable(),
  },
  indexes: [
    {
      name: "identity_deletion",
      expression:
        "create index identity_deletion on ostiary.identity (tenant_id, delete_at) where delete_at is not null",
    },
    {
      name: "identity_list",
      expression: "create index identity_list on ostiary.identity (tenant_id, created_at desc, id desc)",
    },
    {
      name: "identity_traits",
      expression: "create index identity_traits on ostiary.identity using gin (traits jsonb_path_ops)",
    },
  ],
  uniques: [{ name: "identity_external_id", properties: ["tenantId", "externalId"] }],
});

const IdentityIdentifier = defineEntity({
  name: "IdentityIdentifier",
  tableName: "identity_identifier",
  schema,
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

const IdentityVerifiableAddress = defineEntity({
  name: "IdentityVerifiableAddress",
  tableName: "identity_verifiable_address",
  schema,
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

const IdentityRecoveryAddress = defineEntity({
  name: "IdentityRecoveryAddress",
  tableName: "identity_recovery_address",
  schema,
  properties: {
    tenantId: p.uuid().primary(),
    identityId: p.uuid().primary(),
    kind: orderedText().primary(),
    value: orderedText().primary(),
    path: p.text().default(""),
    ordinal: p.integer(),
  },
});

const IdentityCredential = defineEntity({
  name: "IdentityCredential",
  tableName: "identity_credential",
  schema,
  properties: {
    tenantId: p.uuid().primary(),
    identityId: p.uuid().primary(),
    kind: orderedText().primary(),
    id: p.uuid().nullable(),
    secret: p.text(),
    algorithm: p.text().nullable(),
    setByOperator: p.boolean().nullable(),
    createdAt: moment(),
    updatedAt: moment(),
  },
});

const IdentitySchema = defineEntity({
  name: "IdentitySchema",
  tableName: "identity_schema",
  schema,
  properties: {
    tenantId: p.uuid().primary(),
    id: orderedText().primary(),
    version: p.integer().primary(),
    createdAt: moment(),
    document: p.json().columnType("json"),
    documentDigest: p.blob(),
  },
});

const Session = defineEntity({
  name: "Session",
  tableName: "session",
  schema,
  properties: {
    tenantId: p.uuid().primary(),
    id: p.uuid().primary(),
    tokenDigest: p.blob(),
    identityId: p.uuid(),
    createdAt: moment(),
    updatedAt: moment(),
    assuranceLevel: p.text(),
    authenticationMethods: p.json(),
    authenticatedAt: moment(),
    expiresAt: moment(),
    lastUsedAt: moment(),
    revokedAt: moment().nullable(),
    ipAddress: p.text().nullable(),
    userAgent: p.text().nullable(),
  },
  indexes: [
    {
      name: "session_identity",
      expression:
        "create index session_identity on ostiary.session (tenant_id, identity_id, created_at desc, id desc)",
    },
    {
      name: "session_list",
      expression: "create index session_list on ostiary.session (tenant_id, created_at desc, id desc)",
    },
    { name: "session_expiry", properties: ["expiresAt"] },
    {
      name: "session_revocation",
      expression:
        "create index session_revocation on ostiary.session (revoked_at) where revoked_at is not null",
    },
  ],
  uniques: [{ name: "session_token_digest", properties: ["tenantId", "tokenDigest"] }],
});

const Flow = defineEntity({
  name: "Flow",
  tableName: "flow",
  schema,
  properties: {
    tenantId: p.uuid().primary(),
    digest: p.blob().primary(),
    kind: p.text(),
    client: p.text(),
    state: p.text(),
    createdAt: moment(),
    expiresAt: moment(),
    returnTo: p.text().nullable(),
    browserDigest: p.blob().nullable(),
    identityId: p.uuid().nullable(),
    data: p.json(),
    revision: p.integer().default(0),
    challengeKind: p.text().nullable(),
    challengeDigest: p.blob().nullable(),
    challengeExpiresAt: moment().nullable(),
    challengeAttempts: p.integer().default(0),
  },
  indexes: [
    {
      name: "flow_link",
      expression:
        "create unique index flow_link on ostiary.flow (tenant_id, challenge_digest) where challenge_kind = 'link'",
    },
    {
      name: "flow_identity",
      expression: "create index flow_identity on ostiary.flow (tenant_id, identity_id, revision)",
    },
    { name: "flow_expiry", properties: ["expiresAt"] },
  ],
});

const ApiKey = defineEntity({
  name: "ApiKey",
  tableName: "api_key",
  schema,
  properties: {
    tenantId: p.uuid().primary(),
    id: p.uuid().primary(),
    tokenDigest: p.blob(),
    createdAt: moment(),
    updatedAt: moment(),
    name: p.text(),
    scopes: p.array(),
    expiresAt: moment().nullable(),
    lastUsedAt: moment().nullable(),
    revokedAt: moment().nullable(),
    bootstrap: p.boolean(),
    makerApiKeyId: p.uuid().nullable(),
    makerCertificate: p.text().nullable(),
  },
  indexes: [
    { name: "api_key_maker", properties: ["tenantId", "makerApiKeyId"] },
    {
      name: "api_key_list",
      expression: "create index api_key_list on ostiary.api_key (tenant_id, created_at desc, id desc)",
    },
  ],
  uniques: [{ name: "api_key_token_digest", properties: ["tenantId", "tokenDigest"] }],
});

const ApiKeyBootstrap = defineEntity({
  name: "ApiKeyBootstrap",
  tableName: "api_key_bootstrap",
  schema,
  properties: { tenantId: p.uuid().primary(), apiKeyId: p.uuid(), createdAt: moment() },
});

const IdempotencyRecord = defineEntity({
  name: "IdempotencyRecord",
  tableName: "idempotency_record",
  schema,
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

const EventEpoch = defineEntity({
  name: "EventEpoch",
  tableName: "event_epoch",
  schema,
  properties: {
    tenantId: p.uuid().primary(),
    epoch: p.uuid(),
    databaseIdentity: p.text(),
    createdAt: moment(),
  },
});

const Event = defineEntity({
  name: "Event",
  tableName: "event",
  schema,
  properties: {
    tenantId: p.uuid().primary(),
    position: p.bigint("string").primary().autoincrement(false),
    transactionId: p.string().columnType("xid8"),
    id: p.uuid(),
    createdAt: moment(),
    type: p.text(),
    identityId: p.uuid().nullable(),
    sessionId: p.uuid().nullable(),
    actor: p.json(),
    requestId: p.text(),
    ipAddress: p.text().nullable(),
    userAgent: p.text().nullable(),
    data: p.json(),
  },
  indexes: [
    { name: "event_order", properties: ["tenantId", "transactionId", "position"] },
    {
      name: "event_logins",
      expression: `create index event_logins on ostiary.event (tenant_id, identity_id, created_at desc, id desc)
        where type in ('login.succeeded', 'login.failed', 'registration.succeeded', 'recovery.succeeded')`,
    },
  ],
});

const Message = defineEntity({
  name: "Message",
  tableName: "message",
  schema,
  properties: {
    tenantId: p.uuid().primary(),
    id: p.uuid().primary(),
    createdAt: moment(),
    updatedAt: moment(),
    state: orderedText(),
    channel: p.text(),
    template: p.text(),
    recipient: orderedText(),
    language: p.text(),
    identityId: p.uuid().nullable(),
    attempts: p.integer(),
    nextAttemptAt: moment().nullable(),
    leaseToken: p.uuid().nullable(),
    expiresAt: moment().nullable(),
    endedAt: moment().nullable(),
    lastError: p.text().nullable(),
    sealedData: p.text().nullable(),
  },
  indexes: Object.entries({
    message_due: "(next_attempt_at) where state in ('queued', 'sending')",
    message_list: "(tenant_id, created_at desc, id desc)",
    message_failed: "(tenant_id, created_at desc, id desc) where state = 'failed'",
    message_recipient: "(tenant_id, recipient, created_at desc, id desc)",
    message_identity: "(tenant_id, identity_id, created_at desc, id desc)",
    message_end: "(ended_at) where ended_at is not null",
  }).map(([name, columns]) => ({
    name,
    expression: `create index ${name} on ostiary.message ${columns}`,
  })),
});

const ThrottleCounter = defineEntity({
  name: "ThrottleCounter",
  tableName: "throttle_counter",
  schema,
  properties: {
    tenantId: p.uuid().primary(),
    key: p.blob().primary(),
    spentUntilUs: p.bigint("string"),
    periodUs: p.bigint("string"),
  },
  indexes: [{ name: "throttle_counter_end", properties: ["spentUntilUs"] }],
});

const Device = defineEntity({
  name: "Device",
  tableName: "device",
  schema,
  properties: {
    tenantId: p.uuid().primary(),
    tokenDigest: p.blob().primary(),
    identityId: p.uuid(),
    createdAt: moment(),
    expiresAt: moment(),
  },
  indexes: [
    { name: "device_identity", properties: ["tenantId", "identityId"] },
    { name: "device_expiry", properties: ["expiresAt"] },
  ],
});

const Invitation = defineEntity({
  name: "Invitation",
  tableName: "invitation",
  schema,
  properties: {
    tenantId: p.uuid().primary(),
    id: p.uuid().primary(),
    tokenDigest: p.blob(),
    createdAt: moment(),
    expiresAt: moment(),
    endsAt: moment(),
    addressKind: p.text().nullable(),
    address: orderedText().nullable(),
    schemaId: p.text(),
    traits: p.json(),
    publicMetadata: p.json(),
    adminMetadata: p.json(),
    usedAt: moment().nullable(),
    identityId: p.uuid().nullable(),
    revokedAt: moment().nullable(),
  },
  indexes: Object.entries({
    invitation_list: "(tenant_id, created_at desc, id desc)",
    invitation_address: "(tenant_id, address, created_at desc, id desc) where address is not null",
    invitation_identity: "(tenant_id, identity_id) where identity_id is not null",
    invitation_end: "(ends_at)",
  }).map(([name, columns]) => ({
    name,
    expression: `create index ${name} on ostiary.invitation ${columns}`,
  })),
  uniques: [{ name: "invitation_token_digest", properties: ["tenantId", "tokenDigest"] }],
});

/** All tables but the migrations' own. */
export const entities = [
  ...[Tenant, Identity, IdentityIdentifier, IdentityVerifiableAddress, IdentityRecoveryAddress],
  ...[IdentityCredential, IdentitySchema, Session, Flow, ApiKey, ApiKeyBootstrap, IdempotencyRecord],
  ...[EventEpoch, Event, Message],
  ...[ThrottleCounter, Device, Invitation],
];
