import { canonicalJson, isObject, type JsonObject, type JsonValue, valueAt } from "../json.ts";
import type { KeyedDigests } from "../ports.ts";
import { isSameJson } from "./merge-patch.ts";

/** The traits of an identity. */
interface TraitsOf {
  readonly id: string;
  readonly traits: JsonObject;
}

const pathLength = 6;
const valueLength = 8;
const entryLength = pathLength + valueLength;

/**
 * The most values that an etag tells apart. Beyond that it tells apart only the traits at the top, and beyond that only the
 * whole.
 */
const mostEntries = 192;

/** The first byte of an etag: what it tells apart. */
const layouts = { values: 1, top: 2, whole: 3 } as const;
type Layout = keyof typeof layouts;

/**
 * Makes etags of traits, which hold a digest of each value. So a later change can be compared with the traits at that time,
 * trait by trait. Nothing is stored, so a form that was drawn twice has two etags, and both are valid.
 *
 * Security rule (SR-SETTINGS-5): the digests are keyed, so that a trait cannot be found out from an etag. An etag protects from accidental
 * overwriting and is no access check: without an etag a change is made to the present traits.
 */
export class TraitsEtags {
  readonly #digests: KeyedDigests;

  constructor({ digests }: { readonly digests: KeyedDigests }) {
    this.#digests = digests;
  }

  /** The etag of the traits. The same each time, until the sealing secrets rotate. */
  make(of: TraitsOf): string {
    const { layout, entries } = entriesOf(of.traits);
    const digests = entries.map(([path, value]) => {
      const name = JSON.stringify([of.id, path]);
      return Buffer.concat([this.#pathDigest(name), this.#valueDigest(name, value)]);
    });
    return Buffer.concat([Buffer.of(layouts[layout]), ...digests]).toString("base64url");
  }

  /**
   * The paths of a merge patch at which the traits have changed since the etag was made, unless they have already the value
   * that the patch sets. With an etag that cannot be read it is every path of the patch.
   */
  changedSince(etag: string, of: TraitsOf, patch: JsonObject): readonly (readonly string[])[] {
    const then = readEtag(etag);
    return leavesOf(patch).flatMap(([path, value]) => {
      const now = valueAt(of.traits, path);
      const isThere = isObject(value) ? isObject(now) : isSameJson(now ?? null, value);
      if (isThere && replacedBy(path, of.traits).length === 0) return [];
      const isSame =
        then !== undefined &&
        placesToCompare(then.layout, of.traits, path).every((place) => {
          const there = valueAt(of.traits, place);
          const placeName = JSON.stringify([of.id, place]);
          const was = then.values.get(this.#pathDigest(placeName).toString("hex"));
          return (
            was === (there === undefined ? undefined : this.#valueDigest(placeName, there).toString("hex"))
          );
        });
      return isSame ? [] : [path];
    });
  }

  #pathDigest(name: string): Buffer {
    return Buffer.from(this.#digests.make("traits etag path", name)).subarray(0, pathLength);
  }

  #valueDigest(name: string, value: JsonValue): Buffer {
    const text = `${name}${canonicalJson(value)}`;
    return Buffer.from(this.#digests.make("traits etag value", text)).subarray(0, valueLength);
  }
}

function readEtag(etag: string): { layout: Layout; values: ReadonlyMap<string, string> } | undefined {
  const bytes = Buffer.from(etag, "base64url");
  const layout = (Object.keys(layouts) as Layout[]).find((name) => layouts[name] === bytes[0]);
  if (layout === undefined || (bytes.length - 1) % entryLength !== 0) return undefined;
  const values = new Map<string, string>();
  for (let start = 1; start < bytes.length; start += entryLength) {
    const value = start + pathLength;
    values.set(bytes.toString("hex", start, value), bytes.toString("hex", value, start + entryLength));
  }
  return { layout, values };
}

/**
 * The paths that must be unchanged for a patch to set a path: the path itself, and a value on the way to it that is no object,
 * because the patch would replace that value.
 */
function placesToCompare(
  layout: Layout,
  traits: JsonObject,
  path: readonly string[],
): readonly (readonly string[])[] {
  if (layout === "whole") return [[]];
  if (layout === "top") return [path.slice(0, 1)];
  return [...replacedBy(path, traits), path];
}

/** The path of a value on the way to a path that is no object; setting the path replaces that value. */
function replacedBy(path: readonly string[], traits: JsonObject): readonly (readonly string[])[] {
  const onTheWay = path.slice(1).map((_, index) => path.slice(0, index + 1));
  return onTheWay.filter((place) => {
    const there = valueAt(traits, place);
    return there !== undefined && !isObject(there);
  });
}

type Entry = readonly [path: readonly string[], value: JsonValue];

function entriesOf(traits: JsonObject): { layout: Layout; entries: readonly Entry[] } {
  const all = entriesIn(traits);
  if (all.length <= mostEntries) return { layout: "values", entries: all };
  const top = all.filter(([path]) => path.length === 1);
  if (top.length <= mostEntries) return { layout: "top", entries: top };
  return { layout: "whole", entries: [[[], traits]] };
}

/** Every value with its path, also objects and their members, but not the items of lists, which a patch replaces whole. */
function entriesIn(object: JsonObject, path: readonly string[] = []): readonly Entry[] {
  return Object.entries(object).flatMap(([name, value]): readonly Entry[] => {
    const inner = [...path, name];
    return [[inner, value], ...(isObject(value) ? entriesIn(value, inner) : [])];
  });
}

/**
 * The values that a merge patch sets or removes. An object without members counts, because it replaces a value that is no
 * object.
 */
function leavesOf(patch: JsonObject, path: readonly string[] = []): readonly Entry[] {
  return Object.entries(patch).flatMap(([name, value]): readonly Entry[] => {
    const inner = [...path, name];
    const isWithin = isObject(value) && Object.keys(value).length > 0;
    return isWithin ? leavesOf(value, inner) : [[inner, value]];
  });
}
