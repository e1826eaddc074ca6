import { Migration } from "@mikro-orm/migrations";

/**
 * Adds an id to each credential, by which it is named and deleted: a random UUIDv7. An existing credential has the time of its
 * creation in it. Null: an earlier release wrote the credential.
 */
export class CredentialIds extends Migration {
  override up(): void {
    this.addSql("ALTER TABLE ostiary.identity_credential ADD COLUMN id uuid");
    this.addSql(`UPDATE ostiary.identity_credential SET id = ${uuidV7("created_at")}`);
  }

  override down(): void {
    this.addSql("ALTER TABLE ostiary.identity_credential DROP COLUMN id");
  }
}

/** A UUIDv7 (RFC 9562, section 5.7): a random UUID with the time in its first 48 bits, and the version 7 in place of 4. */
function uuidV7(time: string): string {
  const milliseconds = `substring(int8send(floor(extract(epoch FROM ${time}) * 1000)::bigint) FROM 3)`;
  const timed = `overlay(uuid_send(gen_random_uuid()) PLACING ${milliseconds} FROM 1 FOR 6)`;
  return `encode(set_bit(set_bit(${timed}, 52, 1), 53, 1), 'hex')::uuid`;
}
