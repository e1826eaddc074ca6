import { expect, test } from "vitest";
import { ProviderMetadataCache } from "../../../src/outbound/oidc/provider-metadata.ts";
import { testProvider } from "../../support/upstream/provider-records.ts";

const issuer = "https://login.microsoftonline.com/{tenantid}/v2.0";

test.each([
  ["https://idp.example.com/a/", undefined, "https://idp.example.com/a/.well-known/openid-configuration"],
  [issuer, undefined, "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration"],
  [
    issuer,
    "organizations",
    "https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration",
  ],
])("the document of %s with the tenant %s is at %s", async (known, tenant, expected) => {
  const asked: string[] = [];
  const cache = new ProviderMetadataCache({
    http: {
      async fetch(url) {
        asked.push(String(url));
        throw new Error("there is no network here");
      },
    },
    clock: { now: () => new Date(0) },
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  });
  const endpoints = { kind: "discovery", ...(tenant === undefined ? {} : { tenant }) } as const;
  await expect(cache.get(testProvider({ issuer: known, clientId: "c", endpoints }))).rejects.toThrow();
  expect(asked).toEqual([expected]);
});
