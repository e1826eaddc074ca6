import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Logger } from "../../src/domain/ports.ts";
import { Secret } from "../../src/domain/secret.ts";
import { createBreachedPasswords } from "../../src/outbound/breached-passwords.ts";
import { createGuardedFetch, type GuardedFetch } from "../../src/outbound/guarded-fetch.ts";
import { TestClock } from "../support/clock.ts";
import { digestOf, type RangeServer, startRangeServer } from "../support/range-server.ts";

const breached = { "hunter2 is everywhere": 42, "seen once": 1, "pa\u00dfwort sch\u00f6n": 7 };

let server: RangeServer;
let http: GuardedFetch;
let clock: TestClock;
let log: string[];
let passwords: ReturnType<typeof service>;

beforeEach(async () => {
  server = await startRangeServer(breached);
  http = createGuardedFetch({ allowedPrivateHosts: [`127.0.0.1:${server.port}`], extraPorts: [] });
  clock = new TestClock();
  log = [];
  passwords = service();
});

afterEach(async () => {
  await http.close();
  await server.stop();
});

function service(change: { readonly url?: string; readonly timeoutMs?: number } = {}) {
  const write = (level: string) => (fields: object, message: string) => {
    log.push(`${level} ${message} ${inspect(fields, { depth: 10 })}`);
  };
  const logger: Logger = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
  const { url = server.url, timeoutMs = 5_000 } = change;
  const options = { url: () => new Secret(url), timeoutMs, cacheLifetimeMs: 3_600_000 };
  return createBreachedPasswords({ ...options, http, clock, logger });
}

describe("the range protocol", () => {
  test.each(Object.entries(breached))("%s was found %i times", async (password, count) => {
    expect(await passwords.countOf(password)).toBe(count);
  });

  test("what is not in the range was not found, and padding counts as nothing", async () => {
    expect(await passwords.countOf("never seen anywhere")).toBe(0);
    const padding = digestOf("padded");
    server.answer((_request, response) => response.end(`${padding.slice(5)}:0\r\n${"0".repeat(35)}:9`));
    expect(await passwords.countOf("padded")).toBe(0);
  });

  test("the password is asked for as it is hashed: in NFC", async () => {
    expect(await passwords.countOf("pa\u00dfwort scho\u0308n")).toBe(7);
  });

  test("lower case, bare line feeds and an end of line at the end are read as well", async () => {
    const rest = digestOf("mirrored").slice(5).toLowerCase();
    server.answer((_request, response) => response.end(`${"0".repeat(35)}:3\n${rest}:12\n`));
    expect(await passwords.countOf("mirrored")).toBe(12);
  });

  test("a mirror may be below a path, with or without a slash at its end", async () => {
    for (const path of ["/mirror", "/mirror/"]) await service({ url: server.url + path }).countOf("x");
    expect(server.requests.map((request) => request.url)).toEqual([
      `/mirror/range/${digestOf("x").slice(0, 5)}`,
      `/mirror/range/${digestOf("x").slice(0, 5)}`,
    ]);
  });
});

describe("security rule (SR-PASSWORD-2): five digits of a digest are all that leaves the process", () => {
  test("the request has nothing else of the password, and asks for padding", async () => {
    const password = "hunter2 is everywhere";
    await passwords.countOf(password);
    const [request] = server.requests;
    expect(request?.url).toBe(`/range/${digestOf(password).slice(0, 5)}`);
    expect(request?.headers["add-padding"]).toBe("true");
    const sent = [request?.method, request?.url, ...(request?.rawHeaders ?? [])].join("\n");
    expect(sent.toLowerCase()).not.toContain("hunter2");
    // The next digit already would narrow it down by sixteen.
    expect(sent.toUpperCase()).not.toContain(digestOf(password).slice(0, 6));
    expect(sent.toUpperCase()).not.toContain(digestOf(password).slice(5));
  });

  test.each([
    ["an error", () => server.answer((_request, response) => response.writeHead(500).end())],
    ["nonsense", () => server.answer((_request, response) => response.end("nonsense"))],
    ["a broken connection", () => server.answer((request) => request.socket.destroy())],
    ["nobody there", () => server.stop()],
  ])("the log has none of it, also with %s", async (_name, breakIt) => {
    const password = "hunter2 is everywhere";
    await breakIt();
    expect(await passwords.countOf(password)).toBeUndefined();
    expect(log).toHaveLength(1);
    expect(log.join()).not.toContain("hunter2");
    expect(log.join().toUpperCase()).not.toContain(digestOf(password).slice(0, 5));
    // The control: it does say which service it is.
    expect(log.join()).toContain(`127.0.0.1:${server.port}`);
  });
});

describe("answers", () => {
  test("are kept for their time, not longer", async () => {
    await passwords.countOf("seen once");
    clock.advance(3_599_999);
    await passwords.countOf("seen once");
    expect(server.requests).toHaveLength(1);
    clock.advance(2);
    await passwords.countOf("seen once");
    expect(server.requests).toHaveLength(2);
    expect(passwords.figures).toEqual({ hits: 1, misses: 2, entries: 1 });
  });

  test("are kept up to a bound", async () => {
    const filling = Array.from({ length: 9_000 }, (_, index) => `${String(index).padStart(35, "0")}:1`);
    const size = filling.join("\n").length;
    server.answer((_request, response) => response.end(filling.join("\n")));
    const names = Array.from({ length: Math.ceil((16 * 1024 * 1024) / size) + 1 }, (_, index) => `n${index}`);
    for (const name of names) await passwords.countOf(name);
    expect(server.requests).toHaveLength(names.length);
    await passwords.countOf(names.at(-1) ?? "");
    expect(server.requests).toHaveLength(names.length);
    await passwords.countOf(names[0] ?? "");
    expect(server.requests).toHaveLength(names.length + 1);
  });

  test("are shared by those who ask at the same time", async () => {
    const counts = await Promise.all(Array.from({ length: 16 }, () => passwords.countOf("seen once")));
    expect(counts).toEqual(counts.map(() => 1));
    expect(server.requests).toHaveLength(1);
  });

  test("that failed are not kept", async () => {
    server.answer((_request, response) => response.writeHead(500).end());
    expect(await passwords.countOf("seen once")).toBeUndefined();
    server.recover();
    expect(await passwords.countOf("seen once")).toBe(1);
  });
});

describe("the service cannot be asked", () => {
  const line = `${"0".repeat(35)}:1\r\n`;
  test.each<[string, (send: (status: number, body: string | Buffer) => void) => void]>([
    ["if it answers 500", (send) => send(500, line)],
    ["if it answers 404", (send) => send(404, "")],
    ["if it answers 204", (send) => send(204, "")],
    ["if it wants to wait (429)", (send) => send(429, line)],
    ["if it answers with a page", (send) => send(200, "<html>please log in</html>")],
    ["if it answers with nothing", (send) => send(200, "")],
    ["if one line is no digest", (send) => send(200, `${line}oops\r\n${line}`)],
    ["if a count is no number", (send) => send(200, `${"0".repeat(35)}:many`)],
    ["if it answers with bytes", (send) => send(200, Buffer.from([0xff, 0xfe, 0, 1]))],
    ["if it answers with too much", (send) => send(200, line.repeat(20_000))],
    ["if it never answers", () => {}],
  ])("%s", async (_name, respond) => {
    server.answer((_request, response) => {
      respond((status, body) => response.writeHead(status).end(body));
    });
    expect(await service({ timeoutMs: 300 }).countOf("seen once")).toBeUndefined();
  });

  test("if it redirects onto a private network", async () => {
    server.answer((_request, response) => response.writeHead(302, { location: "http://10.0.0.1/" }).end());
    expect(await passwords.countOf("seen once")).toBeUndefined();
  });

  test("if it is on a private network that the configuration does not allow, and the log says what to do", async () => {
    expect(await service({ url: "http://127.0.0.1" }).countOf("seen once")).toBeUndefined();
    expect(log.join()).toContain("server.outbound.allowed_private_hosts");
  });
});

describe("an outage", () => {
  const broken = () => server.answer((_request, response) => response.writeHead(503).end());

  test("is told to the log once, and its end once", async () => {
    broken();
    for (const name of ["a", "b", "c", "d"]) await passwords.countOf(name);
    expect(log.map((text) => text.slice(0, 4))).toEqual(["warn"]);
    clock.advance(10_001);
    await passwords.countOf("e");
    expect(log).toHaveLength(1);
    server.recover();
    clock.advance(10_001);
    await passwords.countOf("f");
    await passwords.countOf("g");
    expect(log.map((text) => text.slice(0, 4))).toEqual(["warn", "info"]);
    broken();
    await passwords.countOf("h");
    expect(log.map((text) => text.slice(0, 4))).toEqual(["warn", "info", "warn"]);
  });

  test("of three failures keeps nobody waiting for ten seconds, but for what is known already", async () => {
    await passwords.countOf("seen once");
    broken();
    for (const name of ["a", "b", "c", "d", "e"]) expect(await passwords.countOf(name)).toBeUndefined();
    expect(server.requests).toHaveLength(1 + 3);
    expect(await passwords.countOf("seen once")).toBe(1);
    server.recover();
    expect(await passwords.countOf("a")).toBeUndefined();
    clock.advance(10_000);
    expect(await passwords.countOf("a")).toBe(0);
    expect(server.requests).toHaveLength(1 + 3 + 1);
  });

  test("of one failure is none: the next password is asked for at once", async () => {
    broken();
    await passwords.countOf("a");
    await passwords.countOf("b");
    server.recover();
    expect(await passwords.countOf("seen once")).toBe(1);
  });
});
