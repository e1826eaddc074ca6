const quote = 0x22;
const backslash = 0x5c;

/** Whether JSON text opens more than `limit` objects and arrays within each other. Knows nothing else of JSON. */
export function exceedsJsonDepth(text: Uint8Array, limit: number): boolean {
  // Each level costs a byte, so nearly all requests are too short to be deep.
  if (text.length <= limit) return false;
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    switch (text[index]) {
      case quote:
        index = endOfString(text, index + 1);
        break;
      case 0x7b: // {
      case 0x5b: // [
        if (++depth > limit) return true;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        depth--;
        break;
      default:
    }
  }
  return false;
}

function endOfString(text: Uint8Array, start: number): number {
  let index = start;
  while (index < text.length && text[index] !== quote) index += text[index] === backslash ? 2 : 1;
  return index;
}
