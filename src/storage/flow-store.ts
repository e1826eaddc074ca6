import type { SealedMessage } from "../domain/courier/outbox.ts";
import type { Event } from "../domain/event/event.ts";
import type { FlowRecord } from "../domain/flow/shared/flow.ts";
import type {
  Completion,
  DisowningCompletion,
  FlowAdvance,
  FlowStore,
  FoundForLogin,
  HeldRevision,
  LoginCompletion,
  OperatorStart,
  RecoveryCompletion,
  RecoveryOwner,
  RegistrationCompletion,
  VerificationCompletion,
} from "../domain/flow/shared/store.ts";
import type { NormalisedIdentifier } from "../domain/identifier/normalise.ts";
import type { AddressKind, CredentialKind, Identity } from "../domain/identity/identity.ts";
import type { FlowKind } from "../domain/kinds.ts";
import type { Challenge, LoginCandidate } from "../domain/method/method.ts";
import type { Scope } from "../domain/ports.ts";
import { changeAccount, tryChangeAccount } from "./account-change.ts";
import { completeDisowningStatement, completeVerificationStatement } from "./claim-statements.ts";
import type { Database } from "./database.ts";
import { isDuplicate, isForeignKeyViolation } from "./database-errors.ts";
import { eventsParameter } from "./event-sql.ts";
import { type ChallengeRow, challengeFromRow, type FlowRow, flowFromRow, flowParameter } from "./flow-row.ts";
import * as statements from "./flow-statements.ts";
import {
  addressesParameter,
  type IdentityRow,
  identifiersParameter,
  identityFromRow,
  identityParameter,
} from "./identity-row.ts";
import { messagesParameter } from "./message-sql.ts";
import { findByAddressStatement, findForRecoveryStatement } from "./owner-statements.ts";
import { completeRecoveryStatement } from "./recovery-statements.ts";
import { sessionParameter } from "./session-row.ts";
import { throttleParameters } from "./throttle-statements.ts";

interface CandidateRow extends IdentityRow {
  readonly i_login_sequence: number;
  readonly c_secret: string | null;
  readonly c_kinds: readonly CredentialKind[];
}

/** Every column of the part that was not found is null. */
type Nullable<Row> = { readonly [Column in keyof Row]: Row[Column] | null };

/** An identity, and whether it is the one that was looked for: for nobody another one is read. */
type OwnerRow = Nullable<IdentityRow> & { readonly a_found: boolean };

/** What a completing statement says of itself. */
interface CompletionRow {
  readonly flow_open: boolean;
  readonly completed: boolean;
}

/** Flows on PostgreSQL. The statements, and why they are right, are in flow-statements.ts. */
export class PostgresFlowStore implements FlowStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async create(scope: Scope, flow: FlowRecord, messages: readonly SealedMessage[] = []): Promise<void> {
    const values = [scope.tenantId, flowParameter(flow), messagesParameter(messages)];
    await this.#database.query(scope, statements.createFlowStatement, values);
  }

  async createOnce(scope: Scope, flow: FlowRecord): Promise<boolean> {
    const values = [scope.tenantId, flowParameter(flow)];
    return (await this.#database.query(scope, statements.createFlowOnceStatement, values)).length > 0;
  }

  async beginByOperator(scope: Scope, start: OperatorStart): Promise<boolean> {
    return this.#database.transaction(scope, async (tx) => {
      const owner = [tx.tenantId, start.identityId];
      const locked = await this.#database.query(tx, statements.lockActiveIdentityStatement, owner);
      if (locked.length === 0) return false;
      await this.#database.query(tx, statements.beginByOperatorStatement, [
        ...owner,
        flowParameter(start.flow),
        start.flow.kind,
        start.address,
        messagesParameter(start.messages),
        eventsParameter(start.events),
      ]);
      return true;
    });
  }

  async find(scope: Scope, kind: FlowKind, digest: Uint8Array): Promise<FlowRecord | undefined> {
    const values = [scope.tenantId, digest, kind];
    const [row] = await this.#database.query<FlowRow>(scope, statements.findFlowStatement, values);
    return row && flowFromRow(row);
  }

  async findByLink(scope: Scope, kind: FlowKind, linkDigest: Uint8Array): Promise<FlowRecord | undefined> {
    const values = [scope.tenantId, linkDigest, kind];
    const [row] = await this.#database.query<FlowRow>(scope, statements.findByLinkStatement, values);
    return row && flowFromRow(row);
  }

  async findWithIdentity(
    scope: Scope,
    kind: FlowKind | undefined,
    digest: Uint8Array,
  ): ReturnType<FlowStore["findWithIdentity"]> {
    const [row] = await this.#database.query<FlowRow & Nullable<IdentityRow> & Pick<CandidateRow, "c_kinds">>(
      scope,
      statements.findWithIdentityStatement,
      [scope.tenantId, digest, kind ?? null],
    );
    return {
      flow: row && flowFromRow(row),
      identity: row && isIdentity(row) ? identityFromRow(row) : undefined,
      credentialKinds: row?.c_kinds ?? [],
    };
  }

  findForLogin(
    scope: Scope,
    digest: Uint8Array,
    identifier: string | undefined,
    credential: CredentialKind | undefined,
  ): Promise<FoundForLogin> {
    return this.#findWithCandidate(scope, [digest, identifier, credential, false]);
  }

  findForForm(
    scope: Scope,
    digest: Uint8Array,
    identifier: string | undefined,
    credential: CredentialKind | undefined,
  ): Promise<FoundForLogin> {
    return this.#findWithCandidate(scope, [digest, identifier, credential, true]);
  }

  async #findWithCandidate(scope: Scope, values: readonly unknown[]): Promise<FoundForLogin> {
    const [row] = await this.#database.query<
      Nullable<FlowRow> & Nullable<CandidateRow> & Pick<OwnerRow, "a_found">
    >(scope, statements.findForLoginStatement, [scope.tenantId, ...values]);
    return {
      flow: row && isFlow(row) ? flowFromRow(row) : undefined,
      candidate: row && candidateOf(row),
    };
  }

  async findByAddress(scope: Scope, kind: AddressKind, value: string): Promise<Identity | undefined> {
    const [first, second] = await this.#database.query<OwnerRow & { readonly a_signs_in: boolean | null }>(
      scope,
      findByAddressStatement,
      [scope.tenantId, kind, value],
    );
    const owner = first && ownerFromRow(first);
    return first?.a_signs_in || second === undefined ? owner : undefined;
  }

  async findForRecovery(
    scope: Scope,
    { kind, value }: NormalisedIdentifier,
  ): Promise<RecoveryOwner | undefined> {
    const values = [scope.tenantId, kind, value];
    const [row] = await this.#database.query<OwnerRow & { readonly a_unclaimed: boolean }>(
      scope,
      findForRecoveryStatement,
      values,
    );
    const owner = row && ownerFromRow(row);
    return owner && { ...owner, unclaimed: row.a_unclaimed };
  }

  async advance(scope: Scope, held: HeldRevision, advance: FlowAdvance): Promise<boolean> {
    const { challenge } = advance;
    try {
      const rows = await this.#database.query(scope, statements.advanceStatement, [
        scope.tenantId,
        held.digest,
        held.revision,
        JSON.stringify(advance.data),
        challenge?.kind,
        challenge?.digest,
        challenge?.expiresAt,
        advance.identityId,
        messagesParameter(advance.messages),
        eventsParameter(advance.events),
        advance.consumes?.digest,
        advance.consumes?.revision,
      ]);
      return rows.length > 0;
    } catch (error) {
      // The identity was deleted at the same moment, and takes its flows along.
      if (isForeignKeyViolation(error)) return false;
      throw error;
    }
  }

  async keepOutcome(
    scope: Scope,
    held: HeldRevision,
    kept: string | undefined,
    events: readonly Event[],
  ): Promise<void> {
    const values = [scope.tenantId, held.digest, held.revision, kept, eventsParameter(events)];
    await this.#database.query(scope, statements.keepOutcomeStatement, values);
  }

  async keepAnswer(scope: Scope, digest: Uint8Array, answer: string): Promise<void> {
    await this.#database.query(scope, statements.keepAnswerStatement, [scope.tenantId, digest, answer]);
  }

  async countAttempt(
    scope: Scope,
    digest: Uint8Array,
    now: Date,
    limit: number,
  ): Promise<{ readonly challenge: Challenge; readonly revision: number } | undefined> {
    const [row] = await this.#database.query<ChallengeRow & Pick<FlowRow, "f_revision">>(
      scope,
      statements.countAttemptStatement,
      [scope.tenantId, digest, now, limit],
    );
    const challenge = row && challengeFromRow(row);
    return row && challenge && { challenge, revision: row.f_revision };
  }

  async completeLogin(
    scope: Scope,
    completion: LoginCompletion,
  ): Promise<"completed" | "flow_taken" | "candidate_changed"> {
    const { candidate, session, proof } = completion;
    const credentialKind = proof.kind === "credential" ? proof.credential : undefined;
    const target = proof.kind === "address" ? proof.target : undefined;
    const [row] = await this.#database.query<CompletionRow>(scope, statements.completeLoginStatement, [
      ...[scope.tenantId, ...heldParameters(completion.held)],
      candidate.identity.id,
      candidate.loginSequence,
      credentialKind,
      credentialKind && candidate.credential,
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
      target?.kind,
      target?.value,
      completion.replaces,
      ...throttleParameters(completion.throttle),
    ]);
    return outcomeOf(row, "candidate_changed");
  }

  async completeRegistration(
    scope: Scope,
    completion: RegistrationCompletion,
  ): Promise<Completion | "invitation_gone" | "identifier_taken"> {
    const { identity, session } = completion;
    try {
      const [row] = await this.#database.query<CompletionRow>(
        scope,
        statements.completeRegistrationStatement,
        [
          ...[scope.tenantId, ...heldParameters(completion.held)],
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
          completion.invitationId,
        ],
      );
      return outcomeOf(row, "invitation_gone");
    } catch (error) {
      // What else is unique here is random and made for this call.
      if (isDuplicate(error)) return "identifier_taken";
      throw error;
    }
  }

  async completeVerification(
    scope: Scope,
    completion: VerificationCompletion,
  ): Promise<Completion | "address_gone" | "unclaimed"> {
    const { target } = completion;
    const result = await tryChangeAccount(this.#database, scope, completeVerificationStatement, [
      ...[scope.tenantId, ...heldParameters(completion.held)],
      ...[target.identityId, target.kind, target.value],
      completion.at,
      eventsParameter(completion.events),
      completion.within,
      completion.onlyWithin,
    ]);
    if (result === "refused") return "unclaimed";
    return result === "identity_changed" ? "address_gone" : result;
  }

  completeDisowning(scope: Scope, completion: DisowningCompletion): Promise<Completion | "identity_changed"> {
    const { identity, target } = completion;
    return changeAccount(this.#database, scope, completeDisowningStatement, [
      ...[scope.tenantId, ...heldParameters(completion.held)],
      ...[target.identityId, target.kind, target.value],
      completion.at,
      eventsParameter(completion.events),
      completion.expectedRevision,
      identityParameter(identity),
      identifiersParameter(identity.identifiers),
      addressesParameter(identity.verifiableAddresses),
      addressesParameter(identity.recoveryAddresses),
      flowParameter(completion.settingsFlow),
      messagesParameter(completion.messages),
      eventsParameter([completion.revocationEvent]),
    ]);
  }

  async completeRecovery(
    scope: Scope,
    completion: RecoveryCompletion,
  ): Promise<Completion | "identity_gone"> {
    const { session } = completion;
    const result = await changeAccount(this.#database, scope, completeRecoveryStatement, [
      ...[scope.tenantId, ...heldParameters(completion.held)],
      completion.identityId,
      flowParameter(completion.settingsFlow),
      session && sessionParameter(session),
      session?.tokenDigest,
      completion.at,
      messagesParameter(completion.messages),
      eventsParameter(completion.events),
      ...throttleParameters(completion.throttle),
    ]);
    return result === "identity_changed" ? "identity_gone" : result;
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

/** The flows of a completion, as two parameters. */
export function heldParameters(held: readonly HeldRevision[]) {
  return [held.map(({ digest }) => digest), held.map(({ revision }) => revision)];
}

function outcomeOf<Lost>(row: CompletionRow | undefined, lost: Lost): Completion | Lost {
  if (row?.completed) return "completed";
  return row?.flow_open ? lost : "flow_taken";
}

/** Made from its row before it is looked at whose that is: the same work for somebody and for nobody. */
function ownerFromRow(row: OwnerRow): Identity | undefined {
  const identity = isIdentity(row) ? identityFromRow(row) : undefined;
  return row.a_found ? identity : undefined;
}

function isFlow(row: Nullable<FlowRow>): row is FlowRow {
  return row.f_digest !== null;
}

function isIdentity(row: Nullable<IdentityRow>): row is IdentityRow {
  return row.i_id !== null;
}

/** As `ownerFromRow`. The credential is the owner's or none. */
function candidateOf(row: Nullable<CandidateRow> & Pick<OwnerRow, "a_found">): LoginCandidate | undefined {
  const candidate = isCandidate(row) ? candidateFromRow(row) : undefined;
  return row.a_found ? candidate : undefined;
}

function isCandidate(row: Nullable<CandidateRow>): row is CandidateRow {
  return row.i_id !== null;
}

function candidateFromRow(row: CandidateRow): LoginCandidate {
  return {
    identity: identityFromRow(row),
    credential: row.c_secret ?? undefined,
    credentialKinds: row.c_kinds,
    loginSequence: row.i_login_sequence,
  };
}
