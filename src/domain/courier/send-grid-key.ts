import { createPublicKey, type KeyObject } from "node:crypto";

/** The verification key of SendGrid's signed webhook: the base64 form of an ECDSA key on P-256; undefined if it is none. */
export function readSendGridKey(text: string): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(text, "base64"), format: "der", type: "spki" });
    const { namedCurve } = key.asymmetricKeyDetails ?? {};
    return key.asymmetricKeyType === "ec" && namedCurve === "prime256v1" ? key : undefined;
  } catch {
    return undefined;
  }
}
