import { createHash } from "node:crypto";
import { domainError } from "../errors.ts";
import type { TenantId } from "../ids.ts";
import { canonicalJson, type JsonObject } from "../json.ts";
import type { Page, PageRequest, Sealer } from "../ports.ts";
import { countThatFits, encodedBytes } from "./page-bytes.ts";

/** The size of a page when none is asked for. */
const defaultPageSize = 50;

/** A list, with everything that a page token of it is bound to. */
export interface PagedList {
  readonly tenantId: TenantId;
  readonly name: string;
  readonly filters: JsonObject;
}

/** The page that a caller asks for. */
export interface PageAsk {
  /** 0: 50. */
  readonly size: number;
  /** Empty: the first page. */
  readonly token: string;
}

/** A page for a caller. */
export interface PageAnswer<T> {
  readonly items: readonly T[];
  /** Empty on the last page. */
  readonly nextToken: string;
}

/**
 * Makes and reads page tokens. They are sealed, so that no client depends on their content, and bound to the
 * tenant, the list and its filters, so that one is never taken for another's.
 */
export class PageTokens {
  readonly #sealer: Sealer;

  constructor({ sealer }: { readonly sealer: Sealer }) {
    this.#sealer = sealer;
  }

  /** The token of the next page; empty where there is none. */
  encode(list: PagedList, next: readonly string[] | undefined): string {
    if (next === undefined) return "";
    return this.#sealer.seal(purpose, Buffer.from(JSON.stringify({ list: digestOf(list), next })));
  }

  /**
   * The position to go on from; undefined for the empty token, which is the first page. Throws PAGE_TOKEN_INVALID for
   * what is no token of this list with these filters.
   */
  decode(list: PagedList, token: string): readonly string[] | undefined {
    if (token === "") return undefined;
    const content = this.#sealer.open(purpose, token);
    if (content === undefined) throw domainError("PAGE_TOKEN_INVALID", {});
    // Sealed by us, so its form needs no checking.
    const parsed = JSON.parse(Buffer.from(content).toString()) as { list: string; next: readonly string[] };
    if (parsed.list !== digestOf(list)) throw domainError("PAGE_TOKEN_INVALID", {});
    return parsed.next;
  }
}

/**
 * Reads one page of a list as a caller asks for it, with at most `maxSize` items. A page that would be larger than a client can
 * receive ends earlier. `bytesOf` counts the bytes of an item if not all of it is shown. Throws PAGE_TOKEN_INVALID.
 */
export async function readPage<T>(
  pageTokens: PageTokens,
  list: PagedList,
  ask: PageAsk,
  maxSize: number,
  read: (request: PageRequest) => Promise<Page<T>>,
  bytesOf: (item: T) => number = encodedBytes,
): Promise<PageAnswer<T>> {
  const after = pageTokens.decode(list, ask.token);
  const size = Math.min(ask.size <= 0 ? defaultPageSize : ask.size, maxSize);
  const page = await read({ size, after });
  const items = page.items.slice(0, countThatFits(page.items, bytesOf));
  const last = items.at(-1);
  const isCut = last !== undefined && items.length < page.items.length;
  const next = isCut ? page.positionOf(last) : page.next;
  return { items, nextToken: pageTokens.encode(list, next) };
}

const purpose = "page_token";

function digestOf({ tenantId, name, filters }: PagedList): string {
  const content = canonicalJson([tenantId, name, filters]);
  return createHash("sha256").update(content).digest("base64url");
}
