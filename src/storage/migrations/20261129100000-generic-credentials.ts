import { Migration } from "@mikro-orm/migrations";

/** The members of a JSON object with these names, those that it has. */
function pick(object: string, ...names: readonly string[]): string {
  const wanted = names.map((name) => `'${name}'`).join(", ");
  return `coalesce((SELECT jsonb_object_agg(key, value) FROM jsonb_each(${object}) WHERE key IN (${wanted})), '{}')`;
}

/** A password as flows of before remembered it, as a credential. */
function credential(password: string): string {
  return `jsonb_build_object('kind', 'password', 'secret', ${password} -> 'hash',
    'facts', jsonb_build_object('algorithm', ${password} -> 'algorithm'))`;
}

const purpose = `CASE kind
  WHEN 'login' THEN CASE
    WHEN data ? 'refreshes'
      THEN jsonb_build_object('kind', 'refresh', 'session', data -> 'refreshes') || ${pick("data", "stepsUpTo")}
    WHEN data ? 'ofOwner' THEN jsonb_build_object('kind', 'owner') || (data -> 'ofOwner')
    ELSE jsonb_build_object('kind', 'sign_in') END
  WHEN 'registration' THEN ${pick("data", "schemaId", "invitation")}
  WHEN 'settings' THEN CASE WHEN data ? 'recovery'
    THEN jsonb_build_object('kind', 'recovery', 'recovery', data -> 'recovery')
    ELSE jsonb_build_object('kind', 'settings') END
  ELSE ${pick("data", "operator", "session")} END`;

/** Where a flow stands. What waits for a code or link remembers what was filled in before. */
const at = `CASE
  WHEN data ? 'pending' THEN CASE data #>> '{pending,kind}' WHEN 'code' THEN 'enter_code' WHEN 'link' THEN 'link_sent'
    WHEN 'confirm' THEN 'confirm_link' ELSE 'claim_account' END
  WHEN kind = 'registration' AND NOT data ? 'profileGiven' THEN 'fill_form'
  WHEN kind = 'recovery' AND data ? 'choice' THEN 'choose_address'
  WHEN kind = 'settings' THEN CASE WHEN data ? 'recovery' THEN 'set_new_secret' ELSE 'change_settings' END
  ELSE 'choose_method' END`;

const account = `CASE WHEN data -> 'account' ? 'password'
  THEN jsonb_build_object('credential', ${credential("(data #> '{account,password}')")}) ELSE '{}' END
  || ${pick("(data -> 'account')", "authentication")}`;

const interrupted = `CASE WHEN data #>> '{interrupted,kind}' = 'password'
  THEN jsonb_build_object('kind', 'credential', 'credential', ${credential("(data #> '{interrupted,password}')")},
    'notice', jsonb_build_object('template', 'password_changed', 'data', '{}'::jsonb),
    'keepOtherSessions', data #> '{interrupted,keepOtherSessions}')
  ELSE data -> 'interrupted' END`;

const state = `jsonb_build_object('at', ${at})
  || CASE WHEN data ? 'pending' THEN ${pick("(data -> 'pending')", "sentTo", "sentAt", "target", "parent", "opened", "by")}
    ELSE '{}' END
  || CASE kind
    WHEN 'login' THEN ${pick("data", "identifier")}
    WHEN 'registration' THEN ${pick("data", "traits")}
      || CASE WHEN data ? 'account' THEN jsonb_build_object('account', ${account},
        'from', CASE WHEN data ? 'profileGiven' THEN 'choose_method' ELSE 'fill_form' END) ELSE '{}' END
    WHEN 'recovery' THEN ${pick("data", "choice", "typed")}
    WHEN 'settings' THEN CASE WHEN data ? 'profile' THEN jsonb_build_object('change', data -> 'profile') ELSE '{}' END
      || CASE WHEN data ? 'interrupted' THEN jsonb_build_object('interrupted', ${interrupted}) ELSE '{}' END
    ELSE '{}' END`;

/**
 * Makes credentials alike, whatever their kind: a label, what may be shown of them, and their last use. The algorithm of a
 * hash is one of the facts. Flows remember apart what they were begun for and where they stand; those that are under way go
 * on.
 */
export class GenericCredentials extends Migration {
  override up(): void {
    this.addSql(`ALTER TABLE ostiary.identity_credential
      ADD COLUMN label text NOT NULL DEFAULT '', ADD COLUMN facts jsonb NOT NULL DEFAULT '{}',
      ADD COLUMN last_used_at timestamptz`);
    this.addSql(`UPDATE ostiary.identity_credential SET facts = jsonb_build_object('algorithm', algorithm)
      WHERE algorithm IS NOT NULL`);
    this.addSql(
      "ALTER TABLE ostiary.identity_credential ALTER COLUMN facts DROP DEFAULT, DROP COLUMN algorithm",
    );
    this.addSql(`UPDATE ostiary.flow SET data = ${pick("data", "language", "clientData", "requests")}
      || jsonb_build_object('purpose', ${purpose}, 'state', ${state})
      WHERE NOT data ? 'state'`);
  }

  override down(): void {
    this.addSql("ALTER TABLE ostiary.identity_credential ADD COLUMN algorithm text");
    this.addSql("UPDATE ostiary.identity_credential SET algorithm = facts ->> 'algorithm'");
    this.addSql(
      "ALTER TABLE ostiary.identity_credential DROP COLUMN label, DROP COLUMN facts, DROP COLUMN last_used_at",
    );
    // What flows remember stays as it is: the version before takes them for flows at their beginning.
  }
}
