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

/**
 * Whether JSON text, which is valid, has a number that becomes zero as a double although it is none (`1e-999`). What is
 * too large needs no look at the text: it becomes infinite, or a whole number that the rules refuse. Linear in the text.
 */
export function hasVanishingNumber(text: string): boolean {
  if (!maybeVanishing.test(text)) return false;
  for (let index = 0; index < text.length; index++) {
    const character = text.charCodeAt(index);
    if (character === quote) index = endOfText(text, index + 1);
    else if (isNumeric(character)) {
      const start = index;
      while (isNumeric(text.charCodeAt(index + 1))) index++;
      if (vanishes(text.slice(start, index + 1))) return true;
    }
  }
  return false;
}

// The least double is about 5e-324: an exponent of three digits, or 200 zeros before one of two. Nearly no text has
// either, not even within its strings.
const maybeVanishing = /[eE]-[0-9]{3}|\.0{200}/;

function vanishes(number: string): boolean {
  return Number(number) === 0 && /^[^eE]*[1-9]/.test(number);
}

/** Whether a character of JSON outside of strings can be part of a number: digits, signs, the point, e and E. */
function isNumeric(character: number): boolean {
  return (
    (character >= 0x30 && character <= 0x39) ||
    character === 0x2d ||
    character === 0x2b ||
    character === 0x2e ||
    character === 0x65 ||
    character === 0x45
  );
}

function endOfText(text: string, start: number): number {
  let index = start;
  while (index < text.length && text.charCodeAt(index) !== quote) {
    index += text.charCodeAt(index) === backslash ? 2 : 1;
  }
  return index;
}
