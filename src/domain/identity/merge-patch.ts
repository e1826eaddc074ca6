/** Changes of traits as JSON merge patches (RFC 7396). */
import { canonicalJson, isObject, type JsonObject, type JsonValue } from "../json.ts";

/**
 * Traits that are to change, and what they were. A change that waits, for a code or for a fresh login, is made on what the
 * account holds by then: only what is still as it was is changed.
 */
export interface TraitsChange {
  /** A merge patch, of what really changes alone. */
  readonly patch: JsonObject;
  /** The merge patch that takes it back. */
  readonly undo: JsonObject;
}

/**
 * The document after a merge patch: what is left out stays, null removes, an object is merged member by member, anything else
 * is replaced whole (RFC 7396, section 2). Neither document is changed. The depth of both must be bounded by the caller.
 */
export function mergePatch(document: JsonValue | undefined, patch: JsonObject): JsonObject {
  // Not by assignment, which a member named `__proto__` would turn into something else.
  const members = new Map(isObject(document) ? Object.entries(document) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) members.delete(name);
    else members.set(name, isObject(value) ? mergePatch(members.get(name), value) : value);
  }
  return Object.fromEntries(members);
}

/** The patches that turn one document into the other, and back. */
export function changeBetween(before: JsonObject, after: JsonObject): TraitsChange {
  return { patch: patchBetween(before, after), undo: patchBetween(after, before) };
}

/**
 * The part of a change that can still be made: of what is as it was. Security rule (SR-SETTINGS-3): a change that waited puts nothing back
 * that somebody else has changed meanwhile.
 */
export function changeableNow({ patch, undo }: TraitsChange, now: JsonObject): JsonObject {
  const members: [string, JsonValue][] = [];
  for (const [name, value] of Object.entries(patch)) {
    const was = memberOf(undo, name) ?? null;
    const is = memberOf(now, name) ?? null;
    if (isObject(value) && isObject(was)) {
      const inner = isObject(is) ? changeableNow({ patch: value, undo: was }, is) : {};
      if (Object.keys(inner).length > 0) members.push([name, inner]);
    } else if (isSameJson(was, is)) {
      members.push([name, value]);
    }
  }
  return Object.fromEntries(members);
}

/** Whether two values are equal; the order of members does not count. */
export function isSameJson(one: JsonValue, other: JsonValue): boolean {
  return canonicalJson(one) === canonicalJson(other);
}

function patchBetween(from: JsonObject, to: JsonObject): JsonObject {
  const members: [string, JsonValue][] = [];
  for (const name of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const [old, value] = [memberOf(from, name), memberOf(to, name)];
    if (value === undefined) members.push([name, null]);
    else if (old === undefined || !isSameJson(old, value)) {
      members.push([name, isObject(old) && isObject(value) ? patchBetween(old, value) : value]);
    }
  }
  return Object.fromEntries(members);
}

function memberOf(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
