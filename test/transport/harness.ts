import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import {
  type Client,
  Code,
  ConnectError,
  createClient,
  type HandlerContext,
  type Transport,
} from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { domainError } from "../../src/domain/errors.ts";
import { newIdentity } from "../../src/domain/identity/identity.ts";
import type { ApiKeyId, IdentityId, SessionId, TenantId } from "../../src/domain/ids.ts";
import { instantOf, never } from "../../src/domain/instant.ts";
import type { Clock, Logger } from "../../src/domain/ports.ts";
import type { Session } from "../../src/domain/session/session.ts";
import type { Tenant, TenantSettings } from "../../src/domain/tenant/tenant.ts";
import { createListener, type Listener, type ListenerOptions } from "../../src/transport/listener.ts";
import { Metrics } from "../../src/transport/metrics/metrics.ts";
import { Readiness } from "../../src/transport/net/readiness.ts";
import { type Access, createAccess } from "../../src/transport/rpc/access.ts";
import { callOf } from "../../src/transport/rpc/call.ts";
import type { CertificateGrant } from "../../src/transport/rpc/client-certificates.ts";
import { someSettings } from "../support/records.ts";
import { strongReading } from "../support/sessions.ts";

/** What the service under test was last called with. */
export interface Seen {
  context: HandlerContext | undefined;
  calls: number;
}

/** A listener on a free port with services whose answers are written here. */
export interface Running {
  readonly port: number;
  readonly baseUrl: string;
  readonly listener: Listener;
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly log: LogLine[];
  readonly seen: Seen;
  close(): Promise<void>;
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

/** A key that is well-formed and nobody's. */
export const unknownKey = "ost_key_unknown";
export const goodToken = "ost_ses_good";
export const goodCookie = "ost_cki_good";
export const allowedOrigin = "https://app.example.com";
export const foreignOrigin = "https://evil.example";
export const maxRequestBytes = 64 * 1024;

const settings = someSettings({ allowedOrigins: new Set([allowedOrigin]) });

/** The one tenant, with some settings replaced. */
export function testTenant(overrides: Partial<TenantSettings> = {}): Tenant {
  return { tenantId: "tenant" as TenantId, name: "default", settings: { ...settings, ...overrides } };
}

const systemClock: Clock = { now: () => new Date() };
const now = new Date("2026-01-02T03:04:05Z");
const identity = newIdentity({ id: "default", version: 1 }, now, {
  id: "01890000-0000-7000-8000-000000000001" as IdentityId,
  traits: {},
  identifiers: [],
  verifiableAddresses: [],
  recoveryAddresses: [],
  displayName: "Ada",
});
const session: Session = {
  id: "01890000-0000-7000-8000-000000000002" as SessionId,
  identityId: identity.id,
  createdAt: now,
  updatedAt: now,
  assuranceLevel: "aal1",
  authenticationMethods: [],
  authenticatedAt: now,
  expiresAt: instantOf(now),
  lastUsedAt: now,
  revokedAt: never,
  device: { ipAddress: undefined, userAgent: undefined },
};

/**
 * Access whose keys and sessions are spelled out: `ost_key_<scope>,<scope>` is a key of these scopes. All keys are those of one
 * tenant, which may be another one than that of the pages.
 */
export function testAccess(
  tenant: Tenant,
  certificates: readonly CertificateGrant[] = [],
  clock: Clock = systemClock,
  keyTenant: Tenant = tenant,
): Access {
  return createAccess({
    tenants: { byName: () => tenant, byHost: () => tenant },
    certificates: () => certificates,
    clock,
    sessions: {
      async authenticate(_tenant, { kind, text }) {
        if (text !== (kind === "session" ? goodToken : goodCookie))
          throw domainError("SESSION_TOKEN_UNKNOWN", {});
        return { session, identity, reading: strongReading };
      },
      async lookAt(_tenant, values) {
        return values.map((value) => {
          if (value === goodCookie) return { kind: "live", value, session, identity, reading: strongReading };
          return { kind: "malformed", error: domainError("SESSION_TOKEN_UNKNOWN", {}) };
        });
      },
      noteUse() {},
      async revoke() {},
    },
    apiKeys: {
      async authenticate(text) {
        if (text === unknownKey) throw domainError("API_KEY_UNKNOWN", {});
        if (!text.startsWith("ost_key_")) throw domainError("API_KEY_MALFORMED", {});
        const scopes = text.slice("ost_key_".length).split(",");
        const apiKey = {
          id: "key" as ApiKeyId,
          createdAt: now,
          updatedAt: now,
          name: "test",
          scopes,
          expiresAt: never,
          lastUsedAt: undefined,
          revokedAt: never,
          bootstrap: false,
          maker: undefined,
        };
        return { tenant: keyTenant, apiKey };
      },
    },
  });
}

/** Starts a listener. `overrides` replace its options. */
export async function startListener(
  overrides: Partial<ListenerOptions> & {
    readonly tenant?: Tenant;
    readonly certificates?: readonly CertificateGrant[];
  } = {},
): Promise<Running> {
  const { tenant = testTenant(), certificates, ...options } = overrides;
  const log: LogLine[] = [];
  const seen: Seen = { context: undefined, calls: 0 };
  const readiness = new Readiness(["database"]);
  readiness.report("database", true);
  const metrics = new Metrics();
  const name = options.name ?? "public";
  const listener = createListener({
    name,
    host: "127.0.0.1",
    port: 0,
    services: name === "public" ? [publicService(seen)] : [adminService(seen)],
    access: testAccess(tenant, certificates, options.clock),
    readiness,
    metrics,
    version: { version: "test" },
    logger: recordingLogger(log),
    trustedProxies: [],
    maxRequestBytes,
    clock: systemClock,
    ...options,
  });
  const { port } = await listener.listen();
  const scheme = options.tls === undefined ? "http" : "https";
  return {
    port,
    baseUrl: `${scheme}://127.0.0.1:${port}`,
    listener,
    readiness,
    metrics,
    log,
    seen,
    close: () => listener.close(0),
  };
}

/** SessionService with answers that show what it was called with, and failures on demand. */
function publicService(seen: Seen) {
  const note = (context: HandlerContext) => {
    seen.context = context;
    seen.calls++;
    return callOf(context);
  };
  const implementation = {
    getCurrentSession(_request: object, context: HandlerContext) {
      const { caller } = note(context);
      return { session: { id: caller.kind === "session" ? caller.session.id : "" } };
    },
    async checkSession({ token }: { token: string }, context: HandlerContext) {
      const call = note(context);
      if (token === "crash") throw new TypeError("a secret detail of the inside");
      if (token === "expired") throw domainError("SESSION_EXPIRED", {});
      if (token === "overloaded") throw domainError("SERVER_OVERLOADED", {}, { retryAfterMs: 1500 });
      if (token === "denied") throw new ConnectError("not like this", Code.PermissionDenied);
      if (token === "violations") throw manyViolations();
      if (token === "never") await new Promise(() => {});
      if (token === "wait") await untilAborted(context.signal);
      if (token === "hop by hop") {
        for (const name of ["connection", "keep-alive", "transfer-encoding", "upgrade", "te"]) {
          context.responseHeader.set(name, "close");
          context.responseTrailer.set(name, "close");
        }
        context.responseHeader.set("x-extra", "kept");
      }
      if (token === "cookies") {
        call.setCookie("a=1; Path=/");
        call.setCookie("b=2; Path=/");
        context.responseHeader.set("x-extra", "header");
        context.responseTrailer.set("x-after", "trailer");
      }
      return { session: { id: token } };
    },
    listOwnSessions: (_request: object, context: HandlerContext) => {
      note(context);
      return { sessions: [], nextPageToken: "" };
    },
    revokeOwnSession: () => ({}),
    revokeOtherSessions: () => ({ revokedCount: 0 }),
    logout: () => ({}),
    extendCurrentSession: () => ({}),
  };
  return { service: SessionService, implementation };
}

function adminService(seen: Seen) {
  const implementation = {
    getIdentity(request: { identityId: string }, context: HandlerContext) {
      seen.context = context;
      seen.calls++;
      return { identity: { id: request.identityId } };
    },
    createIdentity(request: { externalId?: string }, context: HandlerContext) {
      seen.context = context;
      seen.calls++;
      return { identity: { id: "created", externalId: request.externalId } };
    },
  };
  return { service: IdentityService, implementation };
}

function manyViolations(): Error {
  const violations = Array.from({ length: 300 }, (_, index) => ({
    field: `traits.field_${index}`,
    description: `must not be ${"long ".repeat(50)}`,
    reason: "VALUE" as const,
  }));
  return domainError("TRAITS_INVALID", {}, { violations });
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function recordingLogger(lines: LogLine[]): Logger {
  const at = (level: string) => (fields: object, message: string) => {
    lines.push({ level, message, fields: { ...fields } });
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** The ways in which one call can be made; each test of behaviour runs over all of them. */
export const protocols = [
  "Connect JSON, HTTP/1.1",
  "Connect binary, HTTP/1.1",
  "Connect JSON, HTTP/2",
  "Connect binary, HTTP/2",
  "gRPC binary",
  "gRPC JSON",
  "gRPC-Web binary, HTTP/1.1",
  "gRPC-Web JSON, HTTP/2",
] as const;
export type Protocol = (typeof protocols)[number];

/** A transport of connect-node for a protocol. */
export function transportOf(
  protocol: Protocol,
  baseUrl: string,
  headers: Record<string, string> = {},
): Transport {
  const httpVersion = protocol.includes("HTTP/1.1") ? "1.1" : "2";
  const options = {
    baseUrl,
    httpVersion,
    useBinaryFormat: protocol.includes("binary"),
    interceptors: [
      (next: (request: never) => Promise<never>) => (request: { header: Headers }) => {
        for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
        return next(request as never);
      },
    ],
  } as const;
  if (protocol.startsWith("gRPC-Web")) return createGrpcWebTransport(options as never);
  if (protocol.startsWith("gRPC")) return createGrpcTransport(options as never);
  return createConnectTransport(options as never);
}

export function sessionClient(
  protocol: Protocol,
  baseUrl: string,
  headers?: Record<string, string>,
): Client<typeof SessionService> {
  return createClient(SessionService, transportOf(protocol, baseUrl, headers));
}

export function identityClient(
  protocol: Protocol,
  baseUrl: string,
  headers?: Record<string, string>,
): Client<typeof IdentityService> {
  return createClient(IdentityService, transportOf(protocol, baseUrl, headers));
}

/** The error that a call ends with; fails if it succeeds. */
export async function errorOf(call: Promise<unknown>): Promise<ConnectError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ConnectError) return error;
    throw error;
  }
  throw new Error("the call should have failed");
}

/** The first detail of a type. */
export function detailOf<Desc extends DescMessage>(
  error: ConnectError,
  schema: Desc,
): MessageShape<Desc> | undefined {
  return error.findDetails(schema)[0];
}
