import type {
  Deletion,
  DeletionCancellation,
  DeletionSchedule,
  OwnChangeResult,
  PasswordChange,
  ProfileChange,
  SettingsStore,
} from "../domain/flow/settings-store.ts";
import type { Scope } from "../domain/ports.ts";
import type { Database, Statement } from "./database.ts";
import { isDuplicate } from "./database-errors.ts";
import { eventsParameter } from "./event-sql.ts";
import { heldParameters } from "./flow-store.ts";
import { addressesParameter, identifiersParameter, identityParameter } from "./identity-row.ts";
import { messagesParameter } from "./message-sql.ts";
import { sessionParameter } from "./session-row.ts";
import * as statements from "./settings-statements.ts";

/** What a changing statement says of itself. */
interface ResultRow {
  readonly flow_open: boolean;
  readonly current: boolean;
  readonly completed: boolean;
}

// Of n logins and changes at the same moment one is through in each round.
const mostRounds = 64;

/** What owners change of their own accounts, on PostgreSQL. The statements are in settings-statements.ts. */
export class PostgresSettingsStore implements SettingsStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  changePassword(scope: Scope, change: PasswordChange): Promise<OwnChangeResult> {
    const { session, password, keep } = change;
    return this.#change(scope, statements.changePasswordStatement, [
      ...[scope.tenantId, ...heldParameters([change.held])],
      change.identityId,
      change.at,
      keep !== "all",
      keep === "all" ? undefined : keep,
      change.completes,
      true,
      messagesParameter(change.messages),
      eventsParameter(change.events),
      eventsParameter([change.revocationEvent]),
      password.hash,
      password.algorithm,
      session && sessionParameter(session),
      session?.tokenDigest,
    ]);
  }

  async changeProfile(scope: Scope, change: ProfileChange): Promise<OwnChangeResult | "identifier_taken"> {
    const { identity } = change;
    try {
      return await this.#change(scope, statements.changeProfileStatement, [
        ...[scope.tenantId, ...heldParameters([change.held])],
        identity.id,
        change.at,
        change.endsOthers,
        change.keep,
        false,
        change.endsOthers,
        messagesParameter(change.messages),
        eventsParameter(change.events),
        eventsParameter([change.revocationEvent]),
        change.expectedRevision,
        identityParameter(identity),
        identifiersParameter(identity.identifiers),
        addressesParameter(identity.verifiableAddresses),
        addressesParameter(identity.recoveryAddresses),
      ]);
    } catch (error) {
      // What else is unique here is the identity's own, or random and made for this call.
      if (isDuplicate(error)) return "identifier_taken";
      throw error;
    }
  }

  scheduleDeletion(scope: Scope, schedule: DeletionSchedule): Promise<OwnChangeResult> {
    return this.#change(scope, statements.scheduleDeletionStatement, [
      ...[scope.tenantId, ...heldParameters([schedule.held])],
      schedule.identityId,
      schedule.at,
      ...[true, undefined, true, true],
      messagesParameter(schedule.messages),
      eventsParameter(schedule.events),
      eventsParameter([schedule.revocationEvent]),
      schedule.deleteAt,
    ]);
  }

  deleteAccount(scope: Scope, deletion: Deletion): Promise<OwnChangeResult> {
    return this.#change(scope, statements.deleteAccountStatement, [
      ...[scope.tenantId, ...heldParameters([deletion.held])],
      deletion.identityId,
      messagesParameter(deletion.messages),
      eventsParameter(deletion.events),
    ]);
  }

  cancelDeletion(scope: Scope, cancellation: DeletionCancellation): Promise<OwnChangeResult> {
    return this.#change(scope, statements.cancelOwnDeletionStatement, [
      ...[scope.tenantId, ...heldParameters([cancellation.held])],
      cancellation.identityId,
      cancellation.at,
      ...[false, undefined, false, false],
      messagesParameter(cancellation.messages),
      eventsParameter(cancellation.events),
      eventsParameter([]),
    ]);
  }

  /** Sends the statement until no login or other change of the account comes in between. */
  async #change(scope: Scope, statement: Statement, values: readonly unknown[]): Promise<OwnChangeResult> {
    for (let round = 0; round < mostRounds; round++) {
      const [row] = await this.#database.query<ResultRow>(scope, statement, values);
      if (row?.completed) return "completed";
      if (!row?.flow_open) return "flow_taken";
      if (!row.current) return "identity_changed";
    }
    return "identity_changed";
  }
}
