import { isObject } from "../../json.ts";
import type { MethodMemory } from "../method.ts";

/** A code that a flow waits for, as it is remembered: never the code itself. */
export interface SentCode {
  readonly digest: Uint8Array;
  readonly expiresAt: Date;
  /** From when on another one can be asked for. */
  readonly resendAt: Date;
}

/** The code that was sent; undefined if none was. */
export function sentCodeIn(memory: MethodMemory | undefined): SentCode | undefined {
  if (!isObject(memory?.sent)) return undefined;
  const { digest, expiresAt, resendAt } = memory.sent;
  return {
    digest: Buffer.from(String(digest), "base64url"),
    expiresAt: new Date(String(expiresAt)),
    resendAt: new Date(String(resendAt)),
  };
}
