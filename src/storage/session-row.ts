import type { IdentityId, SessionId } from "../domain/ids.ts";
import { instantOf } from "../domain/instant.ts";
import type { AssuranceLevel, AuthenticationMethod, NewSession, Session } from "../domain/session/session.ts";
import { readTime } from "./column-types.ts";
import { endColumn, endOf } from "./ends.ts";
import { unpaired } from "./json.ts";

/** The columns of a session: for `FROM ostiary.session s`. Names begin with `s_`. */
export const sessionColumns = `
  s.id AS s_id, s.identity_id AS s_identity_id, s.created_at AS s_created_at, s.updated_at AS s_updated_at,
  s.assurance_level AS s_assurance_level, s.authentication_methods AS s_authentication_methods,
  s.authenticated_at AS s_authenticated_at, s.expires_at AS s_expires_at, s.last_used_at AS s_last_used_at,
  s.revoked_at AS s_revoked_at, s.ip_address AS s_ip_address, s.user_agent AS s_user_agent`;

/** A row of `sessionColumns`. */
export interface SessionRow {
  readonly s_id: SessionId;
  readonly s_identity_id: IdentityId;
  readonly s_created_at: Date;
  readonly s_updated_at: Date;
  readonly s_assurance_level: AssuranceLevel;
  readonly s_authentication_methods: readonly (Omit<AuthenticationMethod, "completedAt"> & {
    readonly completedAt: string;
  })[];
  readonly s_authenticated_at: Date;
  readonly s_expires_at: Date;
  readonly s_last_used_at: Date;
  readonly s_revoked_at: Date | null;
  readonly s_ip_address: string | null;
  readonly s_user_agent: string | null;
}

/** The session in a row. */
export function sessionFromRow(row: SessionRow): Session {
  return {
    id: row.s_id,
    identityId: row.s_identity_id,
    createdAt: row.s_created_at,
    updatedAt: row.s_updated_at,
    assuranceLevel: row.s_assurance_level,
    authenticationMethods: row.s_authentication_methods.map((method) => ({
      ...method,
      completedAt: readTime(method.completedAt),
    })),
    authenticatedAt: row.s_authenticated_at,
    expiresAt: instantOf(row.s_expires_at),
    lastUsedAt: row.s_last_used_at,
    revokedAt: endOf(row.s_revoked_at),
    device: { ipAddress: row.s_ip_address ?? undefined, userAgent: row.s_user_agent ?? undefined },
  };
}

/** The columns that a session is written to. */
export const sessionWriteColumns = `id, token_digest, identity_id, created_at, updated_at, assurance_level,
  authentication_methods, authenticated_at, expires_at, last_used_at, revoked_at, ip_address, user_agent`;

/** `sessionWriteColumns` as they unfold from `sessionParameter`; the digest has a parameter of its own. */
export function sessionValues(digest: string): string {
  return `given.id, ${digest}::bytea, given.identity_id, given.created_at, given.updated_at, given.assurance_level,
    given.authentication_methods, given.authenticated_at, given.expires_at, given.last_used_at, given.revoked_at,
    given.ip_address, given.user_agent`;
}

/** What `sessionParameter` unfolds to. */
export const sessionRecord = `AS given(id uuid, identity_id uuid, created_at timestamptz, updated_at timestamptz,
  assurance_level text, authentication_methods jsonb, authenticated_at timestamptz, expires_at timestamptz,
  last_used_at timestamptz, revoked_at timestamptz, ip_address text, user_agent text)`;

/** A session without its digest as one JSON parameter. */
export function sessionParameter(session: NewSession): string {
  const { ipAddress, userAgent } = session.device;
  return JSON.stringify({
    id: session.id,
    identity_id: session.identityId,
    created_at: session.createdAt,
    updated_at: session.updatedAt,
    assurance_level: session.assuranceLevel,
    authentication_methods: session.authenticationMethods,
    authenticated_at: session.authenticatedAt,
    expires_at: session.expiresAt,
    last_used_at: session.lastUsedAt,
    revoked_at: endColumn(session.revokedAt),
    ip_address: ipAddress === undefined ? undefined : unpaired(ipAddress),
    user_agent: userAgent === undefined ? undefined : unpaired(userAgent),
  });
}
