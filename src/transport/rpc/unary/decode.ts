import {
  type DescMessage,
  fromBinary,
  fromJsonString,
  type Message,
  type MessageShape,
  type Registry,
} from "@bufbuild/protobuf";
import { domainError } from "../../../domain/errors.ts";
import type { FieldViolation } from "../../../domain/field-violation.ts";
import { locateJsonError } from "./json-path.ts";

/** Throws REQUEST_MALFORMED if a message that was read from binary has an unknown field in a closed message. */
export type AssertClosed = (message: Message) => void;

/** How a message is written. */
export type Codec = "json" | "proto";

/** Up to which length JSON that cannot be read is read again, to name the field. */
const maxLocatedLength = 8 * 1024;

/** How many objects and arrays, or messages, may lie within each other. */
const maxNesting = 100;

// Strict, so that two texts never become the same by replacement characters; a byte-order mark is no JSON.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** How messages are read from binary: what is unknown is dropped. */
const binaryOptions = { readUnknownFields: false, recursionLimit: maxNesting };
/** The same for requests with closed messages: unknown fields are kept, so that they can be found. */
const closedBinaryOptions = { ...binaryOptions, readUnknownFields: true };

/** The options to read the requests of a method from binary; `closed` is the method's check, if it has one. */
export function binaryOptionsFor(closed: AssertClosed | undefined) {
  return closed === undefined ? binaryOptions : closedBinaryOptions;
}

/** How messages are read from JSON: what is unknown is refused. */
export const jsonOptions = { ignoreUnknownFields: false, recursionLimit: maxNesting };

/**
 * Reads a message. `jsonTypes`: what a google.protobuf.Any in JSON may hold; `closed`: the method's check for unknown fields
 * (closed-messages.ts). Throws REQUEST_MALFORMED for all that is wrong with it; for JSON of
 * at most 8 KiB a violation names the field.
 * What a client sent is never an internal error, so everything that decoding throws is taken as its mistake.
 */
export function decodeMessage<Desc extends DescMessage>(
  schema: Desc,
  codec: Codec,
  bytes: Uint8Array,
  jsonTypes: Registry | undefined,
  closed: AssertClosed | undefined,
): MessageShape<Desc> {
  return codec === "json" ? decodeJson(schema, bytes, jsonTypes) : decodeBinary(schema, bytes, closed);
}

/** The error of a request that cannot be read. */
export function malformed(
  message: string,
  violations: readonly FieldViolation[] = [],
  cause?: unknown,
): Error {
  return domainError("REQUEST_MALFORMED", {}, { message, violations, cause });
}

function decodeBinary<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
  closed: AssertClosed | undefined,
): MessageShape<Desc> {
  let message: MessageShape<Desc>;
  try {
    message = fromBinary(schema, bytes, binaryOptionsFor(closed));
  } catch (cause) {
    // The library's sentence may quote what was sent, which may be a secret: it goes no further than `cause`.
    throw malformed(`The request is not a ${schema.typeName} in Protobuf's binary form.`, [], cause);
  }
  closed?.(message);
  return message;
}

function decodeJson<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
  jsonTypes: Registry | undefined,
): MessageShape<Desc> {
  if (bytes.length === 0) throw malformed("The request has no body; an empty message is {}.");
  // Before anything that recurses, so that no depth can exhaust the stack.
  if (exceedsJsonDepth(bytes, maxNesting)) {
    throw malformed(`The JSON is nested deeper than ${maxNesting} levels.`);
  }
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (cause) {
    throw malformed("The body is not valid UTF-8.", [], cause);
  }
  let message: MessageShape<Desc>;
  try {
    message = fromJsonString(schema, text, { ...jsonOptions, registry: jsonTypes });
  } catch (cause) {
    // Security rule (SR-INPUT-1): what is refused does not cost more than what is served.
    if (text.length > maxLocatedLength) {
      throw malformed(
        `The request is not a ${schema.typeName} in its JSON form, and too long to say where.`,
        [],
        cause,
      );
    }
    const violation = locateJsonError(schema, text);
    if (violation === undefined) throw malformed("The body is not valid JSON.", [], cause);
    const where = violation.field === "" ? "The request" : `The field ${violation.field}`;
    throw malformed(`${where} ${violation.description}.`, [violation], cause);
  }
  if (hasVanishingNumber(text)) {
    throw malformed("The JSON has a number that is too small to be kept; write it as a string.");
  }
  return message;
}

const quote = 0x22;
const backslash = 0x5c;

/** Whether JSON text opens more than `limit` objects and arrays within each other. Knows nothing else of JSON. */
function exceedsJsonDepth(text: Uint8Array, limit: number): boolean {
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
