import type { ThrottleCompletion } from "../domain/throttle/store.ts";
import type { Statement } from "./database.ts";
import { insertEvents } from "./event-sql.ts";
import { usedSince } from "./session-row.ts";

/**
 * A counter is a bucket, kept as one number: the moment at which it is empty again (`spent_until_us`, microseconds
 * since 1970; the generic cell rate algorithm of ITU-T I.371). An attempt adds what it costs, and is let through if
 * the bucket is then empty within the limit's period. A row whose moment has passed says nothing, and can go.
 *
 * $2 is now. What `ON CONFLICT DO UPDATE` lets through is returned, and nothing else; it reads the newest version of
 * the row, which it has locked, so of a hundred attempts at once none sees the bucket of another one's past (ASVS
 * V2.3.4). It only adds and compares numbers: no function, which a distributed table would refuse.
 *
 * The last alternative is for a clock that was set back: a bucket fuller than the limit can ever make it would lock
 * its subject out for as long as the clock was wrong. Twice the period and a minute keep the difference between the
 * clocks of two servers from being taken for that.
 */
function countStage(stage: 1 | 2 | 3 | 4): string {
  const before = [1, 2, 3].filter((earlier) => earlier < stage);
  const unlessRefused = before.map(
    (earlier) =>
      `AND (SELECT count(*) FROM stage_${earlier}) = (SELECT count(*) FROM given WHERE stage = ${earlier})`,
  );
  return `stage_${stage} AS (
    INSERT INTO ostiary.throttle_counter AS c (tenant_id, key, spent_until_us, period_us)
    SELECT $1, given.key, $2::bigint + given.cost_us, given.period_us
    FROM given
    WHERE given.stage = ${stage} ${unlessRefused.join(" ")}
    ORDER BY given.place
    ON CONFLICT (tenant_id, key) DO UPDATE SET
      spent_until_us = CASE
        WHEN c.spent_until_us <= $2 OR c.spent_until_us > $2 + 2 * excluded.period_us + 60000000
          THEN excluded.spent_until_us
        ELSE c.spent_until_us + (excluded.spent_until_us - $2)
      END,
      period_us = excluded.period_us
      WHERE c.spent_until_us + (excluded.spent_until_us - $2) <= $2 + excluded.period_us
        OR c.spent_until_us > $2 + 2 * excluded.period_us + 60000000
    RETURNING c.key
  )`;
}

/**
 * $1 tenant, $2 now, $3 keys, $4 costs, $5 periods, $6 stages, $7 for which device or session or null, $8 whether only
 * without any, $9 identity or null, $10 devices that were shown, $11 now as a time, $12 session that was shown or null, $13
 * idle since or null. One row for each attempt that counted, whatever came of it; `spent_until_us` is what a bucket that
 * refused, or that is only read (stage 0), was at the beginning, looked up by key whatever the planner believes of the table.
 *
 * Security rule (SR-LIMIT-2): `known` is what shows the owner. A device counts only if the identity knows it, a session only if it is
 * that identity's and live; whatever else was shown is worth nothing.
 *
 * Rows are locked in the order in which they are given, stage after stage, as every statement on counters does.
 *
 * `unhurried`: the count is there for everybody at once, but nobody waits until it is on the disk. A database that crashes
 * forgets at most what was counted in the last fraction of a second, and nothing else is in this transaction.
 */
export const takeStatement: Statement = {
  name: "take_throttle",
  text: `WITH unhurried AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
  ), known AS MATERIALIZED (
    SELECT token_digest FROM (
      SELECT d.token_digest, 1 AS rank FROM ostiary.device d
      WHERE d.tenant_id = $1 AND d.identity_id = $9::uuid AND d.token_digest = ANY ($10::bytea[])
        AND d.expires_at > $11
      UNION ALL
      SELECT s.token_digest, 2 FROM ostiary.session s
      WHERE s.tenant_id = $1 AND s.token_digest = $12::bytea AND s.identity_id = $9::uuid
        AND s.revoked_at IS NULL AND s.expires_at > $11
        AND ${usedSince("s", "$13")}
    ) own
    ORDER BY rank, token_digest LIMIT 1
  ), given AS MATERIALIZED (
    SELECT g.* FROM unnest($3::bytea[], $4::bigint[], $5::bigint[], $6::int[], $7::bytea[], $8::boolean[])
      WITH ORDINALITY AS g(key, cost_us, period_us, stage, own, unless_own, place)
    WHERE (g.own IS NULL OR g.own IN (SELECT token_digest FROM known))
      AND NOT (g.unless_own AND EXISTS (SELECT FROM known))
  ), ${countStage(1)}, ${countStage(2)}, ${countStage(3)}, ${countStage(4)}
  SELECT o.place::int AS place, o.stage, o.own, o.admitted, CASE WHEN NOT o.admitted THEN (
      SELECT c.spent_until_us FROM ostiary.throttle_counter c WHERE c.tenant_id = $1 AND c.key = o.key
    ) END AS spent_until_us
  FROM (
    SELECT given.place, given.stage, given.key, (SELECT token_digest FROM known) AS own,
      given.stage > 0 AND given.key = ANY (ARRAY(
        SELECT key FROM stage_1 UNION ALL SELECT key FROM stage_2
        UNION ALL SELECT key FROM stage_3 UNION ALL SELECT key FROM stage_4
      )) AS admitted
    FROM given
  ) o, unhurried`,
};

/** $1 tenant, $2 keys, $3 refunds. */
export const releaseStatement: Statement = {
  name: "release_throttle",
  text: `WITH here AS MATERIALIZED (SELECT 1), ${releaseParts({ tenant: "$1", from: "here", keys: "$2", refunds: "$3" })}
  SELECT`,
};

/** $1 tenant, $2 keys, $3 now. */
export const readStatement: Statement = {
  text: `SELECT key, spent_until_us FROM ostiary.throttle_counter
    WHERE tenant_id = $1 AND key = ANY ($2::bytea[]) AND spent_until_us > $3`,
};

/** $1 tenant, $2 keys, $3 now, $4 event. */
export const clearStatement: Statement = {
  text: `WITH locked AS MATERIALIZED (
    SELECT c.key FROM unnest($2::bytea[]) WITH ORDINALITY AS g(key, place)
    JOIN ostiary.throttle_counter c ON c.tenant_id = $1 AND c.key = g.key
    ORDER BY g.place FOR UPDATE OF c
  ), cleared AS (
    DELETE FROM ostiary.throttle_counter
    WHERE tenant_id = $1 AND key IN (SELECT key FROM locked)
    RETURNING spent_until_us
  ), here AS (
    SELECT 1
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$4", from: "here" })}
  )
  SELECT count(*)::int AS count FROM cleared WHERE spent_until_us > $3`,
};

/** $1 tenant, $2 identity, $3 now, $4 idle since or null. */
export const ownOfStatement: Statement = {
  text: `SELECT token_digest FROM ostiary.device
    WHERE tenant_id = $1 AND identity_id = $2 AND expires_at > $3
    UNION
    SELECT s.token_digest FROM ostiary.session s
    WHERE s.tenant_id = $1 AND s.identity_id = $2 AND s.revoked_at IS NULL AND s.expires_at > $3
      AND ${usedSince("s", "$4")}
    ORDER BY token_digest`,
};

/** Where the parts of a completing statement find what they need: pieces of SQL that hold no input. */
interface CompletionParts {
  /** The part that has a row if the action was completed. */
  readonly from: string;
  readonly identityId: string;
  readonly at: string;
  /** The first of the five parameters that `throttleParameters` gives. $1 is the tenant. */
  readonly firstParameter: number;
}

/**
 * The parts of a statement that completes a login or registration: what a success takes back of the counters, and
 * the device that is known from now on. Their row is only written if `from` has one.
 */
export function throttleParts({ from, identityId, at, firstParameter }: CompletionParts): string {
  const parameter = (index: number) => `$${firstParameter + index}`;
  const [keys, refunds, device, expiresAt, others] = [0, 1, 2, 3, 4].map(parameter);
  return `${releaseParts({ tenant: "$1", from, keys: `${keys}`, refunds: `${refunds}` })}, kept_device AS (
    INSERT INTO ostiary.device AS d (tenant_id, token_digest, identity_id, created_at, expires_at)
    SELECT $1, ${device}::bytea, ${identityId}, ${at}, ${expiresAt}::timestamptz FROM ${from}
    WHERE ${device}::bytea IS NOT NULL
    ON CONFLICT (tenant_id, token_digest) DO UPDATE SET expires_at = excluded.expires_at
      WHERE d.identity_id = excluded.identity_id
  ), forgotten_devices AS (
    DELETE FROM ostiary.device
    WHERE tenant_id = $1 AND EXISTS (SELECT FROM ${from}) AND token_digest IN (
      SELECT o.token_digest FROM ostiary.device o
      WHERE o.tenant_id = $1 AND o.identity_id = ${identityId} AND o.token_digest <> ${device}::bytea
      ORDER BY o.expires_at DESC, o.token_digest
      OFFSET ${others}::int
    )
  )`;
}

/** The five parameters of `throttleParts`. */
export function throttleParameters(completion: ThrottleCompletion | undefined): readonly unknown[] {
  const releases = completion?.releases ?? [];
  return [
    releases.map(({ key }) => key),
    releases.map(({ refundUs }) => refundUs ?? null),
    completion?.device?.digest,
    completion?.device?.expiresAt,
    // The device that is kept is one of them.
    Math.max(0, (completion?.maxDevices ?? 1) - 1),
  ];
}

/**
 * Takes back. The counters are locked in the order in which they were counted: a count and a success that meet wait
 * for each other instead of blocking each other.
 */
function releaseParts(parts: {
  readonly tenant: string;
  readonly from: string;
  readonly keys: string;
  readonly refunds: string;
}): string {
  const { tenant, from, keys, refunds } = parts;
  return `locked_counter AS MATERIALIZED (
    SELECT c.key, g.refund_us
    FROM ${from}
    CROSS JOIN unnest(${keys}::bytea[], ${refunds}::bigint[]) WITH ORDINALITY AS g(key, refund_us, place)
    JOIN ostiary.throttle_counter c ON c.tenant_id = ${tenant} AND c.key = g.key
    ORDER BY g.place FOR UPDATE OF c
  ), released AS (
    UPDATE ostiary.throttle_counter c
    SET spent_until_us = CASE WHEN l.refund_us IS NULL THEN 0 ELSE c.spent_until_us - l.refund_us END
    FROM locked_counter l WHERE c.tenant_id = ${tenant} AND c.key = l.key
  )`;
}
