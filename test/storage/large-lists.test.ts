import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/domain/json.ts";
import { maxPageBytes } from "../../src/domain/paging/page-bytes.ts";
import type { Page, PageRequest } from "../../src/domain/ports.ts";
import { afterNoon, anEvent, anIdentityNamed, anInvitation } from "../support/records.ts";
import { openTwoTenants, type TwoTenants } from "./two-tenants.ts";

let tenants: TwoTenants;
beforeAll(async () => {
  tenants = await openTwoTenants();
});
afterAll(() => tenants.storage.close());

const count = 60;
/** Of another length each, and hardly compressible, as the database compresses what is large. */
function documentOf(index: number): JsonObject {
  const words = Array.from({ length: 20_000 + index }, (_, place) =>
    ((place * 7919 + index) % 999_983).toString(36),
  );
  return { text: words.join(" ") };
}

/** Lists of rows that have documents: how to make one, and to list them. */
const lists: Record<
  string,
  {
    readonly make: (index: number) => Promise<unknown>;
    readonly list: (page: PageRequest) => Promise<Pick<Page<object>, "items" | "next">>;
  }
> = {
  identities: {
    make: (index) =>
      tenants.storage.identities.create(
        tenants.scope,
        {
          ...anIdentityNamed(`large-${index}`, `large-${index}-second`),
          createdAt: afterNoon(index % 7),
          traits: documentOf(index),
        },
        [],
        [],
      ),
    list: (page) => tenants.storage.identities.list(tenants.scope, {}, page, { documents: true }),
  },
  invitations: {
    make: (index) => {
      const invitation = anInvitation({ createdAt: afterNoon(index % 7), adminMetadata: documentOf(index) });
      return tenants.storage.invitations.create(tenants.scope, invitation, anEvent("invitation.created"), []);
    },
    list: (page) =>
      tenants.storage.invitations.list(
        tenants.scope,
        { state: undefined, now: afterNoon(8), address: undefined },
        page,
      ),
  },
  "versions of schemas": {
    make: (index) =>
      tenants.storage.schemas.save(tenants.scope, `s${index % 7}`, documentOf(index), afterNoon(0)),
    list: (page) => tenants.storage.schemas.list(tenants.scope, page),
  },
};

describe.each(Object.entries(lists))("a list of large rows: %s", (_name, { make, list }) => {
  beforeAll(async () => {
    for (let index = 0; index < count; index++) await make(index);
  });

  test("is read no further than an answer may hold, and comes to its end", async () => {
    const seen: object[] = [];
    const sizes: number[] = [];
    let after: readonly string[] | undefined;
    do {
      const { items, next } = await list({ size: 500, after });
      const lengths = items.map((item) => JSON.stringify(item).length);
      sizes.push(lengths.reduce((sum, length) => sum + length, 0));
      // The last one is what goes beyond it.
      expect(sizes.at(-1)).toBeLessThan(maxPageBytes + Math.max(...lengths) + 64 * 1024);
      seen.push(...items);
      after = next;
    } while (after !== undefined);
    expect(new Set(seen.map((item) => JSON.stringify(item))).size).toBe(count);
    expect(seen).toHaveLength(count);
    expect(sizes.length).toBeGreaterThan(1);
    for (const size of sizes.slice(0, -1)) expect(size).toBeGreaterThan(maxPageBytes * 0.9);
  });

  test("is as long as was asked for where that fits", async () => {
    const first = await list({ size: 5 });
    expect(first.items).toHaveLength(5);
    const rest = await list({ size: 5, after: first.next });
    expect(rest.items).toHaveLength(5);
    expect(new Set([...first.items, ...rest.items].map((item) => JSON.stringify(item))).size).toBe(10);
  });
});

test("a list of small rows has no next page where all fit", async () => {
  const { other, storage } = tenants;
  for (let index = 0; index < 3; index++) {
    await storage.identities.create(other, anIdentityNamed(`small-${index}`, `tiny-${index}`), [], []);
  }
  expect(await storage.identities.list(other, {}, { size: 3 }, { documents: true })).toMatchObject({
    next: undefined,
  });
});
