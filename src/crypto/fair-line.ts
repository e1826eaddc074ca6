/**
 * A line of those who wait, in which everybody gets their turn, however many others somebody else sends. The path of each says whom it
 * stands for, from the outside in (tenant, address, account): at each level those who are there take turns, and within one of the
 * innermost it is first come first served.
 */
export class FairLine<T> {
  readonly #root: Group<T> = new Map();
  #length = 0;

  /** Number of those who wait. */
  get length(): number {
    return this.#length;
  }

  /** Adds one at the end of its group. Returns what takes it out again; without effect once it had its turn. */
  add(path: readonly [string, ...string[]], item: T): () => void {
    const place = { item };
    placesOf(this.#root, path).add(place);
    this.#length++;
    return () => {
      if (remove(this.#root, path, place)) this.#length--;
    };
  }

  /** Takes the next one out; undefined if nobody waits. */
  take(): T | undefined {
    const place = takeFrom(this.#root);
    if (place !== undefined) this.#length--;
    return place?.item;
  }
}

interface Place<T> {
  readonly item: T;
}

/** Groups are in the order of their turns: the first key is next. None is empty. */
type Group<T> = Map<string, Group<T> | Set<Place<T>>>;

function placesOf<T>(group: Group<T>, [key, ...rest]: readonly string[]): Set<Place<T>> {
  if (key === undefined) throw new Error("all paths of a line are of one length");
  const [next] = rest;
  let inner = group.get(key);
  if (inner === undefined) {
    inner = next === undefined ? new Set() : new Map();
    group.set(key, inner);
  }
  return inner instanceof Set ? inner : placesOf(inner, rest);
}

function takeFrom<T>(group: Group<T>): Place<T> | undefined {
  const [first] = group;
  if (first === undefined) return undefined;
  const [key, inner] = first;
  const place = inner instanceof Set ? firstOf(inner) : takeFrom(inner);
  // The others come before it gets its next turn.
  group.delete(key);
  if (inner.size > 0) group.set(key, inner);
  return place;
}

function firstOf<T>(places: Set<Place<T>>): Place<T> | undefined {
  const [place] = places;
  if (place !== undefined) places.delete(place);
  return place;
}

function remove<T>(group: Group<T>, [key = "", ...rest]: readonly string[], place: Place<T>): boolean {
  const inner = group.get(key);
  if (inner === undefined) return false;
  const removed = inner instanceof Set ? inner.delete(place) : remove(inner, rest, place);
  if (inner.size === 0) group.delete(key);
  return removed;
}
