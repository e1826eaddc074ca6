import { changeResult, endOtherFlows, isSeen, ownFlowParts, seenPart } from "./account-change.ts";
import type { Statement } from "./database.ts";
import { insertEvents } from "./event-sql.ts";
import { closeFlows, insertFlow, insertSession } from "./flow-statements.ts";
import { insertMessages } from "./message-sql.ts";
import { throttleParts } from "./throttle-statements.ts";

/**
 * Completes a recovery. $1 tenant, $2 flows with $3 their revisions, $4 identity, $5 settings flow, $6 session or null, $7 its
 * digest, $8 now, $9 messages, $10 events, $11 to $15 those of `throttleParts`. Raises `login_sequence`, as every change of a
 * credential does.
 */
export const completeRecoveryStatement: Statement = {
  name: "complete_recovery",
  text: `WITH ${ownFlowParts}, ${seenPart("true")}, changed AS (
    UPDATE ostiary.identity i SET login_sequence = i.login_sequence + 1
    FROM seen WHERE ${isSeen}
    RETURNING i.id
  ), completed AS (
    ${closeFlows("$4", "changed")}
  ), closed AS (
    ${endOtherFlows}
  ), settings AS (
    ${insertFlow("$5", "changed")}
  ), ended AS (
    UPDATE ostiary.session SET revoked_at = $8, updated_at = $8
    WHERE tenant_id = $1 AND identity_id = $4 AND revoked_at IS NULL AND $6::jsonb IS NOT NULL
      AND EXISTS (SELECT FROM changed)
  ), created AS (
    ${insertSession("$6", "$7", "changed")}
  ), ${throttleParts({ from: "changed", identityId: "$4", at: "$8", firstParameter: 11 })}, sent AS (
    ${insertMessages({ tenant: "$1", messages: "$9", from: "changed" })}
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$10", from: "changed" })}
  )
  ${changeResult}`,
};
