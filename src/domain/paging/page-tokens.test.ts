import { describe, expect, test } from "vitest";
import { createSealer } from "../../crypto/sealer.ts";
import type { TenantId } from "../ids.ts";
import type { PageRequest } from "../ports.ts";
import { Secret } from "../secret.ts";
import { maxPageBytes } from "./page-bytes.ts";
import { type PagedList, PageTokens, readPage } from "./page-tokens.ts";

const secret = new Secret("a secret of the tests, long enough");
const sealer = createSealer(() => [secret]);
const pageTokens = new PageTokens({ sealer });
const list: PagedList = { tenantId: "tenant" as TenantId, name: "things", filters: { a: 1, b: ["x", "y"] } };

describe("a page token", () => {
  test("gives the position back", () => {
    const token = pageTokens.encode(list, ["2026", "id"]);
    expect(pageTokens.decode(list, token)).toEqual(["2026", "id"]);
    expect(token).toMatch(/^[\w-]+$/);
  });

  test("is empty at the end, and the empty one is the first page", () => {
    expect(pageTokens.encode(list, undefined)).toBe("");
    expect(pageTokens.decode(list, "")).toBeUndefined();
  });

  test("does not mind the order that filters are put together in", () => {
    const token = pageTokens.encode(list, ["id"]);
    expect(pageTokens.decode({ ...list, filters: { b: ["x", "y"], a: 1 } }, token)).toEqual(["id"]);
  });

  // Security rule (SR-TOKEN-1): a token of one list, tenant or filter opens no other.
  test.each<[string, PagedList]>([
    ["another tenant", { ...list, tenantId: "other" as TenantId }],
    ["another list", { ...list, name: "other things" }],
    ["another filter", { ...list, filters: { ...list.filters, a: 2 } }],
    ["one filter less", { ...list, filters: { a: 1 } }],
    ["another order of values", { ...list, filters: { a: 1, b: ["y", "x"] } }],
    ["an object in place of a list", { ...list, filters: { a: 1, b: { x: "y" } } }],
  ])("of %s is refused", (_name, other) => {
    const token = pageTokens.encode(other, ["id"]);
    expect(() => pageTokens.decode(list, token)).toThrow(
      expect.objectContaining({ reason: "PAGE_TOKEN_INVALID" }),
    );
  });

  test.each([
    ["made up", "abc"],
    ["sealed for another purpose", sealer.seal("idempotency", Buffer.from("{}"))],
    ["cut off", pageTokens.encode(list, ["id"]).slice(0, -1)],
  ])("that is %s is refused", (_name, token) => {
    expect(() => pageTokens.decode(list, token)).toThrow(
      expect.objectContaining({ reason: "PAGE_TOKEN_INVALID" }),
    );
  });
});

describe("readPage", () => {
  const positionOf = (item: string) => [item];

  async function sizeFor(size: number): Promise<number> {
    const asked: PageRequest[] = [];
    await readPage(pageTokens, list, { size, token: "" }, 500, async (request) => {
      asked.push(request);
      return { items: [], positionOf: () => [] };
    });
    return asked[0]?.size ?? 0;
  }

  test("takes 0 for 50 and too many for the most there may be", async () => {
    expect(await Promise.all([0, -1, 1, 50, 500, 501, 2 ** 31].map(sizeFor))).toEqual([
      50, 50, 1, 50, 500, 500, 500,
    ]);
  });

  test("walks a list from page to page until it ends", async () => {
    const all = ["a", "b", "c", "d", "e"];
    const seen: string[] = [];
    let token = "";
    do {
      const answer = await readPage(pageTokens, list, { size: 2, token }, 500, async ({ size, after }) => {
        const from = after === undefined ? 0 : all.indexOf(after[0] ?? "") + 1;
        const items = all.slice(from, from + size);
        const next = from + size < all.length ? items.slice(-1) : undefined;
        return { items, next, positionOf };
      });
      seen.push(...answer.items);
      token = answer.nextToken;
    } while (token !== "");
    expect(seen).toEqual(all);
  });

  test("ends a page before it is too large to be received, and leaves nothing out", async () => {
    const all = ["a", "b", "c", "d", "e"].map((letter) => letter.repeat(maxPageBytes / 2 - 100));
    const pages: number[] = [];
    const seen: string[] = [];
    let token = "";
    do {
      const answer = await readPage(pageTokens, list, { size: 500, token }, 500, async ({ after }) => {
        const from = after === undefined ? 0 : all.findIndex((item) => item[0] === after[0]) + 1;
        return { items: all.slice(from), positionOf: (item: string) => [item.slice(0, 1)] };
      });
      pages.push(answer.items.length);
      seen.push(...answer.items);
      token = answer.nextToken;
    } while (token !== "");
    expect(pages).toEqual([2, 2, 1]);
    expect(seen).toEqual(all);
  });

  test("measures what is shown of an item where the list says so", async () => {
    const all = ["a", "b", "c"].map((letter) => letter.repeat(maxPageBytes));
    const read = async () => ({ items: all, positionOf });
    const page = await readPage(pageTokens, list, { size: 500, token: "" }, 500, read, () => 1);
    expect(page).toEqual({ items: all, nextToken: "" });
  });
});
