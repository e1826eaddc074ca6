import type {
  Deletion,
  DeletionCancellation,
  DeletionSchedule,
  OwnChangeResult,
  PasswordChange,
  ProfileChange,
  SettingsStore,
} from "../domain/flow/settings/settings-store.ts";
import type { FlowData } from "../domain/flow/shared/flow.ts";
import type { Scope } from "../domain/ports.ts";
import { changeAccount } from "./account-change.ts";
import type { Database } from "./database.ts";
import { isDuplicate } from "./database-errors.ts";
import { eventsParameter } from "./event-sql.ts";
import { heldParameters } from "./flow-store.ts";
import { addressesParameter, identifiersParameter, identityParameter } from "./identity-row.ts";
import { messagesParameter } from "./message-sql.ts";
import { sessionParameter } from "./session-row.ts";
import * as statements from "./settings-statements.ts";
import { throttleParameters } from "./throttle-statements.ts";

/** What owners change of their own accounts, on PostgreSQL. The statements are in settings-statements.ts. */
export class PostgresSettingsStore implements SettingsStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  changePassword(scope: Scope, change: PasswordChange): Promise<OwnChangeResult> {
    const { session, password, keep } = change;
    return changeAccount(this.#database, scope, statements.changePasswordStatement, [
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
      ...memoryParameters(change),
      password.hash,
      password.algorithm,
      session && sessionParameter(session),
      session?.tokenDigest,
      ...throttleParameters(change.throttle),
    ]);
  }

  async changeProfile(scope: Scope, change: ProfileChange): Promise<OwnChangeResult | "identifier_taken"> {
    const { identity } = change;
    try {
      return await changeAccount(this.#database, scope, statements.changeProfileStatement, [
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
        ...memoryParameters(change),
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
    return changeAccount(this.#database, scope, statements.scheduleDeletionStatement, [
      ...[scope.tenantId, ...heldParameters([schedule.held])],
      schedule.identityId,
      schedule.at,
      ...[true, undefined, true, true],
      messagesParameter(schedule.messages),
      eventsParameter(schedule.events),
      eventsParameter([schedule.revocationEvent]),
      ...memoryParameters(schedule),
      schedule.deleteAt,
    ]);
  }

  deleteAccount(scope: Scope, deletion: Deletion): Promise<OwnChangeResult> {
    return changeAccount(this.#database, scope, statements.deleteAccountStatement, [
      ...[scope.tenantId, ...heldParameters([deletion.held])],
      deletion.identityId,
      messagesParameter(deletion.messages),
      eventsParameter(deletion.events),
    ]);
  }

  cancelDeletion(scope: Scope, cancellation: DeletionCancellation): Promise<OwnChangeResult> {
    return changeAccount(this.#database, scope, statements.cancelOwnDeletionStatement, [
      ...[scope.tenantId, ...heldParameters([cancellation.held])],
      cancellation.identityId,
      cancellation.at,
      ...[false, undefined, false, false],
      messagesParameter(cancellation.messages),
      eventsParameter(cancellation.events),
      eventsParameter([]),
      ...memoryParameters(cancellation),
    ]);
  }
}

/** The kept outcome and the data of the flow after a change, as two parameters. */
function memoryParameters({
  kept,
  data,
}: {
  readonly kept?: string | undefined;
  readonly data?: FlowData | undefined;
}) {
  return [kept, data && JSON.stringify(data)];
}
