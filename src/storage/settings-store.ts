import type { SettingsStore } from "../domain/flow/settings/store.ts";
import type { FlowData } from "../domain/flow/shared/flow.ts";
import { changeAccount } from "./account-change.ts";
import { credentialParameter } from "./credential-sql.ts";
import type { Database } from "./database.ts";
import { isDuplicate } from "./database-errors.ts";
import { eventsParameter } from "./event-sql.ts";
import { heldParameters } from "./flow-store.ts";
import { identityParameters } from "./identity-row.ts";
import { messagesParameter } from "./message-sql.ts";
import { sessionParameter } from "./session-row.ts";
import * as statements from "./settings-statements.ts";
import { throttleParameters } from "./throttle-statements.ts";

/** What owners change of their own accounts, on PostgreSQL. The statements are in settings-statements.ts. */
export function createSettingsStore(database: Database): SettingsStore {
  return {
    changeCredential(scope, change) {
      const { session, credential, keep } = change;
      return changeAccount(database, scope, statements.changeCredentialStatement, [
        ...heldParameters(scope, [change.held]),
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
        credentialParameter(credential),
        session && sessionParameter(session),
        session?.tokenDigest,
        ...throttleParameters(change.throttle),
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

/** The kept outcome and the data of the flow after a change, as two parameters. */
function memoryParameters({ kept, data }: { readonly kept?: string | undefined; readonly data: FlowData }) {
  return [kept, JSON.stringify(data)];
}
