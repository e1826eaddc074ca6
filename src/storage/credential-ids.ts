/**
 * The id of a new credential, as SQL: a UUIDv7 (RFC 9562, section 5.7), which is a random UUID with the time in its first 48
 * bits and the version 7 in place of 4. `at` is a parameter. The statement makes the id, because not every row of it becomes a
 * credential.
 */
export function newCredentialId(at: string): string {
  const milliseconds = `substring(int8send(floor(extract(epoch FROM ${at}::timestamptz) * 1000)::bigint) FROM 3)`;
  const timed = `overlay(uuid_send(gen_random_uuid()) PLACING ${milliseconds} FROM 1 FOR 6)`;
  return `encode(set_bit(set_bit(${timed}, 52, 1), 53, 1), 'hex')::uuid`;
}
