/**
 * Does the work for each item of a stream, at most `limit` at a time, and gives the results in the order of the items.
 * Nothing is taken from the stream before a result can be taken from here: whoever does not read holds `limit` results in
 * memory and no more. A result is given as soon as it is its turn, also while the stream waits for its next item.
 *
 * What fails, the stream or the work, is thrown after the results of all items before it.
 */
export async function* mapInOrder<Item, Result>(
  items: AsyncIterable<Item>,
  limit: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, undefined> {
  const iterator = items[Symbol.asyncIterator]();
  const underWay: Promise<Settled<Result>>[] = [];
  let taking: Promise<Taken<Item>> | undefined;
  let end: Taken<Item> | undefined;
  try {
    for (;;) {
      if (end === undefined && underWay.length < limit) taking ??= take(iterator);
      const [first] = underWay;
      const news = await nextOf(first, taking);
      if (news === undefined) break;
      if (news.kind === "result") {
        void underWay.shift();
        yield news.value;
      } else if (news.kind === "item") {
        taking = undefined;
        underWay.push(settle(work(news.item)));
      } else if (news.kind === "ended") {
        taking = undefined;
        end = news;
      } else throw news.error;
    }
    if (end?.kind === "ended" && end.failure !== undefined) throw end.failure.error;
  } finally {
    // Not awaited: it would wait for a read that is still under way.
    if (end === undefined) iterator.return?.().catch(() => {});
  }
}

type Taken<Item> =
  | { readonly kind: "item"; readonly item: Item }
  | { readonly kind: "ended"; readonly failure: { readonly error: unknown } | undefined };

type Settled<Result> =
  | { readonly kind: "result"; readonly value: Result }
  | { readonly kind: "failed"; readonly error: unknown };

/** Whichever comes first; undefined if there is nothing to wait for. */
function nextOf<Item, Result>(
  first: Promise<Settled<Result>> | undefined,
  taking: Promise<Taken<Item>> | undefined,
): Promise<Settled<Result> | Taken<Item> | undefined> {
  const awaited = [first, taking].filter((promise) => promise !== undefined);
  return awaited.length === 0 ? Promise.resolve(undefined) : Promise.race(awaited);
}

// Neither rejects: nobody may be waiting for it when it is known.

async function take<Item>(iterator: AsyncIterator<Item>): Promise<Taken<Item>> {
  try {
    const next = await iterator.next();
    return next.done === true ? { kind: "ended", failure: undefined } : { kind: "item", item: next.value };
  } catch (error) {
    return { kind: "ended", failure: { error } };
  }
}

async function settle<Result>(work: Promise<Result>): Promise<Settled<Result>> {
  try {
    return { kind: "result", value: await work };
  } catch (error) {
    return { kind: "failed", error };
  }
}
