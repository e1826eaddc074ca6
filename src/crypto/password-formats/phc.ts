/**
 * Decodes base64 strictly: standard alphabet, padding there or not, no stray bits or characters. Undefined
 * otherwise, or if the bytes are fewer than `min` or more than `max`. Buffer.from alone would skip what it does
 * not know, and two different texts would be the same hash.
 */
export function decodeBase64(text: string, min: number, max: number): Buffer | undefined {
  const unpadded = text.replace(/={1,2}$/, "");
  if (unpadded !== text && text.length % 4 !== 0) return undefined;
  const bytes = Buffer.from(unpadded, "base64");
  if (bytes.length < min || bytes.length > max) return undefined;
  return encodeBase64(bytes) === unpadded ? bytes : undefined;
}

/** Encodes base64 as the PHC string format asks for: standard alphabet, no padding. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replaceAll("=", "");
}

/**
 * Reads `name=number,name=number` with the names of the list in any order, each once, the optional ones maybe
 * not. Undefined otherwise. Numbers are decimal without leading zeros and at most ten digits.
 */
export function readParameters<Name extends string, Optional extends string = never>(
  text: string,
  required: readonly Name[],
  optional: readonly Optional[] = [],
): (Readonly<Record<Name, number>> & Readonly<Partial<Record<Optional, number>>>) | undefined {
  const values = new Map<string, number>();
  const names: readonly string[] = [...required, ...optional];
  for (const part of text.split(",", names.length + 1)) {
    const [, name, digits] = /^([a-z]{1,8})=(0|[1-9][0-9]{0,9})$/.exec(part) ?? [];
    if (name === undefined || !names.includes(name) || values.has(name)) return undefined;
    values.set(name, Number(digits));
  }
  if (!required.every((name) => values.has(name))) return undefined;
  // Each required name was just seen to be there.
  return Object.fromEntries(values) as Record<Name, number> & Partial<Record<Optional, number>>;
}
