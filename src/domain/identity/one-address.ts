import { joinFieldPath } from "../field-path.ts";
import { normaliseIdentifier } from "../identifier/normalise.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import type { AnnotatedTrait } from "./collect-annotations.ts";

/**
 * Traits without any address but one: what can be verified or recovers, and is not that address, is taken out, also where the
 * schema asks for it. `removed` has the joined paths of what went.
 */
export function withOneAddress(
  traits: JsonObject,
  annotated: readonly AnnotatedTrait[],
  address: string,
): { readonly traits: JsonObject; readonly removed: ReadonlySet<string> } {
  const removed = new Set(
    annotated
      .filter(({ annotation }) => annotation.verifiable !== undefined || annotation.recovery !== undefined)
      .filter(({ value }) => !isAddress(value, address))
      .map(({ path }) => joinFieldPath(path)),
  );
  return { traits: withoutPaths(traits, [], removed), removed };
}

function isAddress(value: JsonValue, address: string): boolean {
  if (typeof value !== "string") return false;
  const normalised = normaliseIdentifier(value);
  return normalised.kind !== "problem" && normalised.value === address;
}

function withoutPaths(object: JsonObject, path: readonly string[], removed: ReadonlySet<string>): JsonObject {
  const kept = Object.entries(object).filter(([name]) => !removed.has(joinFieldPath([...path, name])));
  return Object.fromEntries(kept.map(([name, value]) => [name, cleared(value, [...path, name], removed)]));
}

function cleared(value: JsonValue, path: readonly string[], removed: ReadonlySet<string>): JsonValue {
  if (Array.isArray(value)) {
    return value.flatMap((item: JsonValue, index) => {
      const place = [...path, String(index)];
      return removed.has(joinFieldPath(place)) ? [] : [cleared(item, place, removed)];
    });
  }
  return typeof value === "object" && value !== null
    ? withoutPaths(value as JsonObject, path, removed)
    : value;
}
