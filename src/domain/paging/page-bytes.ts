/**
 * The most bytes of a page, independent of the page size, because gRPC clients refuse an answer of more than 4 MiB by default.
 */
export const maxPageBytes = 3 * 1024 * 1024;

/**
 * An upper bound of the bytes that an item needs in an answer, encoded as Protobuf, so that a page is not encoded twice. The
 * item is counted as a `google.protobuf.Value`, as traits and metadata are. Our own messages are smaller, because their fields
 * have numbers for names. The length as JSON would be too small: 0 is one byte there, and nine in a Value.
 */
export function encodedBytes(value: unknown): number {
  switch (typeof value) {
    case "string":
      return delimited(Buffer.byteLength(value));
    case "object":
      return objectBytes(value);
    case "boolean":
    case "undefined":
      return 2;
    default:
      return 11;
  }
}

function objectBytes(value: object | null): number {
  if (value === null) return 2;
  // A Timestamp.
  if (value instanceof Date) return 18;
  if (value instanceof Uint8Array) return delimited(value.length);
  if (Array.isArray(value)) {
    return delimited(value.reduce((sum: number, item) => sum + delimited(encodedBytes(item)), 0));
  }
  const entries = Object.entries(value).map(([name, member]) =>
    delimited(delimited(Buffer.byteLength(name)) + delimited(encodedBytes(member))),
  );
  return delimited(entries.reduce((sum, bytes) => sum + bytes, 0));
}

/** The bytes of a field with a length: tag, length and content. */
function delimited(bytes: number): number {
  return bytes + (bytes < 0x80 ? 2 : bytes < 0x4000 ? 3 : bytes < 0x200000 ? 4 : 6);
}

/** The number of items that fit into a page: at least one, so that each page goes on in the list. */
export function countThatFits<T>(items: readonly T[], bytesOf: (item: T) => number): number {
  let total = 0;
  for (const [index, item] of items.entries()) {
    total += bytesOf(item);
    if (total > maxPageBytes) return Math.max(1, index);
  }
  return items.length;
}
