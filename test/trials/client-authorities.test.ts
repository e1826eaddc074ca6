// mail/t52: the certificates of a server and the authority of its clients, swapped as Kubernetes swaps mounted secrets, and
// read again at SIGHUP. That a grant which was taken away opens nothing on open connections is asked by test/transport/tls.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { copyFile, mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import { type AddressInfo, connect as connectNet, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startTestApp, type TestApp } from "../support/app.ts";
import {
  type CertificateFiles,
  type CertificateFolder,
  makeCertificateFolder,
} from "../support/certificates.ts";
import { isInstalled } from "../support/foreign.ts";

const withOpenssl = await isInstalled("openssl", ["version"]);
const method = "/ostiary.identity.v1.IdentityService/ListIdentities";

describe.runIf(withOpenssl)("certificates that are mounted (openssl)", () => {
  let folder: CertificateFolder;
  let app: TestApp;
  let serverAuthority: CertificateFiles;
  const clients: Record<"first" | "second", CertificateFiles> = {} as never;
  let versions = 0;

  /** What a mount holds: the server's certificate and key, and the authority of its clients. */
  interface Mounted {
    readonly certificate: string;
    readonly key: string;
    readonly authority: string;
  }
  let first: Mounted;
  let second: Mounted;

  /** Changes all files at once: a link to a folder takes the place of another one. */
  async function mount({ certificate, key, authority }: Mounted): Promise<void> {
    const version = `..${++versions}`;
    const at = join(folder.path, "mount");
    await mkdir(join(at, version), { recursive: true });
    for (const [name, file] of [
      ["tls.crt", certificate],
      ["tls.key", key],
      ["ca.crt", authority],
    ] as const) {
      await copyFile(file, join(at, version, name));
    }
    await symlink(version, join(at, "..next"));
    await rename(join(at, "..next"), join(at, "..data"));
  }

  beforeAll(async () => {
    folder = await makeCertificateFolder();
    serverAuthority = await folder.authority("servers");
    const mounted: Mounted[] = [];
    for (const name of ["first", "second"] as const) {
      const authority = await folder.authority(`clients-${name}`);
      const server = await folder.issue({
        name: `server-${name}`,
        authority: serverAuthority,
        names: "IP:127.0.0.1",
      });
      const names = "URI:spiffe://example.com/provisioner";
      clients[name] = await folder.issue({ name: `client-${name}`, authority, names });
      mounted.push({ ...server, authority: authority.certificate });
    }
    [first, second] = mounted as [Mounted, Mounted];
    await mount(first);
    const at = (name: string) => join(folder.path, "mount", name);
    for (const name of ["tls.crt", "tls.key", "ca.crt"]) await symlink(`..data/${name}`, at(name));
    const grant = {
      name: "provisioner",
      subject_alternative_name: "spiffe://example.com/provisioner",
      scopes: ["identity:read"],
    };
    app = await startTestApp({
      config: {
        server: {
          admin: {
            tls: { certificate_file: at("tls.crt"), key_file: at("tls.key") },
            client_ca_file: at("ca.crt"),
          },
        },
        access: { client_certificates: [grant] },
      },
    });
    // openssl makes certificates that begin now.
    app.clock.advance(Date.now() + 60_000 - app.clock.now().getTime());
  });
  beforeEach(async () => {
    await mount(first);
    await app.reload();
  });
  afterAll(async () => {
    await app?.stop();
    await folder?.remove();
  });

  const trust = () => ({ ca: readFileSync(serverAuthority.certificate) });
  const identityOf = (name: "first" | "second" | undefined) =>
    name === undefined
      ? {}
      : { cert: readFileSync(clients[name].certificate), key: readFileSync(clients[name].key) };

  /** What a call on a new connection is answered, and by which of the server's certificates. */
  async function call(name?: "first" | "second"): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { method: "POST", agent: false, headers: { "content-type": "application/json" } };
      const outgoing = request(
        app.adminUrl + method,
        { ...options, ...trust(), ...identityOf(name) },
        async (response) => {
          const { subject } = (response.socket as TLSSocket).getPeerCertificate();
          let body = "";
          for await (const chunk of response) body += String(chunk);
          const reason = /"reason":"([A-Z_]+)"/.exec(body)?.[1] ?? "";
          resolve(`${response.statusCode} ${reason} ${subject.CN}`.replace("  ", " "));
        },
      );
      outgoing.on("error", reject);
      outgoing.end("{}");
    });
  }
  const everybody = async () => [await call("first"), await call("second"), await call()];
  const whileFirst = [
    "200 server-first",
    "401 CLIENT_CERTIFICATE_UNKNOWN server-first",
    "401 API_KEY_MISSING server-first",
  ];
  const whileSecond = [
    "401 CLIENT_CERTIFICATE_UNKNOWN server-second",
    "200 server-second",
    "401 API_KEY_MISSING server-second",
  ];

  test("count from the reload on, for new connections, and not before", async () => {
    expect(await everybody()).toEqual(whileFirst);
    await mount(second);
    expect(await everybody()).toEqual(whileFirst);
    await app.reload();
    expect(await everybody()).toEqual(whileSecond);
    await mount(first);
    await app.reload();
    expect(await everybody()).toEqual(whileFirst);
  });

  test.each<[string, () => Promise<Partial<Mounted>>, RegExp]>([
    ["a key of another certificate", async () => ({ key: first.key }), /^server\.admin\.tls .*key/],
    [
      "half a certificate",
      async () => ({ certificate: await garbage("-----BEGIN CERTIFICATE-----\nMII") }),
      /^server\.admin\.tls/,
    ],
    [
      "an authority that is garbage",
      async () => ({ authority: await garbage("hello") }),
      /^server\.admin\.client_ca_file/,
    ],
    [
      "an authority that is empty",
      async () => ({ authority: await garbage("") }),
      /^server\.admin\.client_ca_file/,
    ],
    ["a key as authority", async () => ({ authority: clients.second.key }), /^server\.admin\.client_ca_file/],
  ])(
    "with %s change nothing, and the reload names the key of the configuration",
    async (_name, wrong, message) => {
      await mount({ ...second, ...(await wrong()) });
      await expect(app.reload()).rejects.toThrow(message);
      expect(await everybody()).toEqual(whileFirst);
    },
  );

  // Security rule (SR-ACCESS-9): whoever holds a connection of an authority that was taken away went on calling.
  describe("that are swapped under open connections", () => {
    const callText = `POST ${method} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`;
    const open = async (name?: "first" | "second") => {
      const { hostname, port } = new URL(app.adminUrl);
      const socket = connect({ host: hostname, port: Number(port), ...trust(), ...identityOf(name) });
      socket.on("error", () => {});
      await once(socket, "secureConnect");
      return {
        socket,
        ask: async () => {
          socket.write(callText);
          return String(await next(socket)).slice(9, 12);
        },
        isOpen: () => !socket.destroyed && !socket.readableEnded,
      };
    };
    const both = async (): Promise<Mounted> => {
      const files = [first, second].map(({ authority }) => readFileSync(authority, "utf8"));
      return { ...first, authority: await garbage(files.join("")) };
    };
    const next = async (socket: Socket) => {
      const [bytes] = await once(socket, "data", { signal: AbortSignal.timeout(10_000) });
      return bytes;
    };
    const ended = (socket: Socket) =>
      socket.closed ? undefined : once(socket, "close", { signal: AbortSignal.timeout(10_000) });

    test("end those of the authority that is gone at once, and no others", async () => {
      await mount(await both());
      await app.reload();
      const [gone, stays, bare] = [await open("first"), await open("second"), await open()];
      expect([await gone.ask(), await stays.ask(), await bare.ask()]).toEqual(["200", "200", "401"]);
      await mount(second);
      await app.reload();
      await ended(gone.socket);
      expect([await stays.ask(), await bare.ask()]).toEqual(["200", "401"]);
      expect(await (await open("first")).ask()).toBe("401");
    });

    test("end none while the authorities stay, in whatever order and file", async () => {
      const connection = await open("first");
      const text = readFileSync(first.authority, "utf8");
      await mount({ ...second, authority: await garbage(`${text}\n${text}`) });
      await app.reload();
      expect(await connection.ask()).toBe("200");
    });

    test("end one that was refused, so that it is judged anew", async () => {
      const connection = await open("second");
      expect(await connection.ask()).toBe("401");
      await mount(second);
      await app.reload();
      await ended(connection.socket);
      expect(await (await open("second")).ask()).toBe("200");
    });

    test("end streams and HTTP/2 connections as well", async () => {
      const session = connectHttp2(app.adminUrl, { ...trust(), ...identityOf("first") });
      session.on("error", () => {});
      const stream = session.request({
        ":method": "POST",
        ":path": "/grpc.health.v1.Health/Watch",
        "content-type": "application/grpc",
        te: "trailers",
      });
      stream.on("error", () => {});
      stream.end(Buffer.alloc(5));
      await once(stream, "response", { signal: AbortSignal.timeout(10_000) });
      const over = once(session, "close", { signal: AbortSignal.timeout(10_000) });
      await mount(second);
      await app.reload();
      await over;
      expect(stream.destroyed).toBe(true);
    });

    test("end a handshake that began before and was drawn out", async () => {
      const { hostname, port } = new URL(app.adminUrl);
      // Between them stands one who keeps the last message of the handshake back, in which the certificate is.
      let passes = 0;
      let held: (() => void) | undefined;
      const isHeld = Promise.withResolvers<void>();
      const between = createServer((client) => {
        const server = connectNet({ host: hostname, port: Number(port) });
        server.pipe(client);
        for (const socket of [client, server]) socket.on("error", () => {});
        server.on("close", () => client.destroy());
        client.on("data", (bytes) => {
          if (passes++ === 0) server.write(bytes);
          else {
            held = () => server.write(bytes);
            isHeld.resolve();
          }
        });
      });
      between.listen(0, "127.0.0.1");
      await once(between, "listening");
      const { port: through } = between.address() as AddressInfo;
      const client = connect({ host: "127.0.0.1", port: through, ...trust(), ...identityOf("first") });
      client.on("error", () => {});
      const over = once(client, "close", { signal: AbortSignal.timeout(10_000) });
      await isHeld.promise;
      await mount(second);
      await app.reload();
      held?.();
      await over;
      between.close();
    });
  });

  // Security rule (SR-ACCESS-4): what was handed out under an authority that was taken away lets nobody past the new one.
  test.each(["TLSv1.2", "TLSv1.3"] as const)(
    "let no session of %s be taken up again that began before",
    async (version) => {
      const { hostname, port } = new URL(app.adminUrl);
      const open = (session?: Buffer) =>
        connect({
          ...{ host: hostname, port: Number(port), minVersion: version, maxVersion: version },
          ...trust(),
          ...identityOf("first"),
          ...(session && { session }),
        });
      const ask = async (socket: TLSSocket) => {
        socket.write(
          `POST ${method} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}`,
        );
        let answer = "";
        for await (const chunk of socket) answer += String(chunk);
        return answer.slice(0, answer.indexOf("\r\n"));
      };
      const before = open();
      let session: Buffer | undefined;
      before.on("session", (given) => {
        session = given;
      });
      expect(await ask(before)).toContain("200");
      await mount(second);
      await app.reload();
      const after = open(session);
      const resumed = once(after, "secureConnect").then(() => after.isSessionReused());
      expect(await ask(after)).toContain("401");
      expect(await resumed).toBe(false);
    },
  );

  async function garbage(text: string): Promise<string> {
    const file = join(folder.path, `garbage-${versions}`);
    await writeFile(file, text);
    return file;
  }
});
