import { toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { type Identity, RequiredActionKind } from "../../gen/ostiary/identity/v1/identity_pb.js";
import {
  IdentityService,
  IdentityView,
  ListIdentitiesResponseSchema,
} from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { nobody } from "../support/batches.ts";
import { refusal } from "../support/errors.ts";

let app: TestApp;

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(() => app.stop());

describe.each(protocols)("over %s", (protocol) => {
  const client = () => app.client(IdentityService, { protocol });

  test("a list holds neither traits nor metadata unless they are asked for", async () => {
    const email = freshEmail();
    const document = { plan: "gold" };
    await client().createIdentity({ traits: { email }, publicMetadata: document, adminMetadata: document });
    const list = async (view?: IdentityView): Promise<Identity | undefined> =>
      (await client().listIdentities({ identifierPrefix: email, ...(view === undefined ? {} : { view }) }))
        .identities[0];
    for (const basic of [await list(), await list(IdentityView.BASIC)]) {
      expect(basic).toMatchObject({ identifiers: [{ value: email }], addresses: [{ value: email }] });
      expect([basic?.traits, basic?.publicMetadata, basic?.adminMetadata]).toEqual(Array(3).fill(undefined));
    }
    const full = await list(IdentityView.FULL);
    expect([full?.traits, full?.publicMetadata, full?.adminMetadata]).toEqual([
      { email },
      document,
      document,
    ]);
    const id = await list(IdentityView.ID);
    expect([id?.id, id?.etag, id?.identifiers]).toEqual([full?.id, "", []]);
  });

  test("a batch answers with ids, with more where that is asked for, and with all of each error", async () => {
    const email = freshEmail();
    const { results } = await client().batchCreateIdentities({
      requests: [{ traits: { email } }, { traits: { email: "no address" } }, { traits: { email } }],
    });
    const [made, invalid, taken] = results.map(({ result }) => result);
    expect(made).toMatchObject({ case: "identity", value: { id: expect.stringMatching(/-7/), etag: "" } });
    expect(made?.case === "identity" && made.value.traits).toBeUndefined();
    expect(invalid).toMatchObject({
      case: "error",
      value: {
        code: Code.InvalidArgument,
        errorInfo: { reason: "TRAITS_INVALID" },
        badRequest: { fieldViolations: [{ field: "traits.email" }] },
      },
    });
    expect(taken).toMatchObject({
      case: "error",
      value: { code: Code.AlreadyExists, errorInfo: { reason: "IDENTIFIER_TAKEN" } },
    });
    const full = await client().batchCreateIdentities({
      requests: [{ traits: { email: freshEmail(), name: "Ada" } }],
      view: IdentityView.FULL,
    });
    expect(full.results[0]?.result).toMatchObject({ value: { traits: { name: "Ada" } } });
  });

  test("what nothing serves yet is refused, after access and validation", async () => {
    const off = (field: string) => ({
      code: "FailedPrecondition",
      reason: "FEATURE_OFF",
      metadata: { field },
    });
    const atLeast = { epoch: 1n, sequence: 1n };
    const keys = app.client(ApiKeyService, { protocol });
    for (const call of [
      () => client().getIdentity({ identityId: nobody, atLeast }),
      () => client().lookUpIdentity({ by: { case: "externalId", value: nobody }, atLeast }),
      () => client().listIdentities({ atLeast }),
      () => client().listCredentials({ identityId: nobody, atLeast }),
      () => keys.getApiKey({ apiKeyId: nobody, atLeast }),
      () => keys.listApiKeys({ atLeast }),
    ]) {
      expect(await refusal(call())).toMatchObject(off("atLeast"));
    }
    const kind = { case: "kind", value: RequiredActionKind.SET_PASSWORD } as const;
    const set = { identityId: nobody, requiredActions: [{ action: kind }] };
    expect(await refusal(client().setRequiredActions(set))).toMatchObject(off("requiredActions"));
    const unspecified = { ...kind, value: RequiredActionKind.UNSPECIFIED };
    const invalid = { identityId: nobody, requiredActions: [{ action: unspecified }] };
    expect((await refusal(client().setRequiredActions(invalid))).reason).toBe("REQUEST_INVALID");
    const { secret } = await app
      .client(ApiKeyService)
      .createApiKey({ name: "narrow", scopes: ["identity:read"] });
    const narrow = app.client(IdentityService, { protocol, bearer: secret });
    expect((await refusal(narrow.setRequiredActions(set))).reason).toBe("API_KEY_SCOPE_MISSING");
  });
});

test("a page ends before it is too large for a gRPC client, and the next goes on", async () => {
  const client = app.client(IdentityService, { protocol: "gRPC" });
  const blob = "x".repeat(16_000);
  const count = 300;
  for (let made = 0; made < count; made += 30) {
    const requests = Array.from({ length: 30 }, (_, index) => ({
      traits: { email: freshEmail(), name: `large ${made + index} ${"y".repeat(100)}` },
      externalId: `large-${made + index}`,
      publicMetadata: { blob: "x".repeat(8_000) },
      adminMetadata: { blob },
    }));
    await client.batchCreateIdentities({ requests });
  }
  const seen = new Set<string>();
  let pageToken = "";
  let pages = 0;
  do {
    const page = await client.listIdentities({ pageSize: 500, view: IdentityView.FULL, pageToken });
    const bytes = toBinary(ListIdentitiesResponseSchema, page).byteLength;
    expect(bytes).toBeLessThan(4 * 1024 * 1024);
    expect(page.identities.length).toBeGreaterThan(0);
    for (const { externalId } of page.identities) if (externalId !== "") seen.add(externalId);
    pageToken = page.nextPageToken;
    pages++;
  } while (pageToken !== "");
  expect(seen.size).toBe(count);
  expect(pages).toBeGreaterThan(2);
  // The control: without traits and metadata they fit on one page.
  const basic = await client.listIdentities({ pageSize: 500 });
  expect(basic.identities.length).toBeGreaterThanOrEqual(count);
});
