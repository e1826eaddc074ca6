/** Telephone numbers in traits, as people of one country type them. */
import { nationalToE164, withCountryCode } from "../identifier/phone.ts";
import { isObject, type JsonObject, type JsonValue, valueAt } from "../json.ts";
import type { AnnotatedTrait } from "./collect-annotations.ts";
import type { TraitViolation } from "./compiled-schema.ts";
import { fieldsIn, type TraitField, type TraitList } from "./trait-fields.ts";

/**
 * Traits whose telephone numbers have their country code, so that what is stored means the same whatever the configuration will be.
 * Only numbers that a form has a field for are looked at.
 */
export function withCountryCodes(
  fields: readonly (TraitField | TraitList)[],
  traits: JsonObject,
  country: string,
): JsonObject {
  if (country === "") return traits;
  const read = (value: JsonValue) => (typeof value === "string" ? withCountryCode(value, country) : value);
  let whole: JsonValue = traits;
  for (const drawn of fields) {
    for (const { path, addressKind } of fieldsIn(drawn)) {
      if (addressKind !== "phone") continue;
      whole =
        drawn.kind === "list"
          ? mapAt(whole, drawn.path, (items) =>
              Array.isArray(items) ? items.map((item) => mapAt(item, path, read)) : items,
            )
          : mapAt(whole, path, read);
    }
  }
  return isObject(whole) ? whole : traits;
}

/** A value with another one at a path, if there is one there. */
function mapAt(
  value: JsonValue,
  [name, ...rest]: readonly string[],
  map: (value: JsonValue) => JsonValue,
): JsonValue {
  if (name === undefined) return map(value);
  const inner = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  if (!isObject(value) || inner === undefined) return value;
  const mapped = mapAt(inner, rest, map);
  return mapped === inner ? value : { ...value, [name]: mapped };
}

/**
 * Usernames that are telephone numbers of the country: to sign in with one means the number. A username that was there before
 * stays.
 *
 * Security rule (SR-OWNER-7): otherwise a person could take the number of another one as username.
 */
export function namesThatArePhones(
  annotated: readonly AnnotatedTrait[],
  before: JsonObject,
  country: string,
): readonly TraitViolation[] {
  const message = "must not look like a telephone number, unless it is a verified one of the same identity";
  return annotated
    .filter(({ annotation: { identifier } }) => identifier === "username" || identifier === "any")
    .filter(({ value, path }) => {
      const isNumber = typeof value === "string" && nationalToE164(value, country) !== undefined;
      return isNumber && valueAt(before, path) !== value;
    })
    .map(({ path }) => ({ path, rule: "identifier", message, params: { problem: "looks_like_phone" } }));
}
