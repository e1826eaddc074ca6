import { X509Certificate } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { startTestApp, type TestApp } from "../support/app.ts";
import {
  type CertificateFiles,
  type CertificateFolder,
  makeCertificateFolder,
} from "../support/certificates.ts";
import { isInstalled } from "../support/foreign.ts";

const withOpenssl = await isInstalled("openssl", ["version"]);

interface Answer {
  readonly status: number | undefined;
  readonly text: string;
  /** The certificate that the server showed. */
  readonly serverSerial: string | undefined;
}

describe.runIf(withOpenssl)("with TLS on both listeners (openssl)", () => {
  let folder: CertificateFolder;
  let authority: CertificateFiles;
  let server: CertificateFiles;
  let app: TestApp;

  const issue = (name: string, more: Partial<Parameters<CertificateFolder["issue"]>[0]> = {}) =>
    folder.issue({ name, authority, names: "URI:spiffe://example.com/billing", ...more });

  beforeAll(async () => {
    folder = await makeCertificateFolder();
    authority = await folder.authority("authority");
    server = await issue("server", { names: "IP:127.0.0.1" });
    const pinned = await issue("pinned", { names: "DNS:unnamed.example" });
    const tls = { certificate_file: server.certificate, key_file: server.key };
    const sealing = join(folder.path, "sealing");
    await writeFile(sealing, "a".repeat(32), { mode: 0o600 });
    app = await startTestApp({
      config: {
        server: { public: { tls: { ...tls } }, admin: { tls, client_ca_file: authority.certificate } },
        secrets: { sealing: [{ file: sealing }] },
        access: {
          client_certificates: [
            {
              name: "billing",
              subject_alternative_name: "spiffe://example.com/billing",
              scopes: ["identity:read"],
            },
            {
              name: "pinned",
              fingerprint: new X509Certificate(await readFile(pinned.certificate)).fingerprint256,
              scopes: ["identity:create"],
            },
          ],
        },
      },
    });
    // OpenSSL has no other clock than the real one; the app's stands still, after all certificates were made.
    app.clock.advance(Date.now() + 3_600_000 - app.clock.now().getTime());
  });
  afterAll(async () => {
    await app?.stop();
    await folder?.remove();
  });

  /** One call on a connection of its own. */
  async function call(
    url: string,
    body: object,
    options: {
      readonly client?: CertificateFiles;
      readonly headers?: Record<string, string>;
      /** Keeps connections for further calls. */
      readonly agent?: Agent;
    } = {},
  ): Promise<Answer> {
    const { client, headers, agent = false } = options;
    const identity =
      client === undefined
        ? {}
        : { cert: await readFile(client.certificate), key: await readFile(client.key) };
    const ca = await readFile(authority.certificate);
    return new Promise((resolve, reject) => {
      const outgoing = request(
        url,
        {
          method: "POST",
          agent,
          ca,
          ...identity,
          headers: { "content-type": "application/json", ...headers },
        },
        async (response) => {
          const { socket } = response;
          const serverSerial =
            socket instanceof TLSSocket ? socket.getPeerX509Certificate()?.serialNumber : undefined;
          let text = "";
          for await (const chunk of response) text += String(chunk);
          resolve({ status: response.statusCode, text, serverSerial });
        },
      );
      outgoing.on("error", reject);
      outgoing.end(JSON.stringify(body));
    });
  }

  const identityUrl = (method: string) => `${app.adminUrl}/ostiary.identity.v1.IdentityService/${method}`;
  const flowUrl = () => `${app.publicUrl}/ostiary.flow.v1.RegistrationService/CreateRegistrationFlow`;
  const native = { client: "CLIENT_KIND_NATIVE" };
  const reasonIn = ({ text }: Answer) => {
    const { details } = JSON.parse(text) as { details: { debug: { reason?: string; metadata?: object } }[] };
    const { reason, metadata } = details[0]?.debug ?? {};
    return { reason, metadata };
  };

  test("a client certificate may do what its scopes say, found by name or by fingerprint", async () => {
    const billing = await issue("billing");
    expect((await call(identityUrl("ListIdentities"), {}, { client: billing })).status).toBe(200);
    const create = { traits: { email: "mtls@example.com" } };
    const refused = await call(identityUrl("CreateIdentity"), create, { client: billing });
    expect(refused.status).toBe(403);
    expect(reasonIn(refused)).toEqual({
      reason: "API_KEY_SCOPE_MISSING",
      metadata: { scope: "identity:create" },
    });
    const client = { certificate: join(folder.path, "pinned.crt"), key: join(folder.path, "pinned.key") };
    expect((await call(identityUrl("CreateIdentity"), create, { client })).status).toBe(200);
  });

  test.each<[string, () => Promise<CertificateFiles>, string | RegExp]>([
    [
      "is mapped to nothing",
      () => issue("unmapped", { names: "URI:spiffe://example.com/billing/more" }),
      "UNMAPPED",
    ],
    ["has ended", () => issue("ended", { days: -1 }), "CERT_HAS_EXPIRED"],
    ["is for servers", () => issue("for-servers", { extension: "extendedKeyUsage=serverAuth" }), /PURPOSE/],
    [
      "is of another authority",
      async () => issue("foreign", { authority: await folder.authority("other") }),
      /ISSUER|SIGNATURE/,
    ],
  ])(
    "security rule (SR-ACCESS-4): a client certificate that %s opens nothing, and the answer says why",
    async (_, make, problem) => {
      const client = await make();
      const refused = await call(identityUrl("ListIdentities"), {}, { client });
      expect(refused.status).toBe(401);
      expect(reasonIn(refused)).toEqual({
        reason: "CLIENT_CERTIFICATE_UNKNOWN",
        metadata: { problem: expect.stringMatching(problem) },
      });
      // It does not stand in the way of an API key either.
      const headers = { authorization: `Bearer ${app.apiKey}` };
      expect((await call(identityUrl("ListIdentities"), {}, { client, headers })).status).toBe(200);
    },
  );

  test("without a certificate an API key is asked for, and the public listener asks for neither", async () => {
    const refused = await call(identityUrl("ListIdentities"), {});
    expect(reasonIn(refused).reason).toBe("API_KEY_MISSING");
    expect((await call(flowUrl(), native)).status).toBe(200);
  });

  test("a reload gives new connections the new certificate; one that cannot be used changes nothing", async () => {
    const { serverSerial: before } = await call(flowUrl(), native);
    await folder.replace(server, await issue("renewed", { names: "IP:127.0.0.1" }));
    expect((await call(flowUrl(), native)).serverSerial).toBe(before);
    await app.reload();
    const renewed = new X509Certificate(await readFile(server.certificate)).serialNumber;
    expect(renewed).not.toBe(before);
    const serials = async () => [
      (await call(flowUrl(), native)).serverSerial,
      (await call(identityUrl("ListIdentities"), {})).serverSerial,
    ];
    expect(await serials()).toEqual([renewed, renewed]);

    const headers = { authorization: `Bearer ${app.apiKey}` };
    for (const email of ["one@example.com", "two@example.com"])
      await call(identityUrl("CreateIdentity"), { traits: { email } }, { headers });
    const page = await call(identityUrl("ListIdentities"), { pageSize: 1 }, { headers });
    const { nextPageToken: pageToken } = JSON.parse(page.text) as { nextPageToken: string };

    await writeFile(server.certificate, "half a certif");
    await writeFile(join(folder.path, "sealing"), "b".repeat(32));
    await expect(app.reload()).rejects.toThrow(
      /^server\.public\.tls .*the certificate and the key cannot be used/,
    );
    expect(await serials()).toEqual([renewed, renewed]);
    // The new secret did not come into force half-way: the old page token is still opened.
    const next = await call(identityUrl("ListIdentities"), { pageSize: 1, pageToken }, { headers });
    expect(next.status).toBe(200);
  });

  // Security rule (SR-ACCESS-4): a certificate that is no longer listed opens nothing, also on a connection that is open.
  test("a reload takes the certificates' grants, all or none", async () => {
    const file = join(app.dataDirectory, "ostiary.yaml");
    const before = await readFile(file, "utf8");
    const billing = await issue("billing-again");
    const list = () => call(identityUrl("ListIdentities"), {}, { client: billing });
    const agent = new Agent({
      keepAlive: true,
      maxSockets: 1,
      ca: await readFile(authority.certificate),
      cert: await readFile(billing.certificate),
      key: await readFile(billing.key),
    });
    const listOnOpenConnection = () => call(identityUrl("ListIdentities"), {}, { agent });
    const change = async (grants: object[], server: object = {}) => {
      const yaml = parse(before);
      yaml.access.client_certificates = grants;
      Object.assign(yaml.server, server);
      await writeFile(file, stringify(yaml));
    };
    try {
      // The test before has left a certificate that cannot be used.
      await folder.replace(server, await issue("usable", { names: "IP:127.0.0.1" }));
      await app.reload();
      expect((await listOnOpenConnection()).status).toBe(200);

      await change([], { max_request_bytes: 1 });
      await expect(app.reload()).rejects.toThrow("server.max_request_bytes");
      expect((await list()).status).toBe(200);

      const name = { name: "billing", subject_alternative_name: "spiffe://example.com/billing" };
      await change([{ ...name, scopes: ["session:read"] }]);
      await app.reload();
      expect(reasonIn(await list()).reason).toBe("API_KEY_SCOPE_MISSING");

      await change([]);
      await app.reload();
      for (const refused of [await list(), await listOnOpenConnection()]) {
        expect(reasonIn(refused)).toEqual({
          reason: "CLIENT_CERTIFICATE_UNKNOWN",
          metadata: { problem: "UNMAPPED" },
        });
      }
    } finally {
      agent.destroy();
      await writeFile(file, before);
    }
  });
});
