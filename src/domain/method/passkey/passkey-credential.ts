/** A passkey as it is stored: looked up by the id of the credential, its public key as the secret part. */
import { randomBytes } from "node:crypto";
import type { Credential, CredentialSecret } from "../../identity/identity.ts";
import type { JsonObject, JsonValue } from "../../json.ts";
import type { PasskeySettings } from "../../tenant/tenant.ts";
import type { KnownPasskey } from "./options.ts";

/** What verifies a passkey. The public key is no secret. */
export interface PasskeyKey {
  readonly publicKey: string;
  /** The count of the last use; 0 where the authenticator does not count. */
  readonly counter: number;
}

/** The key of a stored passkey. */
export function keyOf({ secret }: Pick<CredentialSecret, "secret">): PasskeyKey {
  return JSON.parse(secret);
}

/** A key as it is stored. */
export function secretOf({ publicKey, counter }: PasskeyKey): string {
  return JSON.stringify({ publicKey, counter });
}

/** A passkey as options name it. */
export function knownPasskey({ lookupKey, facts }: Pick<Credential, "lookupKey" | "facts">): KnownPasskey {
  return { id: lookupKey, transports: textsOf(facts.transports) };
}

/**
 * The user handle of an account's passkeys: that of one that is there, else a new one. It is random, because an authenticator
 * tells it to anybody who has the device (WebAuthn level 3, section 14.6.1).
 */
export function userHandleOf(passkeys: readonly Credential[]): string {
  const known = passkeys.find(({ facts }) => typeof facts.user === "string")?.facts.user;
  return typeof known === "string" ? known : randomBytes(32).toString("base64url");
}

/**
 * What authenticators are told of the passkeys of an account, by their user handles (WebAuthn level 3, section 5.1.10).
 *
 * Security rule (SR-PASSKEY-11): an authenticator hides what a list leaves out, so it has all passkeys of the user handle. One whose
 * passkeys are all removed has an empty list.
 */
export function acceptedPasskeys(
  { rpId }: Pick<PasskeySettings, "rpId">,
  {
    name,
    credentials,
    former,
  }: {
    readonly name: string;
    readonly credentials: readonly Credential[];
    readonly former: readonly Credential[];
  },
): JsonObject[] {
  const handles = new Set(
    [...credentials, ...former].flatMap(({ facts: { user } }) => textsOf([user ?? null])),
  );
  return [...handles].map((userId) => ({
    ...{ rpId, userId, name, displayName: name },
    allAcceptedCredentialIds: credentials
      .filter(({ facts }) => facts.user === userId)
      .map(({ lookupKey }) => lookupKey),
  }));
}

function textsOf(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((text) => typeof text === "string") : [];
}
