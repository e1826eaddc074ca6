import type { CelInput } from "@bufbuild/cel";
import { joinFieldPath } from "../field-path.ts";
import { isObject, type JsonObject, type JsonValue } from "../json.ts";

/** A claim or an expression that gave nothing, and why. */
export interface LeftOut {
  /** As in `address.street`. */
  readonly path: string;
  /** A sentence without a full stop; has no value of a claim. */
  readonly reason: string;
}

/** The most items of a list, of a claim's and of one that an expression makes. */
export const maxItems = 256;
/** The most characters of a text, of a claim's and of one that an expression makes. */
export const maxTextLength = 4096;
const maxDepth = 16;
const maxValues = 2000;

/**
 * The claims as expressions see them, without those that are too large.
 *
 * Security rule (SR-MAP-2): a provider's claims are limited before an expression reads them. What is too large is left out as a
 * whole: half an email address is another address, and half a list of groups says something else.
 */
export function limitClaims(claims: JsonObject): {
  readonly claims: ReadonlyMap<string, CelInput>;
  readonly leftOut: readonly LeftOut[];
} {
  const leftOut: LeftOut[] = [];
  const taken = new Taker(leftOut).members(claims, []);
  return { claims: taken ?? new Map(), leftOut };
}

class Taker {
  readonly #leftOut: LeftOut[];
  #values = 0;

  constructor(leftOut: LeftOut[]) {
    this.#leftOut = leftOut;
  }

  /** Maps, because the library asks objects for their `constructor`, which a provider could send. */
  members(object: JsonObject, path: readonly string[]): ReadonlyMap<string, CelInput> | undefined {
    const members = new Map<string, CelInput>();
    for (const name of Object.keys(object)) {
      const value = this.#value(object[name], [...path, name]);
      if (value !== undefined) members.set(name, value);
    }
    return members;
  }

  #value(value: JsonValue | undefined, path: readonly string[]): CelInput | undefined {
    if (value === undefined) return undefined;
    this.#values += 1;
    if (this.#values > maxValues) return this.#leave(path, `there are more than ${maxValues} values`);
    if (typeof value === "string") {
      return value.length <= maxTextLength
        ? value
        : this.#leave(path, `it has more than ${maxTextLength} characters`);
    }
    if (typeof value !== "object" || value === null) return value;
    if (path.length > maxDepth) return this.#leave(path, `it is more than ${maxDepth} levels deep`);
    if (isObject(value)) {
      return Object.keys(value).length <= maxItems
        ? this.members(value, path)
        : this.#leave(path, `it has more than ${maxItems} members`);
    }
    if (value.length > maxItems) return this.#leave(path, `it has more than ${maxItems} items`);
    const items = value.map((item, index) => this.#value(item, [...path, String(index)]));
    const isWhole = (all: typeof items): all is CelInput[] => all.every((item) => item !== undefined);
    return isWhole(items) ? items : this.#leave(path, "an item of it was left out");
  }

  #leave(path: readonly string[], reason: string): undefined {
    // Bounded, because it is shown.
    if (this.#leftOut.length < 20) this.#leftOut.push({ path: joinFieldPath(path).slice(0, 256), reason });
    return undefined;
  }
}
