import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";

let app: TestApp;

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(() => app.stop());

const metadata: JsonObject = { plan: "gold", seats: { paid: 3, free: 1 }, tags: ["a", "b"] };

describe.each(protocols)("an update over %s", (protocol) => {
  const client = () => app.client(IdentityService, { protocol });

  async function created() {
    const { identity } = await client().createIdentity({
      traits: { email: freshEmail(), name: "Ada" },
      publicMetadata: metadata,
      adminMetadata: metadata,
    });
    if (identity === undefined) throw new Error("it was not made");
    return identity;
  }

  test("with patches keeps what they leave out, removes what is null, and replaces lists", async () => {
    const before = await created();
    const { identity } = await client().updateIdentity({
      identityId: before.id,
      traitsChange: { case: "traitsPatch", value: { name: "Ada Lovelace" } },
      publicMetadataChange: { case: "publicMetadataPatch", value: { plan: null, seats: { free: 2 } } },
      adminMetadataChange: { case: "adminMetadataPatch", value: { tags: ["c"] } },
    });
    expect(identity?.traits).toEqual({ ...before.traits, name: "Ada Lovelace" });
    expect(identity?.publicMetadata).toEqual({ seats: { paid: 3, free: 2 }, tags: ["a", "b"] });
    expect(identity?.adminMetadata).toEqual({ ...metadata, tags: ["c"] });
  });

  test("with the whole deletes what it does not hold", async () => {
    const before = await created();
    const { identity } = await client().updateIdentity({
      identityId: before.id,
      traitsChange: { case: "traits", value: { email: before.traits?.email ?? "" } },
      publicMetadataChange: { case: "publicMetadata", value: { plan: "free" } },
      adminMetadataChange: { case: "adminMetadata", value: {} },
    });
    expect(identity?.traits).toEqual({ email: before.traits?.email });
    expect(identity?.publicMetadata).toEqual({ plan: "free" });
    expect(identity?.adminMetadata).toBeUndefined();
  });

  test("from an old revision is refused, and nobody can count with what names a revision", async () => {
    const [before, another] = [await created(), await created()];
    expect(before.etag).toMatch(/^[\w-]{22}$/);
    expect(another.etag).not.toBe(before.etag);
    const patch = { case: "traitsPatch", value: { name: "Countess" } } as const;
    const change = { identityId: before.id, etag: before.etag, traitsChange: patch };
    const { identity } = await client().updateIdentity(change);
    expect(["", undefined, before.etag]).not.toContain(identity?.etag);
    expect(await refusal(client().updateIdentity(change))).toMatchObject({
      code: "Aborted",
      reason: "ETAG_MISMATCH",
    });
  });

  test("is refused where a patch, or what comes out of it, breaks a rule", async () => {
    const { id: identityId } = await created();
    const large = { blob: "x".repeat(9_000) };
    const half = { case: "adminMetadataPatch", value: large } as const;
    await client().updateIdentity({ identityId, adminMetadataChange: half });
    const other = { case: "adminMetadataPatch", value: { more: large.blob } } as const;
    expect(await refusal(client().updateIdentity({ identityId, adminMetadataChange: other }))).toMatchObject({
      reason: "REQUEST_INVALID",
      fields: ["adminMetadata"],
    });
    const deep = { case: "publicMetadataPatch", value: { blob: "x".repeat(17_000) } } as const;
    expect(await refusal(client().updateIdentity({ identityId, publicMetadataChange: deep }))).toMatchObject({
      reason: "REQUEST_INVALID",
      fields: ["publicMetadataPatch.blob"],
    });
    const gone = { case: "traitsPatch", value: { email: null } } as const;
    expect(await refusal(client().updateIdentity({ identityId, traitsChange: gone }))).toMatchObject({
      reason: "TRAITS_INVALID",
      fields: ["traits.email"],
    });
    const patch = { case: "traitsPatch", value: { name: "Ada" } } as const;
    const noSchema = client().updateIdentity({ identityId, schemaId: "", traitsChange: patch });
    expect(await refusal(noSchema)).toMatchObject({ reason: "REQUEST_INVALID", fields: ["schemaId"] });
  });

  test("by an old patch of names that JavaScript gives a meaning to changes nothing else", async () => {
    const before = await created();
    const { id: identityId } = before;
    const value = JSON.parse('{"__proto__": {"admin": true}}') as JsonObject;
    const patch = { case: "adminMetadataPatch", value } as const;
    const refused = client().updateIdentity({ identityId, adminMetadataChange: patch });
    expect(await refusal(refused)).toMatchObject({
      code: "InvalidArgument",
      reason: "REQUEST_INVALID",
      fields: ["adminMetadataPatch.__proto__"],
    });
    expect((await client().getIdentity({ identityId })).identity).toEqual(before);
  });
});

test("of sixteen patches at the same moment none is lost", async () => {
  const client = app.client(IdentityService);
  const { identity } = await client.createIdentity({ traits: { email: freshEmail() } });
  const identityId = identity?.id ?? "";
  const numbers = Array.from({ length: 16 }, (_, index) => index);
  await Promise.all(
    numbers.map((index) =>
      client.updateIdentity({
        identityId,
        ...(index === 0 ? { traitsChange: { case: "traitsPatch", value: { name: "Ada" } } as const } : {}),
        adminMetadataChange: { case: "adminMetadataPatch", value: { [`key${index}`]: index } },
      }),
    ),
  );
  const { identity: after } = await client.getIdentity({ identityId });
  expect(after?.adminMetadata).toEqual(Object.fromEntries(numbers.map((index) => [`key${index}`, index])));
  expect(after?.traits).toMatchObject({ name: "Ada" });
});
