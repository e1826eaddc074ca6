import type { ThrottleStore } from "../domain/throttle/store.ts";
import type { Database } from "./database.ts";
import { eventsParameter } from "./event-sql.ts";
import { idleParameter } from "./session-row.ts";
import {
  clearStatement,
  ownOfStatement,
  readStatement,
  releaseStatement,
  takeStatement,
  throttleParameters,
} from "./throttle-statements.ts";

interface TakenRow {
  readonly place: number;
  readonly stage: number;
  /** A bigint; null if the counter was not there. */
  readonly spent_until_us: string | null;
  readonly own: Uint8Array | null;
  readonly admitted: boolean;
}

/** Counters and known devices on PostgreSQL. How counting works is in throttle-statements.ts. */
export function createThrottleStore(database: Database): ThrottleStore {
  return {
    async take(scope, request) {
      const { atUs, attempts } = request;
      // Never in a transaction of the caller: what is rolled back would not have been counted.
      const rows = await database.query<TakenRow>({ tenantId: scope.tenantId }, takeStatement, [
        scope.tenantId,
        atUs,
        attempts.map(({ key }) => key),
        attempts.map(({ costUs }) => costUs),
        attempts.map(({ periodUs }) => periodUs),
        attempts.map(({ stage }) => stage),
        attempts.map(({ own }) => own ?? null),
        attempts.map(({ unlessOwn }) => unlessOwn),
        request.identityId,
        request.devices,
        new Date(atUs / 1000),
        request.session,
        idleParameter(request.idleSince),
      ]);
      const refused = rows.filter(({ admitted, stage }) => !admitted && stage > 0);
      // What comes after the first stage that refused was not tried.
      const stage = Math.min(...refused.map((row) => row.stage));
      return {
        own: rows[0]?.own ?? undefined,
        refused: refused
          .filter((row) => row.stage === stage)
          .flatMap(({ place, spent_until_us }) => {
            const attempt = attempts[place - 1];
            if (attempt === undefined) return [];
            const waitUs = Number(spent_until_us ?? 0) + attempt.costUs - attempt.periodUs - atUs;
            // The counter was read before those that came in between filled it: then the least there is to wait.
            return [{ place: place - 1, waitUs: waitUs > 0 ? waitUs : attempt.costUs }];
          }),
        watched: rows
          .filter((row) => row.stage === 0)
          .map(({ place, spent_until_us }) => ({
            place: place - 1,
            spentUntilUs: Number(spent_until_us ?? 0),
          })),
      };
    },

    async release(scope, releases) {
      const [keys, refunds] = throttleParameters({ releases, device: undefined, maxDevices: 0 });
      await database.query(scope, releaseStatement, [scope.tenantId, keys, refunds]);
    },

    async read(scope, keys, atUs) {
      const rows = await database.query<{ readonly key: Uint8Array; readonly spent_until_us: string }>(
        scope,
        readStatement,
        [scope.tenantId, keys, atUs],
      );
      return rows.map(({ key, spent_until_us }) => ({ key, spentUntilUs: Number(spent_until_us) }));
    },

    async clear(scope, keys, atUs, event) {
      const values = [scope.tenantId, keys, atUs, eventsParameter([event])];
      const [row] = await database.query<{ readonly count: number }>(scope, clearStatement, values);
      return row?.count ?? 0;
    },

    async ownOf(scope, identityId, at, idleSince) {
      const values = [scope.tenantId, identityId, at, idleParameter(idleSince)];
      const rows = await database.query<{ readonly token_digest: Uint8Array }>(scope, ownOfStatement, values);
      return rows.map((row) => row.token_digest);
    },
  };
}
