import type { CredentialChange, SettingsStore } from "../domain/flow/settings/store.ts";
import type { FlowData } from "../domain/flow/shared/flow.ts";
import { changeAccount } from "./account-change.ts";
import { credentialsParameter } from "./credential-sql.ts";
import type { Database } from "./database.ts";
import { isDuplicate } from "./database-errors.ts";
import { eventsParameter } from "./event-sql.ts";
import { flowParameter } from "./flow-row.ts";
import { heldParameters } from "./flow-store.ts";
import { identityParameters } from "./identity-row.ts";
import { messagesParameter } from "./message-sql.ts";
import { sessionParameter } from "./session-row.ts";
import * as statements from "./settings-statements.ts";
import { throttleParameters } from "./throttle-statements.ts";

/** What owners change of their own accounts, on PostgreSQL. The statements are in settings-statements.ts. */
export function createSettingsStore(database: Database): SettingsStore {
  return {
    async changeCredential(scope, change) {
      const { session, credential, replaces } = change;
      // The parts of one statement may not touch a row twice.
      const keep = change.keep === "all" || replaces === undefined ? change.keep : replaces;
      try {
        return await changeAccount(database, scope, statements.changeCredentialStatement, [
          ...heldParameters(scope, [change.held]),
          change.identityId,
          change.at,
          ...keptParameters(keep),
          change.completes,
          true,
          messagesParameter(change.messages),
          eventsParameter(change.events),
          eventsParameter([change.revocationEvent]),
          ...memoryParameters(change),
          credentialsParameter([credential]),
          session && sessionParameter(session),
          session?.tokenDigest,
          ...throttleParameters(change.throttle),
          replaces,
          change.doneActions ?? [],
          change.expectedRevision,
          change.begins && flowParameter(change.begins),
        ]);
      } catch (error) {
        // What else is unique here is the identity's own, or random and made for this call.
        if (isDuplicate(error)) return "credential_taken";
        throw error;
      }
    },

    removeCredential(scope, removal) {
      return changeAccount(database, scope, statements.removeCredentialStatement, [
        ...heldParameters(scope, [removal.held]),
        removal.identityId,
        removal.at,
        ...keptParameters(removal.keep),
        false,
        true,
        messagesParameter(removal.messages),
        eventsParameter(removal.events),
        eventsParameter([removal.revocationEvent]),
        ...memoryParameters(removal),
        removal.credentialId,
        [...removal.known].sort(),
      ]);
    },

    editCredential(scope, edit) {
      return changeAccount(database, scope, statements.editCredentialStatement, [
        ...heldParameters(scope, [edit.held]),
        edit.identityId,
        edit.at,
        ...keptParameters("all"),
        false,
        false,
        messagesParameter(edit.messages),
        eventsParameter(edit.events),
        eventsParameter([]),
        ...memoryParameters(edit),
        edit.credentialId,
        edit.label,
        edit.secondFactor?.isSecondFactor,
        edit.secondFactor?.kind,
        edit.doneActions ?? [],
      ]);
    },

    async changeProfile(scope, change) {
      const { identity } = change;
      try {
        return await changeAccount(database, scope, statements.changeProfileStatement, [
          ...heldParameters(scope, [change.held]),
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
          ...identityParameters(identity),
        ]);
      } catch (error) {
        // What else is unique here is the identity's own, or random and made for this call.
        if (isDuplicate(error)) return "identifier_taken";
        throw error;
      }
    },

    completeActions(scope, done) {
      return changeAccount(database, scope, statements.completeActionsStatement, [
        ...heldParameters(scope, [done.held]),
        done.identityId,
        done.at,
        ...keptParameters("all"),
        false,
        false,
        messagesParameter(done.messages),
        eventsParameter(done.events),
        eventsParameter([]),
        ...memoryParameters(done),
        done.doneActions ?? [],
      ]);
    },

    scheduleDeletion(scope, schedule) {
      return changeAccount(database, scope, statements.scheduleDeletionStatement, [
        ...heldParameters(scope, [schedule.held]),
        schedule.identityId,
        schedule.at,
        true,
        undefined,
        true,
        true,
        messagesParameter(schedule.messages),
        eventsParameter(schedule.events),
        eventsParameter([schedule.revocationEvent]),
        ...memoryParameters(schedule),
        schedule.purgeAt,
      ]);
    },

    deleteAccount(scope, deletion) {
      return changeAccount(database, scope, statements.deleteAccountStatement, [
        ...heldParameters(scope, [deletion.held]),
        deletion.identityId,
        messagesParameter(deletion.messages),
        eventsParameter(deletion.events),
      ]);
    },

    cancelDeletion(scope, cancellation) {
      return changeAccount(database, scope, statements.cancelOwnDeletionStatement, [
        ...heldParameters(scope, [cancellation.held]),
        cancellation.identityId,
        cancellation.at,
        false,
        undefined,
        false,
        false,
        messagesParameter(cancellation.messages),
        eventsParameter(cancellation.events),
        eventsParameter([]),
        ...memoryParameters(cancellation),
      ]);
    },
  };
}

/** Whether other sessions end, and the one that stays, as two parameters. */
function keptParameters(keep: CredentialChange["keep"]) {
  return [keep !== "all", keep === "all" ? undefined : keep];
}

/** The kept outcome and the data of the flow after a change, as two parameters. */
function memoryParameters({ kept, data }: { readonly kept?: string | undefined; readonly data: FlowData }) {
  return [kept, JSON.stringify(data)];
}
