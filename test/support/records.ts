import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { NewApiKey } from "../../src/domain/access/api-key.ts";
import { type CallOrigin, type Event, type EventType, newEvent } from "../../src/domain/event/event.ts";
import type { FlowData, FlowRecord } from "../../src/domain/flow/shared/flow.ts";
import type { HeldRevision } from "../../src/domain/flow/shared/store.ts";
import type { CredentialReleases } from "../../src/domain/identity/credential-releases.ts";
import {
  type Credential,
  type Identity,
  type NewCredential,
  newIdentity,
} from "../../src/domain/identity/identity.ts";
import { type IdentityId, newId } from "../../src/domain/ids.ts";
import { type Instant, instantOf, never } from "../../src/domain/instant.ts";
import type { NewInvitation } from "../../src/domain/invitation/invitation.ts";
import type { FlowKind } from "../../src/domain/kinds.ts";
import type { VouchedAccount } from "../../src/domain/method/method.ts";
import type { NewSession } from "../../src/domain/session/session.ts";
import type { TenantSettings } from "../../src/domain/tenant/tenant.ts";
import { wideThrottle } from "./throttle.ts";

/** The moment that the tests' records are of. */
export const noon = instantOf(new Date("2026-01-01T12:00:00.000Z"));

/** A moment after noon. */
export function afterNoon(minutes: number): Instant {
  return instantOf(new Date(noon.getTime() + minutes * 60_000));
}

/** 32 random bytes, as the digest of a token that nobody knows. */
export function randomDigest(): Uint8Array {
  return createHash("sha256").update(randomBytes(32)).digest();
}

/** Where the tests' changes come from. */
export const origin: CallOrigin = {
  actor: { kind: "server" },
  requestId: "request-1",
  ipAddress: "192.0.2.1",
  userAgent: "test",
};

/** Where nothing of a credential is to be given back elsewhere. */
export const noReleases: CredentialReleases = {
  prepare: async () => () => {},
  secretAfterLogin: (_tenant, _former, secret) => secret,
};

/** An event; what it says is as given, also where its type says something else. */
export function anEvent(
  type: EventType,
  about: Partial<Pick<Event, "createdAt" | "identityId" | "sessionId" | "origin" | "data">> = {},
): Event {
  return { ...newEvent("session.created", about.createdAt ?? noon, origin), ...about, type };
}

/** An identity with an email address as its identifier. */
export function anIdentity(change: Partial<Identity> = {}): Identity {
  const email = `${randomUUID()}@example.com`;
  return newIdentity({ id: "person", version: 1 }, noon, {
    traits: { email },
    identifiers: [{ kind: "email", value: email, path: "email" }],
    verifiableAddresses: [{ kind: "email", value: email, path: "email", verifiedAt: undefined }],
    recoveryAddresses: [{ kind: "email", value: email, path: "email" }],
    displayName: "Ada",
    ...change,
  });
}

/** An identity that signs in with these identifiers. */
export function anIdentityNamed(...identifiers: readonly string[]): Identity {
  return anIdentity({
    traits: { names: [...identifiers] },
    identifiers: identifiers.map((value, index) => ({ kind: "username", value, path: `names.${index}` })),
    verifiableAddresses: [],
    recoveryAddresses: [],
  });
}

/** An active session of an identity. */
export function aSession(identityId: IdentityId, change: Partial<NewSession> = {}): NewSession {
  return {
    id: newId(noon),
    identityId,
    createdAt: noon,
    updatedAt: noon,
    assuranceLevel: "aal1",
    authenticationMethods: [
      { kind: "password", purpose: "sign_in", assuranceLevel: "aal1", completedAt: noon },
    ],
    authenticatedAt: noon,
    expiresAt: afterNoon(24 * 60),
    lastUsedAt: noon,
    revokedAt: never,
    device: { ipAddress: "192.0.2.1", userAgent: "test" },
    tokenDigest: randomDigest(),
    ...change,
  };
}

/** A password as it is stored. */
export function aPassword(hash: string, algorithm = "argon2id"): NewCredential {
  return { kind: "password", secret: hash, facts: { algorithm } };
}

/** A credential that a login asks for after another first proof, wherever its method can be second. */
export function aCredential(change: Partial<Credential> = {}): Credential {
  return {
    id: newId(noon),
    kind: "password",
    lookupKey: "",
    createdAt: noon,
    updatedAt: noon,
    label: "",
    isSecondFactor: true,
    facts: {},
    lastUsedAt: undefined,
    ...change,
  };
}

/** An account elsewhere for which somebody vouches. */
export function aVouchedAccount(lookupKey: string, change: Partial<VouchedAccount> = {}): VouchedAccount {
  return {
    credential: { kind: "oidc", lookupKey, secret: "", facts: {} },
    authentication: { kind: "oidc", assuranceLevel: "aal1" },
    by: "Elsewhere",
    ...{ traits: {}, publicMetadata: {}, adminMetadata: {}, addresses: [] },
    updates: "never",
    ...change,
  };
}

/** What a flow remembers. */
export function flowData(state: FlowData["state"] & object, purpose: object = {}): FlowData {
  return { purpose, state };
}

/** An open flow. */
export function aFlow(kind: FlowKind, change: Partial<FlowRecord> = {}): FlowRecord {
  return {
    digest: randomDigest(),
    kind,
    client: "native",
    state: "active",
    createdAt: noon,
    expiresAt: afterNoon(15),
    returnTo: undefined,
    browserDigest: undefined,
    identityId: undefined,
    revision: 0,
    challenge: undefined,
    data: flowData({ at: "choose_method" }),
    ...change,
  };
}

/** A flow as it is when it was just stored, for what completes it. */
export function heldFlow({ digest, revision }: Pick<FlowRecord, "digest" | "revision">): HeldRevision {
  return { digest, revision };
}

/** That a password was proven. */
export const passwordProof = { kind: "credential" } as const;

/** The settings of a tenant. */
export function someSettings(change: Partial<TenantSettings> = {}): TenantSettings {
  const hourMs = 3_600_000;
  const none = undefined;
  const noColors = { primary: "", onPrimary: "", background: "", text: "" };
  return {
    publicUrl: "http://127.0.0.1:4433",
    allowedOrigins: new Set(),
    nativeOrigins: new Set(),
    allowedReturnUrls: new Set(),
    defaultReturnUrl: undefined,
    mailboxUrl: "",
    branding: {
      ...{ name: "Ostiary", logoUrl: "", logoDarkUrl: "", faviconUrl: "" },
      ...{ colors: noColors, darkColors: noColors },
      ...{ termsUrl: "", privacyUrl: "", supportUrl: "", supportEmail: "" },
    },
    uiUrls: { login: none, registration: none, verification: none, recovery: none, settings: none },
    login: { lifetimeMs: hourMs, style: "one_step", newDeviceNotice: true },
    registration: {
      lifetimeMs: hourMs,
      mode: "open",
      addressProof: "none",
      style: "one_step",
      invitationLifetimeMs: hourMs,
    },
    verification: { lifetimeMs: hourMs, enabled: true, afterRegistration: false },
    recovery: { lifetimeMs: hourMs, enabled: true, sessionAtOnce: false, holdMs: 0 },
    settings: {
      lifetimeMs: hourMs,
      privilegedMs: hourMs,
      accountDeletion: { enabled: false, graceMs: hourMs },
    },
    code: { enabledFor: new Set(), length: 6, lifetimeMs: 600_000, maxTries: 5, resendAfterMs: 30_000 },
    secondFactor: { policy: "required_if_enrolled", graceMs: 0 },
    terms: [],
    totp: { enabled: true },
    passkey: {
      ...{
        enabled: false,
        rpId: "",
        rpName: "",
        origins: [],
        relatedOrigins: [],
        appleApps: [],
        androidApps: [],
      },
      userVerification: "preferred",
      offerAfterLogin: true,
      useAs: "either",
    },
    providers: [],
    nativeReturnUrls: new Set(),
    postLogoutRedirectUrls: [],
    backupCode: { enabled: true, count: 12 },
    smsFactor: { enabled: false, countsAsAal2: false },
    sms: { countries: undefined, dailyBudget: 1000 },
    link: { enabledFor: new Set(), lifetimeMs: 600_000 },
    session: {
      lifetimeMs: 24 * hourMs,
      maxLifetimeMs: 24 * hourMs,
      idleTimeoutMs: 0,
      aal2: { maxLifetimeMs: 24 * hourMs, idleTimeoutMs: 0 },
      maxParallel: 50,
      cookie: { name: "ostiary_session", domain: undefined, persistent: true },
    },
    password: {
      enabled: true,
      minLength: 8,
      maxLength: 256,
      argon2: { memoryKib: 8, iterations: 1, parallelism: 1 },
      breachCheck: { enabled: false, minCount: 1, atLogin: "off", whenUnavailable: "accept" },
    },
    enumerationSafe: true,
    oauth2Server: undefined,
    throttle: wideThrottle,
    defaultSchemaId: "default",
    selfServiceSchemaIds: new Set(["default"]),
    defaultCountry: "",
    ...change,
  };
}

/** An invitation that was handed over and is pending. */
export function anInvitation(change: Partial<NewInvitation> = {}): NewInvitation {
  return {
    id: newId(noon),
    createdAt: noon,
    expiresAt: afterNoon(60),
    address: undefined,
    schemaId: "person",
    traits: {},
    publicMetadata: {},
    adminMetadata: {},
    usedAt: never,
    identityId: undefined,
    revokedAt: never,
    tokenDigest: randomDigest(),
    ...change,
  };
}

/** An API key. */
export function anApiKey(change: Partial<NewApiKey> = {}): NewApiKey {
  return {
    id: newId(noon),
    createdAt: noon,
    updatedAt: noon,
    name: "key",
    scopes: ["identity:read"],
    expiresAt: never,
    lastUsedAt: undefined,
    revokedAt: never,
    bootstrap: false,
    maker: undefined,
    tokenDigest: randomDigest(),
    ...change,
  };
}
