import { Migration } from "@mikro-orm/migrations";

/** The types of each class, as this migration has found them. */
const classes = {
  sign_ins: [
    ...[
      "session.created",
      "session.extended",
      "session.token_replaced",
      "session.revoked",
      "login.succeeded",
    ],
    ...[
      "registration.succeeded",
      "recovery.succeeded",
      "recovery.held",
      "recovery.stopped",
      "password.checked",
    ],
  ],
  failures: ["login.failed", "login.throttled"],
  messages: [
    ...["message.sent", "message.failed", "message.retried", "message.readdressed", "message.bounced"],
    "message.complained",
  ],
} as const;
const listed = (types: readonly string[]) => types.map((type) => `'${type}'`).join(", ");
const classOfRow = `CASE WHEN type IN (${listed(classes.sign_ins)}) THEN 'sign_ins'
  WHEN type IN (${listed(classes.messages)}) THEN 'messages'
  WHEN type IN (${listed(classes.failures)}) THEN CASE WHEN identity_id IS NULL THEN 'unknown_names' ELSE 'failures' END
  ELSE 'changes' END`;

/** The names within `data` as JSON has them from now on. In a text that is a value, quotes have a backslash before them. */
const renamed = Object.entries({
  ...{ message_id: "messageId", second_factor: "secondFactor", credential_id: "credentialId" },
  ...{ api_key_id: "apiKeyId", wrong_codes: "wrongCodes", action_id: "actionId", started_by: "startedBy" },
  ...{ invitation_id: "invitationId", purge_time: "purgeTime" },
}).reduce((text, [before, after]) => `replace(${text}, '"${before}": ', '"${after}": ')`, "data::text");

const columns =
  "tenant_id, position, transaction_id, id, created_at, type, identity_id, session_id, actor, request_id, ip_address, user_agent";

/** Makes the partitions of the months that are given, and one for the others. */
const makePartitions = `DO $$
  DECLARE
    kind text;
    month timestamptz;
  BEGIN
    SET LOCAL TimeZone = 'UTC';
    FOREACH kind IN ARRAY ARRAY['changes', 'sign_ins', 'failures', 'unknown_names', 'messages'] LOOP
      EXECUTE format('CREATE TABLE ostiary.event_%s PARTITION OF ostiary.event FOR VALUES IN (%L) PARTITION BY RANGE (created_at)', kind, kind);
      EXECUTE format('CREATE TABLE ostiary.event_%s_default PARTITION OF ostiary.event_%s DEFAULT', kind, kind);
      FOR month IN
        SELECT date_trunc('month', created_at) FROM ostiary.event_before WHERE ${classOfRow} = kind
        UNION SELECT date_trunc('month', now()) + n * interval '1 month' FROM generate_series(0, 2) n
      LOOP
        EXECUTE format('CREATE TABLE ostiary.event_%s_%s PARTITION OF ostiary.event_%s FOR VALUES FROM (%L) TO (%L)',
          kind, to_char(month, 'YYYY_MM'), kind, month, month + interval '1 month');
      END LOOP;
    END LOOP;
    CREATE TABLE ostiary.event_default PARTITION OF ostiary.event DEFAULT;
  END
$$`;

const table = (rest: string) => `CREATE TABLE ostiary.event (
    tenant_id uuid NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    transaction_id xid8 NOT NULL,
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    type text COLLATE "C" NOT NULL,
    identity_id uuid,
    session_id uuid,
    actor jsonb NOT NULL,
    request_id text NOT NULL,
    ip_address text,
    user_agent text,
    data jsonb NOT NULL,
    ${rest}`;

/** Removes what has the names that the table in its place is to have. */
const setAside = [
  "ALTER TABLE ostiary.event RENAME TO event_before",
  "ALTER TABLE ostiary.event_before RENAME CONSTRAINT event_pkey TO event_before_pkey",
  "ALTER SEQUENCE ostiary.event_position_seq RENAME TO event_before_position_seq",
];
const takeOver = (more: string, values: string) => [
  `INSERT INTO ostiary.event (${columns}${more}) OVERRIDING SYSTEM VALUE SELECT ${columns}${values} FROM ostiary.event_before ORDER BY position`,
  `SELECT setval('ostiary.event_position_seq', greatest(1, (SELECT max(position) FROM ostiary.event)),
    EXISTS (SELECT FROM ostiary.event))`,
  "DROP TABLE ostiary.event_before",
];

/**
 * The event log in its final shape: partitions by class and month, so that what is old goes as a whole. All events are moved, and what
 * they say is the JSON form of the message of their type. The epoch is a number, and that of the whole log; the next start begins a new
 * one, since the timeline is not known here.
 */
export class EventLog extends Migration {
  override up(): void {
    for (const statement of [
      "DELETE FROM ostiary.event_epoch WHERE tenant_id > (SELECT min(tenant_id::text)::uuid FROM ostiary.event_epoch)",
      `ALTER TABLE ostiary.event_epoch DROP COLUMN tenant_id, DROP COLUMN epoch,
        ADD COLUMN "only" smallint NOT NULL DEFAULT 1 PRIMARY KEY, ADD COLUMN epoch bigint NOT NULL DEFAULT 0,
        ADD COLUMN timeline text NOT NULL DEFAULT '', ADD COLUMN removed_through xid8 NOT NULL DEFAULT '0'`,
      `ALTER TABLE ostiary.event_epoch ALTER COLUMN "only" DROP DEFAULT, ALTER COLUMN epoch DROP DEFAULT,
        ALTER COLUMN timeline DROP DEFAULT, ALTER COLUMN removed_through DROP DEFAULT`,
      "DROP INDEX ostiary.event_order, ostiary.event_age, ostiary.event_client_details, ostiary.event_of_identity",
      ...setAside,
      table(`retention_class text COLLATE "C" NOT NULL DEFAULT '',
        PRIMARY KEY (tenant_id, position, retention_class, created_at)
      ) PARTITION BY LIST (retention_class)`),
      makePartitions,
      ...takeOver(", retention_class, data", `, ${classOfRow}, ${renamed}::jsonb`),
      "CREATE INDEX event_order ON ostiary.event (transaction_id, position)",
      "CREATE INDEX event_age ON ostiary.event USING brin (created_at)",
      "CREATE INDEX event_client_details ON ostiary.event (created_at) WHERE ip_address IS NOT NULL OR user_agent IS NOT NULL",
      `CREATE INDEX event_of_identity ON ostiary.event (tenant_id, identity_id, created_at DESC, id DESC)
        WHERE identity_id IS NOT NULL`,
      "CREATE INDEX event_deletion ON ostiary.event (created_at) WHERE type = 'identity.deleted'",
    ]) {
      this.addSql(statement);
    }
  }

  override down(): void {
    for (const statement of [
      "DROP INDEX ostiary.event_order, ostiary.event_age, ostiary.event_client_details, ostiary.event_of_identity",
      ...setAside,
      table("PRIMARY KEY (tenant_id, position)\n  )"),
      ...takeOver(", data", ", data"),
      "CREATE INDEX event_order ON ostiary.event (tenant_id, transaction_id, position)",
      "CREATE INDEX event_age ON ostiary.event (type, created_at)",
      "CREATE INDEX event_client_details ON ostiary.event (created_at) WHERE ip_address IS NOT NULL OR user_agent IS NOT NULL",
      `CREATE INDEX event_of_identity ON ostiary.event (tenant_id, identity_id, created_at DESC, id DESC)
        WHERE identity_id IS NOT NULL`,
      "DROP TABLE ostiary.event_epoch",
      `CREATE TABLE ostiary.event_epoch (tenant_id uuid NOT NULL PRIMARY KEY, epoch uuid NOT NULL,
        database_identity text NOT NULL, created_at timestamptz NOT NULL)`,
    ]) {
      this.addSql(statement);
    }
  }
}
