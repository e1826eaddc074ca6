import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createClient, type Transport } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { type Protocol, protocols, startTestApp, type TestApp, transportOf } from "../support/app.ts";
import {
  type CertificateFiles,
  type CertificateFolder,
  makeCertificateFolder,
} from "../support/certificates.ts";
import { refusal } from "../support/errors.ts";
import { isInstalled } from "../support/foreign.ts";

const withOpenssl = await isInstalled("openssl", ["version"]);
let folder: CertificateFolder;
let authority: CertificateFiles;
const certificates = new Map<string, CertificateFiles>();
let app: TestApp;

beforeAll(async () => {
  if (!withOpenssl) return;
  folder = await makeCertificateFolder();
  authority = await folder.authority("authority");
  const foreign = await folder.authority("foreign");
  const server = await folder.issue({ name: "server", authority, names: "IP:127.0.0.1,DNS:localhost" });
  const names = "URI:spiffe://example.com/provisioner";
  certificates.set("provisioner", await folder.issue({ name: "provisioner", authority, names }));
  certificates.set("stranger", await folder.issue({ name: "stranger", authority: foreign, names }));
  certificates.set(
    "unmapped",
    await folder.issue({ name: "unmapped", authority, names: "URI:spiffe://example.com/x" }),
  );
  app = await startTestApp({
    config: {
      server: {
        admin: {
          tls: { certificate_file: server.certificate, key_file: server.key },
          client_ca_file: authority.certificate,
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
  // openssl makes certificates that begin now.
  app.clock.advance(Date.now() - app.clock.now().getTime());
});

afterAll(async () => {
  await app?.stop();
  await folder?.remove();
});

/** A transport that shows a certificate; none without a name. */
function transportWith(protocol: Protocol, certificate: string | undefined): Transport {
  const shown = certificate === undefined ? undefined : certificates.get(certificate);
  const nodeOptions = {
    ca: readFileSync(authority.certificate),
    ...(shown && { cert: readFileSync(shown.certificate), key: readFileSync(shown.key) }),
  };
  return transportOf(protocol, app.adminUrl, undefined, {}, nodeOptions);
}

describe.runIf(withOpenssl).each(protocols)("a client certificate over %s (openssl)", (protocol) => {
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
    // The right name, but signed by an authority that the server does not know.
    ["stranger", "CLIENT_CERTIFICATE_UNKNOWN"],
  ])("is demanded where no key is shown: %s is refused", async (certificate, reason) => {
    expect(await refusal(identities(certificate).listIdentities({}))).toMatchObject({
      code: "Unauthenticated",
      reason,
    });
  });

  // Security rule (SR-ACCESS-2): a stolen certificate must not become a key that can do more, or that lives on after it.
  test("makes keys of its own scopes and its own life at most (SR-ACCESS-2)", async () => {
    const client = keys("provisioner");
    expect(await refusal(client.createApiKey({ name: "wider", scopes: ["identity:*"] }))).toMatchObject({
      code: "PermissionDenied",
      reason: "API_KEY_SCOPE_EXCEEDED",
    });
    const later = { case: "expireTime", value: { seconds: BigInt(Date.UTC(2200, 0) / 1000) } } as const;
    expect(
      await refusal(client.createApiKey({ name: "longer", scopes: ["identity:read"], expiration: later })),
    ).toMatchObject({ code: "PermissionDenied", reason: "API_KEY_EXPIRY_EXCEEDED" });
    const { apiKey } = await client.createApiKey({ name: "own", scopes: ["identity:read"] });
    const { validToDate } = new X509Certificate(
      readFileSync(certificates.get("provisioner")?.certificate ?? ""),
    );
    expect(Number(apiKey?.expireTime?.seconds) * 1000).toBe(validToDate.getTime());
  });
});
