import type { FlowClient, FlowKind, FlowRecord, FlowState } from "../domain/flow/flow.ts";
import type {
  FlowStore,
  LoginCandidate,
  LoginCompletion,
  RegistrationCompletion,
} from "../domain/flow/store.ts";
import type { CredentialKind } from "../domain/identity/identity.ts";
import type { IdentityId } from "../domain/ids.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Scope } from "../domain/ports.ts";
import type { Database } from "./database.ts";
import { isDuplicate } from "./database-errors.ts";
import { eventsParameter } from "./event-sql.ts";
import {
  completeLoginStatement,
  completeRegistrationStatement,
  createFlowStatement,
  findFlowStatement,
  findForLoginStatement,
} from "./flow-statements.ts";
import {
  addressesParameter,
  type IdentityRow,
  identifiersParameter,
  identityFromRow,
  identityParameter,
} from "./identity-row.ts";
import { sessionParameter } from "./session-row.ts";
import { throttleParameters } from "./throttle-statements.ts";

interface FlowRow {
  readonly f_digest: Uint8Array;
  readonly f_kind: FlowKind;
  readonly f_client: FlowClient;
  readonly f_state: FlowState;
  readonly f_created_at: Date;
  readonly f_expires_at: Date;
  readonly f_return_to: string | null;
  readonly f_browser_digest: Uint8Array | null;
  readonly f_identity_id: IdentityId | null;
  readonly f_data: JsonObject;
}

interface CandidateRow extends IdentityRow {
  readonly i_login_sequence: number;
  readonly c_secret: string | null;
}

/** Every column of the part that was not found is null. */
type Nullable<Row> = { readonly [Column in keyof Row]: Row[Column] | null };

/** Flows on PostgreSQL. The statements, and why they are right, are in flow-statements.ts. */
export class PostgresFlowStore implements FlowStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async create(scope: Scope, flow: FlowRecord): Promise<void> {
    await this.#database.query(scope, createFlowStatement, [
      scope.tenantId,
      flow.digest,
      flow.kind,
      flow.client,
      flow.state,
      flow.createdAt,
      flow.expiresAt,
      flow.returnTo,
      flow.browserDigest,
      flow.identityId,
      JSON.stringify(flow.data),
    ]);
  }

  async find(scope: Scope, kind: FlowKind, digest: Uint8Array): Promise<FlowRecord | undefined> {
    const values = [scope.tenantId, digest, kind];
    const [row] = await this.#database.query<FlowRow>(scope, findFlowStatement, values);
    return row && flowFromRow(row);
  }

  async findForLogin(
    scope: Scope,
    digest: Uint8Array,
    identifier: string,
    credential: CredentialKind,
  ): Promise<{ readonly flow: FlowRecord | undefined; readonly candidate: LoginCandidate | undefined }> {
    const values = [scope.tenantId, digest, identifier, credential];
    const [row] = await this.#database.query<Nullable<FlowRow> & Nullable<CandidateRow>>(
      scope,
      findForLoginStatement,
      values,
    );
    return {
      flow: row && isFlow(row) ? flowFromRow(row) : undefined,
      candidate: row && isCandidate(row) ? candidateFromRow(row) : undefined,
    };
  }

  async completeLogin(
    scope: Scope,
    completion: LoginCompletion,
  ): Promise<"completed" | "flow_taken" | "candidate_changed"> {
    const { candidate, session } = completion;
    const [row] = await this.#database.query<{ readonly flow_open: boolean; readonly completed: boolean }>(
      scope,
      completeLoginStatement,
      [
        scope.tenantId,
        completion.flowDigest,
        candidate.identity.id,
        candidate.loginSequence,
        completion.credentialKind,
        candidate.credential,
        completion.at,
        sessionParameter(session),
        session.tokenDigest,
        completion.rehash?.hash,
        completion.rehash?.algorithm,
        // The new session is one of them.
        Math.max(0, completion.maxSessions - 1),
        completion.idleSince,
        eventsParameter(completion.events),
        eventsParameter([completion.evictionEvent]),
        ...throttleParameters(completion.throttle),
      ],
    );
    if (row?.completed) return "completed";
    return row?.flow_open ? "candidate_changed" : "flow_taken";
  }

  async completeRegistration(
    scope: Scope,
    completion: RegistrationCompletion,
  ): Promise<"completed" | "flow_taken" | "identifier_taken"> {
    const { identity, session } = completion;
    try {
      const [row] = await this.#database.query<{ readonly completed: boolean }>(
        scope,
        completeRegistrationStatement,
        [
          scope.tenantId,
          completion.flowDigest,
          identityParameter(identity),
          identifiersParameter(identity.identifiers),
          addressesParameter(identity.verifiableAddresses),
          addressesParameter(identity.recoveryAddresses),
          completion.password?.hash,
          completion.password?.algorithm,
          completion.at,
          sessionParameter(session),
          session.tokenDigest,
          eventsParameter(completion.events),
          ...throttleParameters(completion.throttle),
        ],
      );
      return row?.completed ? "completed" : "flow_taken";
    } catch (error) {
      // What else is unique here is random and made for this call.
      if (isDuplicate(error)) return "identifier_taken";
      throw error;
    }
  }

  async takenIdentifiers(scope: Scope, identifiers: readonly string[]): Promise<readonly string[]> {
    if (identifiers.length === 0) return [];
    const rows = await this.#database.query<{ readonly value: string }>(
      scope,
      {
        name: "taken_identifiers",
        text: "SELECT value FROM ostiary.identity_identifier WHERE tenant_id = $1 AND value = ANY ($2)",
      },
      [scope.tenantId, identifiers],
    );
    return rows.map((row) => row.value);
  }
}

function isFlow(row: Nullable<FlowRow>): row is FlowRow {
  return row.f_digest !== null;
}

function isCandidate(row: Nullable<CandidateRow>): row is CandidateRow {
  return row.i_id !== null;
}

function candidateFromRow(row: CandidateRow): LoginCandidate {
  return {
    identity: identityFromRow(row),
    credential: row.c_secret ?? undefined,
    loginSequence: row.i_login_sequence,
  };
}

function flowFromRow(row: FlowRow): FlowRecord {
  return {
    digest: row.f_digest,
    kind: row.f_kind,
    client: row.f_client,
    state: row.f_state,
    createdAt: row.f_created_at,
    expiresAt: row.f_expires_at,
    returnTo: row.f_return_to ?? undefined,
    browserDigest: row.f_browser_digest ?? undefined,
    identityId: row.f_identity_id ?? undefined,
    data: row.f_data,
  };
}
