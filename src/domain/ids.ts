/** Branded ids: a string of one kind cannot be passed where another is meant. */
declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

export type TenantId = Branded<"TenantId">;
export type IdentityId = Branded<"IdentityId">;
export type CredentialId = Branded<"CredentialId">;
export type SessionId = Branded<"SessionId">;
export type ApiKeyId = Branded<"ApiKeyId">;
export type EventId = Branded<"EventId">;
export type InvitationId = Branded<"InvitationId">;
export type MessageId = Branded<"MessageId">;
export type RequiredActionId = Branded<"RequiredActionId">;

/**
 * Makes a UUIDv7 (RFC 9562, section 5.7): 48 bits of milliseconds, then 74 random bits, so that ids sort by the
 * time they were made and cannot be guessed. With bytes in the place of the random ones it is the same id each time.
 */
export function newId<Id extends string>(now: Date, random?: Uint8Array): Id {
  const bytes = random === undefined ? crypto.getRandomValues(new Uint8Array(16)) : Uint8Array.from(random);
  let milliseconds = now.getTime();
  for (let index = 5; index >= 0; index--) {
    bytes[index] = milliseconds % 256;
    milliseconds = Math.floor(milliseconds / 256);
  }
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join(
    "-",
  ) as Id;
}
