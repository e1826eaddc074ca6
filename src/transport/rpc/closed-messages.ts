import { type DescField, type DescMessage, getOption, type Message } from "@bufbuild/protobuf";
import { message as messageOption } from "../../../gen/ostiary/option/v1/message_option_pb.js";
import { type AssertClosed, malformed } from "./unary/decode.ts";

/** An unknown field: the path of the message that has it, and its number. */
interface UnknownField {
  readonly path: string;
  readonly typeName: string;
  readonly number: number;
}

/** Finds the first unknown field within closed messages. */
type Find = (message: Message) => UnknownField | undefined;

/**
 * The check of a request that is a closed message or has one within it: `(ostiary.option.v1.message).closed`. Undefined for all
 * other requests, which are read without their unknown fields. JSON needs no check, because all unknown fields are refused
 * there.
 *
 * Security rule (SR-SESSION-4): a field that an older server does not know must not let more through than was asked for. So it is refused, in
 * the closed message and in all messages within it.
 */
export function closedCheckOf(schema: DescMessage): AssertClosed | undefined {
  if (!reachesClosed(schema)) return undefined;
  const find = finderOf(schema, false, new Map());
  return (message) => {
    const found = find(message);
    if (found === undefined) return;
    const { path, typeName, number } = found;
    const description = `has the field number ${number}, which is unknown in ${typeName}`;
    const where = path === "" ? "The request" : `The field ${path}`;
    throw malformed(`${where} ${description}.`, [{ field: path, description, reason: "UNKNOWN_FIELD" }]);
  };
}

function isClosed(schema: DescMessage): boolean {
  return getOption(schema, messageOption).closed;
}

function reachesClosed(schema: DescMessage, seen = new Set<DescMessage>()): boolean {
  if (isClosed(schema)) return true;
  if (seen.has(schema)) return false;
  seen.add(schema);
  return schema.fields.some(({ message }) => message !== undefined && reachesClosed(message, seen));
}

/** Makes the search once for each method, so that a call visits only the fields that hold messages. */
function finderOf(schema: DescMessage, within: boolean, made: Map<string, Find>): Find {
  const closed = within || isClosed(schema);
  const key = `${closed} ${schema.typeName}`;
  const known = made.get(key);
  if (known !== undefined) return known;
  const parts: { readonly field: DescField; readonly find: Find }[] = [];
  const find: Find = (message) => {
    const [unknown] = closed ? (message.$unknown ?? []) : [];
    if (unknown !== undefined) return { path: "", typeName: schema.typeName, number: unknown.no };
    for (const part of parts) {
      const found = findInField(message, part.field, part.find);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  // Before its fields are visited, because a message may contain itself.
  made.set(key, find);
  for (const field of schema.fields) {
    if (field.message === undefined || !(closed || reachesClosed(field.message))) continue;
    parts.push({ field, find: finderOf(field.message, closed, made) });
  }
  return find;
}

function findInField(message: Message, field: DescField, find: Find): UnknownField | undefined {
  const value = setValueOf(message, field);
  if (value === undefined) return undefined;
  if (field.fieldKind !== "list" && field.fieldKind !== "map") return findAt(value, field.jsonName, find);
  for (const [key, item] of Object.entries(value)) {
    const found = findAt(item, `${field.jsonName}.${key}`, find);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The value of a field as Protobuf-ES stores it; of a oneof, only the alternative that is set. */
function setValueOf(message: Message, { oneof, localName }: DescField): object | undefined {
  const fields = message as unknown as Record<string, object | undefined>;
  if (oneof === undefined) return fields[localName];
  const set = fields[oneof.localName] as { readonly case?: string; readonly value?: object } | undefined;
  return set?.case === localName ? set.value : undefined;
}

function findAt(value: object, name: string, find: Find): UnknownField | undefined {
  // A google.protobuf.Struct is stored as JSON, which has no unknown fields.
  if (typeof value !== "object" || !("$typeName" in value)) return undefined;
  const found = find(value as Message);
  return found && { ...found, path: found.path === "" ? name : `${name}.${found.path}` };
}
