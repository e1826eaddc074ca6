import { createRouterTransport } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ApiKeyService } from "../../../gen/ostiary/access/v1/api_key_service_pb.js";
import { IdentityService } from "../../../gen/ostiary/identity/v1/identity_service_pb.js";
import { createOstiaryAdmin } from "./index.ts";

const uuid = /^[0-9a-f-]{36}$/;

/** An admin listener that only notes the request ids that it gets. */
function noting() {
  const ids: string[] = [];
  const note = ({ requestId }: { readonly requestId: string }) => {
    ids.push(requestId);
    return {};
  };
  const transport = createRouterTransport(({ service }) => {
    service(IdentityService, { createIdentity: note, batchCreateIdentities: note, getIdentity: () => ({}) });
    service(ApiKeyService, { createApiKey: note });
  });
  return { ids, admin: createOstiaryAdmin({ transport }) };
}

test("each call that can have a request id has one of its own, and a given one is left alone", async () => {
  const { ids, admin } = noting();
  await admin.identities.createIdentity({ traits: { email: "ada@example.com" } });
  await admin.identities.createIdentity({ traits: { email: "ada@example.com" } });
  await admin.apiKeys.createApiKey({ name: "support" });
  await admin.identities.batchCreateIdentities({ requestId: "mine", requests: [{}] });
  expect(ids).toEqual([...Array(3).fill(expect.stringMatching(uuid)), "mine"]);
  expect(new Set(ids).size).toBe(4);
  await admin.identities.getIdentity({ identityId: "01890000-0000-7000-8000-000000000000" });
});
