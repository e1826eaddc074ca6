import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { ServerResponse } from "node:http";
import type { LookupFunction } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { OutgoingHttpError } from "../../src/domain/outgoing-http.ts";
import type { OutgoingRequest } from "../../src/domain/ports.ts";
import {
  createGuardedFetch,
  type GuardedFetch,
  type GuardedFetchOptions,
} from "../../src/outbound/guarded-fetch.ts";
import { type OtherServer, startOtherServer } from "../support/http-server.ts";

let server: OtherServer;
let other: OtherServer;
const opened: GuardedFetch[] = [];

beforeAll(async () => {
  server = await startOtherServer();
  other = await startOtherServer();
});

afterEach(async () => {
  for (const guarded of opened.splice(0)) await guarded.close();
  for (const each of [server, other]) each.answer((_request, response) => response.end("hello"));
});

afterAll(async () => {
  await server.stop();
  await other.stop();
});

function guard(options: Partial<GuardedFetchOptions> = {}): GuardedFetch {
  const guarded = createGuardedFetch({ allowedPrivateHosts: [], extraPorts: [], ...options });
  opened.push(guarded);
  return guarded;
}

/** Both servers' ports are open, but not their addresses. */
const portsOpen = () => ({ extraPorts: [server.port, other.port] });
/** Names that resolve to addresses of the test's choice, all at once. */
const resolving =
  (...addresses: readonly string[]): LookupFunction =>
  (_name, _options, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: 4 })),
    );
/** 127.0.0.1 plays the public internet, so that there is something to reach. */
const asIfPublic = () => ({
  ...portsOpen(),
  lookup: resolving("127.0.0.1"),
  isAddressAllowed: (address: string) => address === "127.0.0.1",
});

/** What a call was refused for; what it answered, if it was not. */
async function problemOf(
  guarded: GuardedFetch,
  url: string | URL,
  request?: OutgoingRequest,
): Promise<string> {
  try {
    return `answered ${await (await guarded.fetch(url, request)).text()}`;
  } catch (error) {
    if (error instanceof OutgoingHttpError) return error.problem;
    throw error;
  }
}

async function untouched(...servers: readonly OtherServer[]): Promise<() => void> {
  const before = servers.map((each) => each.connections());
  return () => expect(servers.map((each) => each.connections())).toEqual(before);
}

const redirectTo =
  (location: string, status = 302) =>
  (_request: unknown, response: ServerResponse) =>
    response.writeHead(status, { location }).end("elsewhere");

describe("security rule (SR-OUTBOUND-1): no private address is connected to", () => {
  test.each([
    ["in decimals", "127.0.0.1"],
    ["as one number", "2130706433"],
    ["in octal", "0177.0.0.01"],
    ["as one octal number", "017700000001"],
    ["in hexadecimal", "0x7f.0x0.0x0.0x1"],
    ["as one hexadecimal number", "0x7F000001"],
    ["in the short form", "127.1"],
    ["mixed", "0x7f.1"],
    ["with a dot at the end", "127.0.0.1."],
    ["in full-width digits", "１２７.０.０.１"],
    ["percent-encoded", "%31%32%37.0.0.1"],
    ["any address of this host", "0.0.0.0"],
    ["zero", "0"],
    ["IPv6", "[::1]"],
    ["mapped", "[::ffff:127.0.0.1]"],
    ["mapped, in hexadecimal", "[::ffff:7f00:1]"],
    ["NAT64", "[64:ff9b::7f00:1]"],
    ["6to4", "[2002:7f00:1::]"],
    ["IPv4-compatible", "[::127.0.0.1]"],
    ["the system's name of it", "localhost"],
    ["the same in capitals", "LOCALHOST"],
  ])("this machine %s", async (_name, host) => {
    const nobodyCame = await untouched(server);
    expect(await problemOf(guard(portsOpen()), `http://${host}:${server.port}/`)).toBe("address_refused");
    nobodyCame();
  });

  test("the control: the same call arrives where the address is an allowed one", async () => {
    const guarded = guard({ ...portsOpen(), isAddressAllowed: () => true });
    expect(await problemOf(guarded, `http://0x7f.1:${server.port}/`)).toBe("answered hello");
    expect(await problemOf(guarded, `http://localhost:${server.port}/`)).toBe("answered hello");
  });

  test("in no way of writing an address that the URL parser reads", async () => {
    const guarded = guard(portsOpen());
    const part = fc.constantFrom(
      (value: number) => String(value),
      (value: number) => `0${value.toString(8)}`,
      (value: number) => `0x${value.toString(16)}`,
      (value: number) => `0X00${value.toString(16).toUpperCase()}`,
    );
    const tail = fc.integer({ min: 0, max: 0xffffff });
    const cases = fc.tuple(
      fc.constantFrom(10, 127),
      tail,
      fc.tuple(part, part, part, part),
      fc.integer({ min: 1, max: 4 }),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([first, rest, write, count]) => {
        const number = first * 0x1000000 + rest;
        const bytes = [24, 16, 8, 0].map((shift) => (number >>> shift) & 255);
        // The last part of a short form holds all the bytes that are left.
        const parts = [...bytes.slice(0, count - 1), number % 256 ** (5 - count)];
        const host = parts.map((value, index) => write[index]?.(value)).join(".");
        expect(await problemOf(guarded, `http://${host}:${server.port}/`)).toBe("address_refused");
      }),
      { numRuns: 200 },
    );
  });

  test.each(["[fe80::1%25eth0]", "[fe80::1%eth0]", "[::1", "127.0.0.256", "a b"])(
    "%s is no URL",
    async (host) => {
      expect(await problemOf(guard(portsOpen()), `http://${host}:${server.port}/`)).toBe("url_refused");
    },
  );

  test("a name is judged by all that it resolves to, and only what is allowed is tried", async () => {
    const mixed = guard({ ...asIfPublic(), lookup: resolving("127.0.0.2", "10.0.0.1", "127.0.0.1") });
    expect(await problemOf(mixed, `http://mixed.test:${server.port}/`)).toBe("answered hello");
    const inner = guard({ ...asIfPublic(), lookup: resolving("127.0.0.2", "10.0.0.1") });
    expect(await problemOf(inner, `http://inner.test:${server.port}/`)).toBe("address_refused");
  });

  test("a name that changes its mind (DNS rebinding) is resolved once a connection, and refused then", async () => {
    const answers = ["127.0.0.1", "127.0.0.2", "127.0.0.1"];
    const asked: string[] = [];
    const lookup: LookupFunction = (name, _options, callback) => {
      asked.push(name);
      callback(null, [{ address: answers[asked.length - 1] ?? "", family: 4 }]);
    };
    const guarded = guard({ ...asIfPublic(), lookup });
    const url = `http://rebind.test:${server.port}/`;
    // The server ends each connection, so that each call makes a new one.
    server.answer((_request, response) => response.writeHead(200, { connection: "close" }).end("hello"));
    expect(await problemOf(guarded, url)).toBe("answered hello");
    expect(await problemOf(guarded, url)).toBe("address_refused");
    expect(await problemOf(guarded, url)).toBe("answered hello");
    expect(asked).toEqual(["rebind.test", "rebind.test", "rebind.test"]);
  });

  test("the refusal names the host and the remedy, but neither the address nor the path", async () => {
    const guarded = guard({ lookup: resolving("10.11.12.13") });
    const error = await guarded.fetch("http://inner.test/path?token=x").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OutgoingHttpError);
    expect(String(error)).toContain("inner.test has no public address");
    expect(String(error)).toContain("server.outbound.allowed_private_hosts");
    expect(String(error)).not.toMatch(/10\.11|path|token/);
  });

  test("a name that does not resolve is unreachable, with the resolver's word for it", async () => {
    const missing = Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" });
    const guarded = guard({ lookup: (_name, _options, callback) => callback(missing, []) });
    const error = await guarded.fetch("http://none.test/").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ problem: "unreachable", cause: { code: "ENOTFOUND" } });
  });
});

describe("URLs", () => {
  test.each([
    ["file:///etc/passwd", "url_refused"],
    ["ftp://example.com/", "url_refused"],
    ["data:text/plain,x", "url_refused"],
    ["gopher://example.com/", "url_refused"],
    ["//example.com/", "url_refused"],
    ["http://user@example.com/", "url_refused"],
    ["http://:secret@example.com/", "url_refused"],
    ["http://example.com:22/", "port_refused"],
    ["https://example.com:80/", "address_refused"],
    ["http://example.com:8080/", "port_refused"],
    ["http://example.com/", "address_refused"],
  ])("%s: %s", async (url, problem) => {
    // The address is refused for all of these, so whatever gets that far passed the rules before.
    expect(await problemOf(guard({ lookup: resolving("10.0.0.1") }), url)).toBe(problem);
  });
});

describe("hosts that the configuration allows", () => {
  test("are reached with their port, and no other host or port is", async () => {
    const guarded = guard({ allowedPrivateHosts: [`127.0.0.1:${server.port}`] });
    expect(await problemOf(guarded, server.url)).toBe("answered hello");
    expect(await problemOf(guarded, `http://localhost:${server.port}/`)).toBe("port_refused");
    expect(await problemOf(guarded, other.url)).toBe("port_refused");
    expect(await problemOf(guarded, "http://127.0.0.1/")).toBe("address_refused");
  });

  test("without a port are reached at the open ports", async () => {
    const guarded = guard({ allowedPrivateHosts: ["LocalHost"], extraPorts: [server.port] });
    expect(await problemOf(guarded, `http://localhost:${server.port}/`)).toBe("answered hello");
    expect(await problemOf(guarded, `http://localhost:${other.port}/`)).toBe("port_refused");
    expect(await problemOf(guarded, `http://sub.localhost:${server.port}/`)).not.toBe("answered hello");
  });

  test.each(["", "*", "*.internal", "http://a", "a/b", "10.0.0.0/8", "a:b", "a:99999", "::1", "u@a", "a b"])(
    "%j is none",
    (entry) => {
      expect(() => guard({ allowedPrivateHosts: [entry] })).toThrow(RangeError);
    },
  );

  test("may be IPv6, and are compared as the parser writes them", async () => {
    const guarded = guard({ allowedPrivateHosts: [`[0:0::1]:${server.port}`, `0x7f.1:${server.port}`] });
    expect(await problemOf(guarded, server.url)).toBe("answered hello");
    // Nobody listens there, or there is no IPv6; refused it is not.
    expect(await problemOf(guarded, `http://[::1]:${server.port}/`)).toBe("unreachable");
  });
});

describe("security rule (SR-OUTBOUND-2): each redirect is checked like the first URL", () => {
  test.each([301, 302, 303, 307, 308])("%i to a private address is refused", async (status) => {
    const nobodyCame = await untouched(other);
    server.answer(redirectTo(`http://127.0.0.2:${other.port}/`, status));
    expect(await problemOf(guard(asIfPublic()), `http://a.test:${server.port}/`)).toBe("address_refused");
    nobodyCame();
  });

  test.each([
    ["to another port", () => "http://a.test:22/", "port_refused"],
    ["to another scheme", () => "file:///etc/passwd", "url_refused"],
    ["to a URL with a password", () => `http://u:p@b.test:${other.port}/`, "url_refused"],
    ["to what is no URL", () => "http://[/", "redirect_refused"],
  ])("%s is refused", async (_name, location, problem) => {
    server.answer(redirectTo(location()));
    expect(await problemOf(guard(asIfPublic()), `http://a.test:${server.port}/`)).toBe(problem);
  });

  test("three are followed and a fourth is not", async () => {
    server.answer((request, response) => {
      const left = Number(request.url?.slice(1));
      if (left === 0) response.end("arrived");
      else redirectTo(`/${left - 1}`)(request, response);
    });
    const guarded = guard(asIfPublic());
    expect(await problemOf(guarded, `http://a.test:${server.port}/3`)).toBe("answered arrived");
    expect(await problemOf(guarded, `http://a.test:${server.port}/4`)).toBe("redirect_refused");
  });

  test("none is followed for a caller who wants the redirect itself", async () => {
    server.answer(redirectTo("/next"));
    const guarded = guard(asIfPublic());
    const before = server.requests.length;
    const response = await guarded.fetch(`http://a.test:${server.port}/`, { followsRedirects: false });
    await response.body?.cancel();
    expect([response.status, response.headers.get("location")]).toEqual([302, "/next"]);
    expect(server.requests).toHaveLength(before + 1);
  });

  test("a host that the configuration allows is not reached by another server's redirect", async () => {
    const nobodyCame = await untouched(other);
    server.answer(redirectTo(`http://127.0.0.1:${other.port}/`));
    const guarded = guard({ ...asIfPublic(), allowedPrivateHosts: [`127.0.0.1:${other.port}`] });
    expect(await problemOf(guarded, `http://a.test:${server.port}/`)).toBe("redirect_refused");
    nobodyCame();
    // The control: called directly it is.
    expect(await problemOf(guarded, other.url)).toBe("answered hello");
  });

  test("credentials and other headers stay with the first origin", async () => {
    const headers = { Authorization: "Bearer x", Cookie: "a=b", "X-Api-Key": "k", Accept: "text/plain" };
    server.answer((request, response) =>
      request.url === "/again"
        ? redirectTo(`http://b.test:${other.port}/`)(request, response)
        : redirectTo("/again")(request, response),
    );
    expect(await problemOf(guard(asIfPublic()), `http://a.test:${server.port}/`, { headers })).toBe(
      "answered hello",
    );
    const again = server.requests.at(-1)?.headers ?? {};
    expect(again).toMatchObject({ authorization: "Bearer x", cookie: "a=b", "x-api-key": "k" });
    const elsewhere = other.requests.at(-1)?.headers ?? {};
    expect(elsewhere).toMatchObject({
      accept: "text/plain",
      host: `b.test:${other.port}`,
      "user-agent": "Ostiary",
    });
    for (const name of ["authorization", "cookie", "x-api-key", "referer"]) {
      expect(elsewhere).not.toHaveProperty(name);
    }
  });

  test("one that changes something is not followed: what is sent is for the first address only", async () => {
    const nobodyCame = await untouched(other);
    server.answer(redirectTo(`http://b.test:${other.port}/`, 307));
    const guarded = guard(asIfPublic());
    const request = { method: "POST", body: "secret" };
    const response = await guarded.fetch(`http://a.test:${server.port}/`, request);
    expect([response.status, await response.text()]).toEqual([307, "elsewhere"]);
    nobodyCame();
  });

  describe("with TLS", () => {
    let secure: OtherServer;
    const trusted = getCACertificates("default");
    beforeAll(async () => {
      const { cert, key } = certificateFor("a.test");
      setDefaultCACertificates([...trusted, cert]);
      secure = await startOtherServer(undefined, { cert, key });
    });
    afterAll(async () => {
      setDefaultCACertificates(trusted);
      await secure.stop();
    });
    const options = () => ({ ...asIfPublic(), extraPorts: [server.port, secure.port] });

    test("from https to http is refused, and from http to https is not", async () => {
      const guarded = guard(options());
      server.answer(redirectTo(`https://a.test:${secure.port}/`));
      expect(await problemOf(guarded, `http://a.test:${server.port}/`)).toBe("answered hello");
      secure.answer(redirectTo(`http://a.test:${server.port}/`));
      const before = server.requests.length;
      expect(await problemOf(guarded, `https://a.test:${secure.port}/`)).toBe("redirect_refused");
      expect(server.requests.length).toBe(before);
    });

    test("a certificate for another name makes the host unreachable", async () => {
      expect(await problemOf(guard(options()), `https://b.test:${secure.port}/`)).toBe("unreachable");
    });
  });
});

describe("the bounds of an answer", () => {
  const url = () => `http://a.test:${server.port}/`;

  test("a body of the limit is read, and one byte more breaks off", async () => {
    server.answer((_request, response) => response.end("x".repeat(1000)));
    const guarded = guard(asIfPublic());
    expect(await problemOf(guarded, url(), { maxResponseBytes: 1000 })).toBe(`answered ${"x".repeat(1000)}`);
    expect(await problemOf(guarded, url(), { maxResponseBytes: 999 })).toBe("too_large");
  });

  test("the limit counts what a small compressed body becomes", async () => {
    const bomb = gzipSync(Buffer.alloc(20_000_000));
    expect(bomb.length).toBeLessThan(100_000);
    server.answer((_request, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(bomb));
    expect(await problemOf(guard(asIfPublic()), url(), { maxResponseBytes: 100_000 })).toBe("too_large");
  });

  test("a body without an end is cut off, and the connection with it", async () => {
    const closed = Promise.withResolvers<void>();
    server.answer((_request, response) => {
      response.on("close", closed.resolve);
      const more = () => response.write("x".repeat(65_536), (error) => error ?? more());
      more();
    });
    expect(await problemOf(guard(asIfPublic()), url())).toBe("too_large");
    await closed.promise;
  });

  test("the time covers a silent server, a slow body and a silent redirect", async () => {
    const guarded = guard(asIfPublic());
    server.answer(() => {});
    expect(await problemOf(guarded, url(), { timeoutMs: 100 })).toBe("timed_out");
    server.answer((_request, response) => response.write("a little"));
    expect(await problemOf(guarded, url(), { timeoutMs: 100 })).toBe("timed_out");
    server.answer((request, response) => {
      if (request.url === "/") redirectTo("/next")(request, response);
    });
    expect(await problemOf(guarded, url(), { timeoutMs: 100 })).toBe("timed_out");
  });

  test("a caller that gives up gets its own reason, before and within the body", async () => {
    const guarded = guard(asIfPublic());
    const reason = new Error("no longer wanted");
    server.answer(() => {});
    const before = new AbortController();
    const waiting = guarded.fetch(url(), { signal: before.signal });
    before.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    server.answer((_request, response) => response.write("a little"));
    const within = new AbortController();
    const response = await guarded.fetch(url(), { signal: within.signal });
    const reading = response.text();
    within.abort(reason);
    await expect(reading).rejects.toBe(reason);
  });

  test("an answer that nobody reads lets go of its connection", async () => {
    const closed = Promise.withResolvers<void>();
    server.answer((_request, response) => {
      response.on("close", closed.resolve);
      response.write("a little");
    });
    const response = await guard(asIfPublic()).fetch(url());
    await response.body?.cancel();
    await closed.promise;
  });

  test("a server that breaks off or talks nonsense is unreachable", async () => {
    const guarded = guard(asIfPublic());
    server.answer((request) => request.socket.destroy());
    expect(await problemOf(guarded, url())).toBe("unreachable");
    server.answer((request) => request.socket.end("nonsense\r\n\r\n"));
    expect(await problemOf(guarded, url())).toBe("unreachable");
    server.answer((_request, response) => {
      response.writeHead(200, { "content-length": "10" });
      response.write("x", () => response.destroy());
    });
    expect(await problemOf(guarded, url())).toBe("unreachable");
  });

  test("status, headers and empty bodies arrive as they are", async () => {
    server.answer((_request, response) => response.writeHead(204, { "x-one": "1" }).end());
    const response = await guard(asIfPublic()).fetch(new URL(url()));
    expect([response.status, response.headers.get("x-one"), response.body]).toEqual([204, "1", null]);
    server.answer((_request, response) => response.writeHead(503).end("later"));
    const failed = await guard(asIfPublic()).fetch(url());
    expect([failed.status, failed.ok, await failed.text()]).toEqual([503, false, "later"]);
  });
});

test("no proxy is taken from the environment", async () => {
  const nobodyCame = await untouched(other);
  const names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"];
  for (const name of names) process.env[name] = other.url;
  try {
    expect(await problemOf(guard(asIfPublic()), `http://a.test:${server.port}/`)).toBe("answered hello");
  } finally {
    for (const name of names) delete process.env[name];
  }
  nobodyCame();
});

test("no cookie is kept", async () => {
  server.answer((_request, response) =>
    response.writeHead(200, { "set-cookie": "a=b; Path=/" }).end("hello"),
  );
  const guarded = guard(asIfPublic());
  for (let round = 0; round < 2; round++) await problemOf(guarded, `http://a.test:${server.port}/`);
  expect(server.requests.at(-1)?.headers).not.toHaveProperty("cookie");
});

test("closing ends what is under way", async () => {
  const arrived = Promise.withResolvers<void>();
  server.answer(() => arrived.resolve());
  const guarded = guard(asIfPublic());
  const call = problemOf(guarded, `http://a.test:${server.port}/`);
  await arrived.promise;
  await guarded.close();
  expect(await call).toBe("unreachable");
});

/** A certificate that only this test knows. */
function certificateFor(name: string): { readonly cert: string; readonly key: string } {
  const directory = mkdtempSync(join(tmpdir(), "ostiary-certificate-"));
  try {
    const [cert, key] = [join(directory, "cert.pem"), join(directory, "key.pem")];
    const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`];
    const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    execFileSync("openssl", ["req", "-x509", ...kind, ...subject, "-keyout", key, "-out", cert], {
      stdio: "pipe",
    });
    return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
