import type { Completion, FlowStore, FoundForLogin, HeldRevision } from "../domain/flow/shared/store.ts";
import type { ContactAddress } from "../domain/identity/addresses.ts";
import type { Identity } from "../domain/identity/identity.ts";
import type { CredentialId } from "../domain/ids.ts";
import type { LoginCandidate } from "../domain/method/method.ts";
import type { TenantScope } from "../domain/ports.ts";
import { changeAccount, tryChangeAccount } from "./account-change.ts";
import { completeDisowningStatement, completeVerificationStatement } from "./claim-statements.ts";
import { type CredentialJson, credentialFromJson, credentialsParameter } from "./credential-sql.ts";
import type { Database } from "./database.ts";
import { isDuplicate, isForeignKeyViolation } from "./database-errors.ts";
import { eventsParameter } from "./event-sql.ts";
import { type ChallengeRow, challengeFromRow, flowFromRow, flowParameter } from "./flow-row.ts";
import * as statements from "./flow-statements.ts";
import { type IdentityRow, identityFromRow, identityParameters } from "./identity-row.ts";
import { messagesParameter } from "./message-sql.ts";
import { findByAddressStatement, findForRecoveryStatement } from "./owner-statements.ts";
import {
  completeRecoveryStatement,
  findHeldRecoveryStatement,
  stopRecoveriesStatement,
} from "./recovery-statements.ts";
import type { FlowRow } from "./rows.generated.ts";
import { idleParameter, sessionParameter } from "./session-row.ts";
import { throttleParameters } from "./throttle-statements.ts";

interface CandidateRow extends IdentityRow {
  readonly i_login_sequence: number;
  readonly c_id: CredentialId | null;
  readonly c_secret: string | null;
  readonly c_own: readonly CredentialJson[];
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
export function createFlowStore(database: Database): FlowStore {
  return {
    async create(scope, flow, messages = []) {
      const values = [scope.tenantId, flowParameter(flow), messagesParameter(messages)];
      await database.query(scope, statements.createFlowStatement, values);
    },

    async createOnce(scope, flow) {
      const values = [scope.tenantId, flowParameter(flow)];
      return (await database.query(scope, statements.createFlowOnceStatement, values)).length > 0;
    },

    async beginByOperator(scope, start) {
      return database.transaction(scope, async (tx) => {
        const owner = [tx.tenantId, start.identityId];
        const locked = await database.query(tx, statements.lockActiveIdentityStatement, owner);
        if (locked.length === 0) return false;
        await database.query(tx, statements.beginByOperatorStatement, [
          ...owner,
          flowParameter(start.flow),
          start.flow.kind,
          start.address,
          messagesParameter(start.messages),
          eventsParameter(start.events),
        ]);
        return true;
      });
    },

    async find(scope, kind, digest) {
      const values = [scope.tenantId, digest, kind];
      const [row] = await database.query<FlowRow>(scope, statements.findFlowStatement, values);
      return row && flowFromRow(row);
    },

    async findByLink(scope, kind, linkDigest) {
      const values = [scope.tenantId, linkDigest, kind];
      const [row] = await database.query<FlowRow>(scope, statements.findByLinkStatement, values);
      return row && flowFromRow(row);
    },

    async findWithIdentity(scope, kind, digest) {
      const [row] = await database.query<FlowRow & Nullable<IdentityRow> & Pick<CandidateRow, "c_own">>(
        scope,
        statements.findWithIdentityStatement,
        [scope.tenantId, digest, kind ?? null],
      );
      return {
        flow: row && flowFromRow(row),
        identity: row && isIdentity(row) ? identityFromRow(row) : undefined,
        credentials: row?.c_own.map(credentialFromJson) ?? [],
      };
    },

    findForLogin(scope, digest, identifier, asked) {
      const values = [digest, identifier, asked?.kind, false, asked?.lookupKey];
      return findWithCandidate(database, scope, values);
    },

    findForForm(scope, digest, identifier, asked) {
      const values = [digest, identifier, asked?.kind, true, asked?.lookupKey];
      return findWithCandidate(database, scope, values);
    },

    async findCandidate(scope, asked) {
      const values =
        "identityId" in asked ? [asked.identityId, null, null] : [null, asked.kind, asked.lookupKey];
      const [row] = await database.query<CandidateRow>(scope, statements.findCandidateStatement, [
        scope.tenantId,
        ...values,
      ]);
      return row && candidateFromRow(row);
    },

    async findByAddress(scope, kind, value) {
      const [first, second] = await database.query<OwnerRow & { readonly a_signs_in: boolean | null }>(
        scope,
        findByAddressStatement,
        [scope.tenantId, kind, value],
      );
      const owner = first && ownerFromRow(first);
      return first?.a_signs_in || second === undefined ? owner : undefined;
    },

    async findForRecovery(scope, { kind, value }) {
      const values = [scope.tenantId, kind, value];
      const [row] = await database.query<OwnerRow & { readonly a_unclaimed: boolean }>(
        scope,
        findForRecoveryStatement,
        values,
      );
      const owner = row && ownerFromRow(row);
      return owner && { ...owner, unclaimed: row.a_unclaimed };
    },

    async advance(scope, held, advance) {
      const { challenge } = advance;
      try {
        const rows = await database.query(scope, statements.advanceStatement, [
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
          advance.begins && flowParameter(advance.begins),
        ]);
        return rows.length > 0;
      } catch (error) {
        // The identity was deleted at the same moment, and takes its flows along.
        if (isForeignKeyViolation(error)) return false;
        throw error;
      }
    },

    async findHeldRecovery(scope, { identityId, kind, value }, now) {
      const values = [scope.tenantId, identityId, kind, value, now];
      const [row] = await database.query<FlowRow>(scope, findHeldRecoveryStatement, values);
      return row && flowFromRow(row);
    },

    async stopRecoveries(scope, stop) {
      const [row] = await database.query<CompletionRow & { readonly told: boolean }>(
        scope,
        stopRecoveriesStatement,
        [
          ...heldParameters(scope, stop.held),
          stop.identityId,
          messagesParameter(stop.messages),
          eventsParameter(stop.events),
          stop.endsOperators,
        ],
      );
      if (row?.completed !== true) return "flow_taken";
      return row.told ? "completed" : "none_waited";
    },

    async keepOutcome(scope, held, kept, events) {
      const values = [scope.tenantId, held.digest, held.revision, kept, eventsParameter(events)];
      await database.query(scope, statements.keepOutcomeStatement, values);
    },

    async keepAnswer(scope, digest, answer) {
      await database.query(scope, statements.keepAnswerStatement, [scope.tenantId, digest, answer]);
    },

    async countAttempt(scope, digest, now, limit) {
      const [row] = await database.query<
        ChallengeRow & Pick<FlowRow, "f_revision"> & { readonly is_marked: boolean }
      >(scope, statements.countAttemptStatement, [scope.tenantId, digest, now, limit]);
      const challenge = row && challengeFromRow(row);
      return row && challenge && { challenge, revision: row.f_revision, isMarked: row.is_marked };
    },

    async completeLogin(scope, completion) {
      const { candidate, proof, replacement, goesOn, held } = completion;
      const ended = completion.goesOn === undefined ? completion : undefined;
      const credential = proof.kind === "credential" ? candidate.credential : undefined;
      const target = proof.kind === "address" ? proof.target : undefined;
      const values = [
        ...heldParameters(scope, held),
        candidate.identity.id,
        candidate.loginSequence,
        credential?.id,
        credential?.secret,
        completion.at,
        ended && sessionParameter(ended.session),
        ended?.session.tokenDigest,
        replacement?.secret,
        replacement && JSON.stringify(replacement.facts),
        // The new session is one of them.
        Math.max(0, (ended?.maxSessions ?? 1) - 1),
        idleParameter(ended?.idleSince),
        eventsParameter(completion.events),
        eventsParameter(ended === undefined ? [] : [ended.evictionEvent]),
        target?.kind,
        target?.value,
        ended?.replaces,
        ...throttleParameters(ended?.throttle),
        replacement?.isUse ?? false,
        messagesParameter(completion.messages),
        JSON.stringify(completion.added ?? []),
        completion.doneActions ?? [],
        goesOn && JSON.stringify(goesOn),
        // The flow itself is the first of those that are held, whichever holds the challenge.
        goesOn && held[0]?.digest,
        ended?.settingsFlow && flowParameter(ended.settingsFlow),
        credentialsParameter(ended?.linked === undefined ? [] : [ended.linked]),
      ];
      try {
        const [row] = await database.query<CompletionRow>(scope, statements.completeLoginStatement, values);
        return outcomeOf(row, "candidate_changed");
      } catch (error) {
        // What else is unique here is random and made for this call.
        if (ended?.linked !== undefined && isDuplicate(error)) return "credential_taken";
        throw error;
      }
    },

    async completeRegistration(scope, completion) {
      const { identity, session } = completion;
      try {
        const [row] = await database.query<CompletionRow>(scope, statements.completeRegistrationStatement, [
          ...heldParameters(scope, completion.held),
          ...identityParameters(identity),
          credentialsParameter(completion.credential === undefined ? [] : [completion.credential]),
          completion.at,
          session && sessionParameter(session),
          session?.tokenDigest,
          eventsParameter(completion.events),
          ...throttleParameters(completion.throttle),
          completion.invitationId,
        ]);
        return outcomeOf(row, "invitation_gone");
      } catch (error) {
        // What else is unique here is random and made for this call.
        if (isDuplicate(error)) return "identifier_taken";
        throw error;
      }
    },

    async completeVerification(scope, completion) {
      const { target } = completion;
      const result = await tryChangeAccount(database, scope, completeVerificationStatement, [
        ...heldParameters(scope, completion.held),
        ...targetParameters(target),
        completion.at,
        eventsParameter(completion.events),
        completion.within,
        completion.onlyWithin,
        completion.doneActions ?? [],
      ]);
      if (result === "refused") return "unclaimed";
      return result === "identity_changed" ? "address_gone" : result;
    },

    completeDisowning(scope, completion) {
      const { identity, target } = completion;
      return changeAccount(database, scope, completeDisowningStatement, [
        ...heldParameters(scope, completion.held),
        ...targetParameters(target),
        completion.at,
        eventsParameter(completion.events),
        completion.expectedRevision,
        ...identityParameters(identity),
        flowParameter(completion.settingsFlow),
        messagesParameter(completion.messages),
        eventsParameter([completion.revocationEvent]),
      ]);
    },

    completeRecovery(scope, completion) {
      const { session } = completion;
      return changeAccount(database, scope, completeRecoveryStatement, [
        ...heldParameters(scope, completion.held),
        completion.identityId,
        flowParameter(completion.settingsFlow),
        session && sessionParameter(session),
        session?.tokenDigest,
        completion.at,
        messagesParameter(completion.messages),
        eventsParameter(completion.events),
        ...throttleParameters(completion.throttle),
        completion.expectedRevision,
      ]);
    },

    async takenIdentifiers(scope, identifiers) {
      if (identifiers.length === 0) return [];
      const rows = await database.query<{ readonly value: string }>(
        scope,
        {
          name: "taken_identifiers",
          text: "SELECT value FROM ostiary.identity_identifier WHERE tenant_id = $1 AND value = ANY ($2)",
        },
        [scope.tenantId, identifiers],
      );
      return rows.map((row) => row.value);
    },
  };
}

async function findWithCandidate(
  database: Database,
  scope: TenantScope,
  values: readonly unknown[],
): Promise<FoundForLogin> {
  const [row] = await database.query<Nullable<FlowRow> & Nullable<CandidateRow> & Pick<OwnerRow, "a_found">>(
    scope,
    statements.findForLoginStatement,
    [scope.tenantId, ...values],
  );
  return {
    flow: row && isFlow(row) ? flowFromRow(row) : undefined,
    candidate: row && candidateOf(row),
  };
}

/** The tenant and the flows of a completion, as three parameters. */
export function heldParameters({ tenantId }: TenantScope, held: readonly HeldRevision[]) {
  return [tenantId, held.map(({ digest }) => digest), held.map(({ revision }) => revision)];
}

function targetParameters({ identityId, kind, value }: ContactAddress) {
  return [identityId, kind, value];
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
  const credentials = row.c_own.map(credentialFromJson);
  const asked = credentials.find(({ id }) => id === row.c_id);
  return {
    identity: identityFromRow(row),
    credential: asked && row.c_secret !== null ? { ...asked, secret: row.c_secret } : undefined,
    credentials,
    loginSequence: row.i_login_sequence,
  };
}
