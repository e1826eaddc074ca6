import { timingSafeEqual } from "node:crypto";

/** Whether two byte strings are equal. Takes the same time wherever they differ, so it may compare secrets. */
export function isSameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Bytes as hexadecimal digits, for example as the key of a map. */
export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Whether two texts are equal, as `isSameBytes`. */
export function isSameText(left: string, right: string): boolean {
  return isSameBytes(Buffer.from(left), Buffer.from(right));
}
