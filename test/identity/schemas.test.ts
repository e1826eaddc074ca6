import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultSchemaDocument } from "../../src/domain/identity/default-schema.ts";
import { SchemaDocumentError } from "../../src/domain/identity/schema-document-error.ts";
import { IdentitySchemas } from "../../src/domain/identity/schemas.ts";
import type { JsonObject } from "../../src/domain/json.ts";
import { PageTokens } from "../../src/domain/paging/page-tokens.ts";
import { type IdentityRules, openIdentityRules } from "./identity-rules.ts";

let rules: IdentityRules;
beforeAll(async () => {
  rules = await openIdentityRules();
});
afterAll(() => rules.storage.close());

function newSchemas(): IdentitySchemas {
  const pageTokens = new PageTokens({ sealer: rules.sealer });
  return new IdentitySchemas({ store: rules.storage.schemas, pageTokens, clock: rules.clock });
}

function withMaximum(maxLength: number): JsonObject {
  return { properties: { nick: { type: "string", maxLength, ostiary: { identifier: "username" } } } };
}

describe("loading schemas", () => {
  test("makes a version of each change, and none of the same document", async () => {
    const schemas = newSchemas();
    const load = (document: JsonObject) => schemas.load(rules.scope, [{ id: "changing", document }]);
    const version = () => schemas.current(rules.scope, "changing").version;
    await load(withMaximum(1));
    expect(version()).toBe(1);
    await load({ ...withMaximum(1) });
    expect(version()).toBe(1);
    await load(withMaximum(2));
    expect(version()).toBe(2);
    expect(schemas.current(rules.scope, "changing").validate({ nick: "ab" }).valid).toBe(true);
    const first = await schemas.version(rules.scope, "changing", 1);
    expect(first.validate({ nick: "ab" }).valid).toBe(false);
    expect(await schemas.version(rules.scope, "changing", 1)).toBe(first);
  });

  test("by 16 servers at once makes one version", async () => {
    const servers = Array.from({ length: 16 }, newSchemas);
    await Promise.all(
      servers.map((schemas) => schemas.load(rules.scope, [{ id: "raced", document: withMaximum(3) }])),
    );
    expect(servers.map((schemas) => schemas.current(rules.scope, "raced").version)).toEqual(
      Array.from({ length: 16 }, () => 1),
    );
  });

  test("stores nothing and keeps what was current if one document is broken", async () => {
    const schemas = newSchemas();
    await schemas.load(rules.scope, [{ id: "kept", document: withMaximum(4) }]);
    const broken = schemas.load(rules.scope, [
      { id: "new", document: withMaximum(5) },
      { id: "kept", document: { properties: { nick: { $ref: "https://example.com/x" } } } },
    ]);
    await expect(broken).rejects.toThrow(SchemaDocumentError);
    await expect(broken).rejects.toThrow(/^identity schema "kept": \/properties\/nick\/\$ref/);
    expect(schemas.current(rules.scope, "kept").validate({ nick: "abcd" }).valid).toBe(true);
    await expect(schemas.get(rules.scope, "new", 1)).rejects.toMatchObject({ reason: "SCHEMA_NOT_FOUND" });
  });

  test("refuses what the meta-schema refuses", async () => {
    const document = { properties: { nick: { maxLength: "ten" } } };
    await expect(newSchemas().load(rules.scope, [{ id: "wrong", document }])).rejects.toThrow(
      /\/properties\/nick\/maxLength/,
    );
  });
});

describe("finding schemas", () => {
  test("gives the current one for version 0, and says which is current", async () => {
    const schemas = newSchemas();
    await schemas.load(rules.scope, [{ id: "found", document: withMaximum(1) }]);
    await schemas.load(rules.scope, [{ id: "found", document: withMaximum(2) }]);
    expect(await schemas.get(rules.scope, "found", 0)).toMatchObject({
      schema: { version: 2 },
      current: true,
    });
    expect(await schemas.get(rules.scope, "found", 2)).toMatchObject({ current: true });
    expect(await schemas.get(rules.scope, "found", 1)).toMatchObject({
      schema: { version: 1, document: withMaximum(1) },
      current: false,
    });
  });

  test("refuses unknown ids, versions, and those of another tenant", async () => {
    const schemas = newSchemas();
    await schemas.load(rules.scope, [{ id: "mine", document: withMaximum(9) }]);
    const reason = { reason: "SCHEMA_NOT_FOUND" };
    expect(() => schemas.current(rules.scope, "none")).toThrow(expect.objectContaining(reason));
    expect(() => schemas.current(rules.other, "mine")).toThrow(expect.objectContaining(reason));
    await expect(schemas.get(rules.scope, "none", 0)).rejects.toMatchObject(reason);
    await expect(schemas.get(rules.scope, "mine", 7)).rejects.toMatchObject(reason);
    await expect(schemas.get(rules.scope, "\0", 1)).rejects.toMatchObject(reason);
    await expect(schemas.version(rules.scope, "mine", 7)).rejects.toMatchObject(reason);
    await expect(schemas.version(rules.other, "mine", 1)).rejects.toMatchObject(reason);
  });

  test("lists all versions by id, newest version first, page by page", async () => {
    const schemas = newSchemas();
    await schemas.load(rules.other, [
      { id: "default", document: defaultSchemaDocument },
      { id: "names", document: withMaximum(1) },
    ]);
    const first = await schemas.list(rules.other, { size: 2, token: "" });
    const second = await schemas.list(rules.other, { size: 2, token: first.nextToken });
    const lines = [...first.items, ...second.items].map(
      ({ schema, current }) => `${schema.id} ${schema.version}${current ? " current" : ""}`,
    );
    expect(lines).toEqual(["default 1 current", "names 2 current", "names 1"]);
    expect(second.nextToken).toBe("");
    await expect(schemas.list(rules.scope, { size: 2, token: first.nextToken })).rejects.toMatchObject({
      reason: "PAGE_TOKEN_INVALID",
    });
  });
});
