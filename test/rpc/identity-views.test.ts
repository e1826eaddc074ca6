import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import type { Identity } from "../../gen/ostiary/identity/v1/identity_pb.js";
import { IdentityService, IdentityView } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
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
  });
});
