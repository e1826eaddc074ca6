import { readFileSync } from "node:fs";
import { createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { type Protocol, protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";

const fixture = (name: string) => new URL(`../fixtures/tls/${name}`, import.meta.url).pathname;
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp({
    config: {
      server: {
        admin: {
          tls: { certificate_file: fixture("server.pem"), key_file: fixture("server-key.pem") },
          client_ca_file: fixture("authority.pem"),
        },
      },
      access: {
        client_certificates: [
          {
            name: "provisioner",
            subject_alternative_name: "spiffe://example.com/provisioner",
            scopes: ["identity:read", "api_key:create"],
          },
        ],
      },
    },
  });
});

afterAll(() => app.stop());

/** A transport that shows a certificate of the fixtures; none without a name. */
function transportWith(protocol: Protocol, certificate: string | undefined): Transport {
  const nodeOptions = {
    ca: readFileSync(fixture("authority.pem")),
    ...(certificate === undefined
      ? {}
      : {
          cert: readFileSync(fixture(`${certificate}.pem`)),
          key: readFileSync(fixture(`${certificate}-key.pem`)),
        }),
  };
  const options = { baseUrl: app.adminUrl, nodeOptions };
  switch (protocol) {
    case "Connect JSON":
      return createConnectTransport({ ...options, httpVersion: "1.1", useBinaryFormat: false });
    case "Connect binary":
      return createConnectTransport({ ...options, httpVersion: "1.1", useBinaryFormat: true });
    case "gRPC":
      return createGrpcTransport(options);
    case "gRPC-Web":
      return createGrpcWebTransport({ ...options, httpVersion: "1.1" });
    default: {
      const unreachable: never = protocol;
      return unreachable;
    }
  }
}

describe.each(protocols)("a client certificate over %s", (protocol) => {
  const identities = (certificate?: string) =>
    createClient(IdentityService, transportWith(protocol, certificate));
  const keys = (certificate: string) => createClient(ApiKeyService, transportWith(protocol, certificate));

  test("lets its holder do what it is mapped to, and nothing else", async () => {
    await identities("provisioner").listIdentities({});
    const refused = await refusal(
      identities("provisioner").createIdentity({ traits: { email: "a@b.example" } }),
    );
    expect(refused).toMatchObject({
      code: "PermissionDenied",
      reason: "API_KEY_SCOPE_MISSING",
      metadata: { scope: "identity:create" },
    });
  });

  test.each([
    [undefined, "API_KEY_MISSING"],
    ["unmapped", "CLIENT_CERTIFICATE_UNKNOWN"],
    // The right name, but signed by an authority that the server does not know: as if there were none.
    ["stranger", "API_KEY_MISSING"],
  ])("is demanded where no key is shown: %s is refused", async (certificate, reason) => {
    expect(await refusal(identities(certificate).listIdentities({}))).toMatchObject({
      code: "Unauthenticated",
      reason,
    });
  });

  // Security rule: a stolen certificate must not become a key that can do more, or that lives on after it.
  test("makes keys of its own scopes and its own life at most (peers D4.13, D4.24)", async () => {
    const client = keys("provisioner");
    expect(await refusal(client.createApiKey({ name: "wider", scopes: ["identity:*"] }))).toMatchObject({
      code: "PermissionDenied",
      reason: "API_KEY_SCOPE_EXCEEDED",
    });
    const later = { seconds: BigInt(Date.UTC(2200, 0) / 1000) };
    expect(
      await refusal(client.createApiKey({ name: "longer", scopes: ["identity:read"], expireTime: later })),
    ).toMatchObject({ code: "PermissionDenied", reason: "API_KEY_EXPIRY_EXCEEDED" });
    const { apiKey } = await client.createApiKey({ name: "own", scopes: ["identity:read"] });
    expect(new Date(Number(apiKey?.expireTime?.seconds) * 1000).getUTCFullYear()).toBe(2126);
  });
});
