import {
  create,
  type DescMessage,
  type MessageInitShape,
  type Registry,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import type { Call } from "../call.ts";
import type { Codec } from "./decode.ts";
import type { EncodedMessage } from "./wire.ts";

/** Encodes a message, or a part of one: a message of the same type with some of its fields. */
export function encodeMessage<Desc extends DescMessage>(
  schema: Desc,
  codec: Codec,
  message: MessageInitShape<Desc>,
  jsonTypes?: Registry,
): EncodedMessage {
  const whole = create(schema, message);
  return codec === "json" ? toJsonString(schema, whole, { registry: jsonTypes }) : toBinary(schema, whole);
}

/**
 * Answers a unary call with parts that are encoded already, so that what is the same for many calls is encoded once. Each part is what
 * `encodeMessage` gives for the answer's type and `call.codec`, and each field is in one part only. The handler returns the result of this
 * function, which is the message without its fields.
 */
export function answerWithParts(call: Call, parts: readonly EncodedMessage[]): Record<string, never> {
  call.encoded = call.codec === "json" ? joinJson(parts) : joinBinary(parts);
  return {};
}

/** The members of JSON objects, in one. */
function joinJson(parts: readonly EncodedMessage[]): string {
  let members = "";
  for (const part of parts) {
    if (typeof part !== "string") throw new TypeError("a part of a JSON answer is not JSON");
    if (part.length > emptyJson.length) members += `${members === "" ? "" : ","}${part.slice(1, -1)}`;
  }
  return `{${members}}`;
}

const emptyJson = "{}";

/** Messages in Protobuf's binary form, one after the other, are one message with the fields of all. */
function joinBinary(parts: readonly EncodedMessage[]): Uint8Array {
  const [first] = parts;
  if (parts.length === 1 && first instanceof Uint8Array) return first;
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === "string") throw new TypeError("a part of a binary answer is not binary");
      return part;
    }),
  );
}
