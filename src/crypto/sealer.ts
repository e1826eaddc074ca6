import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { isSameBytes } from "../domain/bytes.ts";
import type { Sealer } from "../domain/ports.ts";
import type { Secret } from "../domain/secret.ts";
import { createDerivedKeys, firstOf } from "./derived-keys.ts";

/**
 * Seals with AES-256-GCM. The first secret seals, all of them open, so that secrets rotate without losing what
 * was sealed before. The function is asked at each call, so that secrets read again from files take effect at
 * once; derived keys are kept for as long as the Secret object lives.
 *
 * Sealed text is the base64url form of: version (1 byte), key id (4), nonce (12), ciphertext, tag (16). The nonce
 * is random, which bounds one secret to about 2^32 seals for each purpose (NIST SP 800-38D, section 8.3).
 */
export function createSealer(secrets: () => readonly Secret[]): Sealer {
  const keyOf = createDerivedKeys(keyLength + keyIdLength, (derived): DerivedKey => {
    // RFC 5869: bytes of one HKDF output are independent of each other, so the id can be public and the key not.
    return { key: createSecretKey(derived.subarray(0, keyLength)), id: derived.subarray(keyLength) };
  });

  return {
    seal: (purpose, plain) => sealWith(keyOf(firstOf(secrets()), purpose), plain),
    open: (purpose, sealed) => {
      const bytes = decodeSealed(sealed);
      if (bytes === undefined) return undefined;
      // The id only picks the key; two secrets that share an id are both tried, and the tag decides.
      for (const secret of secrets()) {
        const key = keyOf(secret, purpose);
        if (!isSameBytes(key.id, bytes.subarray(1, nonceStart))) continue;
        const plain = openWith(key, bytes);
        if (plain !== undefined) return plain;
      }
      return undefined;
    },
  };
}

interface DerivedKey {
  readonly key: KeyObject;
  /** Tells which secret sealed a text, without telling anything about the key. */
  readonly id: Buffer;
}

const version = 1;
const keyLength = 32;
const keyIdLength = 4;
const nonceLength = 12;
const tagLength = 16;
const nonceStart = 1 + keyIdLength;
const headerLength = nonceStart + nonceLength;

function sealWith({ key, id }: DerivedKey, plain: Uint8Array): string {
  const header = Buffer.concat([Buffer.of(version), id, randomBytes(nonceLength)]);
  const cipher = createCipheriv("aes-256-gcm", key, header.subarray(nonceStart));
  cipher.setAAD(header);
  return Buffer.concat([header, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString(
    "base64url",
  );
}

function decodeSealed(sealed: string): Buffer | undefined {
  const bytes = Buffer.from(sealed, "base64url");
  if (bytes.length < headerLength + tagLength || bytes[0] !== version) return undefined;
  // Node skips what is not base64url; a text with such characters was changed, so it does not open.
  return bytes.toString("base64url") === sealed ? bytes : undefined;
}

function openWith({ key }: DerivedKey, bytes: Buffer): Buffer | undefined {
  const tagStart = bytes.length - tagLength;
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(nonceStart, headerLength), {
    authTagLength: tagLength,
  });
  decipher.setAAD(bytes.subarray(0, headerLength));
  decipher.setAuthTag(bytes.subarray(tagStart));
  const plain = decipher.update(bytes.subarray(headerLength, tagStart));
  try {
    return Buffer.concat([plain, decipher.final()]);
  } catch {
    // final() throws when the tag does not match: the text was changed or is not ours. Callers get undefined,
    // because a changed text is expected input, not a fault.
    return undefined;
  }
}
