import { connect, type OutgoingHttpHeaders } from "node:http2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allowedOrigin, foreignOrigin, type Running, startListener } from "./harness.ts";
import { exchangeBytes, parseResponse } from "./raw.ts";

const unary = "/ostiary.session.v1.SessionService/CheckSession";
const page = "text/html,application/xhtml+xml,*/*;q=0.8";

let running: Running;
let admin: Running;
beforeAll(async () => {
  running = await startListener({
    httpRoutes: new Map([
      ["/ui/login", (exchange, headers) => exchange.respond({ status: 200, headers, body: "the page" })],
    ]),
  });
  admin = await startListener({ name: "admin" });
});
afterAll(() => Promise.all([running.close(), admin.close()]));

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** Cookies as other applications of the site set them. */
const cookiesOf = (bytes: number, each = 4_000) =>
  Array.from({ length: Math.ceil(bytes / each) }, (_, index) => {
    const name = `_ga_${index}=`;
    return name + "x".repeat(Math.min(each, bytes - index * each) - name.length);
  });

type Send = (
  to: Running,
  method: string,
  path: string,
  headers: Record<string, string>,
  cookies: readonly string[],
) => Promise<Answer>;

const overHttp1: Send = async (to, method, path, headers, cookies) => {
  const fields = { host: "localhost", connection: "close", ...headers, cookie: cookies.join("; ") };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return parseResponse(await exchangeBytes(to.port, `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`));
};

// One field for each cookie, as browsers do.
const overHttp2: Send = async (to, method, path, headers, cookies) => {
  const client = connect(to.baseUrl, { maxSendHeaderBlockLength: 1024 * 1024 });
  try {
    const fields: OutgoingHttpHeaders = {
      ":method": method,
      ":path": path,
      ...headers,
      cookie: [...cookies],
    };
    const stream = client.request(fields, { endStream: true });
    const received = new Headers();
    let [status, body] = [0, ""];
    stream.on("response", (answer) => {
      status = answer[":status"] ?? 0;
      for (const [name, value] of Object.entries(answer)) {
        if (!name.startsWith(":")) received.append(name, String(value));
      }
    });
    for await (const chunk of stream) body += String(chunk);
    return { status, headers: received, body };
  } finally {
    client.destroy();
  }
};

describe.each<[string, Send]>([
  ["HTTP/1.1", overHttp1],
  ["HTTP/2", overHttp2],
])("cookies of other applications over %s", (_protocol, send) => {
  const open = (bytes: number, headers: Record<string, string> = {}, path = "/ui/login") =>
    send(running, "GET", path, { accept: page, ...headers }, cookiesOf(bytes));

  test.each([8_000, 16_000, 20_000, 31_000])("%d bytes are no obstacle", async (bytes) => {
    expect(await open(bytes)).toMatchObject({ status: 200, body: "the page" });
  });

  // A person saw the bare JSON of an error.
  test.each([33_000, 40_000, 64_000, 100_000, 130_000])(
    "beyond the limit (%d bytes) a person reads what to do",
    async (bytes) => {
      const { status, headers, body } = await open(bytes, {}, '/ui/login?return_to=%22x&y="<');
      expect(status).toBe(431);
      expect(headers.get("content-type")).toBe("text/html; charset=utf-8");
      const policy = headers.get("content-security-policy");
      expect(policy).toContain("default-src 'none'");
      expect(policy).not.toContain("script");
      expect(policy).not.toContain("unsafe");
      expect(headers.get("cache-control")).toBe("no-store");
      expect(body).toContain("<form");
      expect(body).not.toContain("<script");
      // What was asked for is not written into the page as it is.
      expect(body).not.toContain('y="<');
      expect(body).not.toContain("_ga_");
    },
  );

  test.each(["GET", "HEAD"])("%s of a page gets the page, and everything else JSON", async (method) => {
    const asked = await send(running, method, "/ui/login", { accept: page }, cookiesOf(40_000));
    expect([asked.status, asked.headers.get("content-type")]).toEqual([431, "text/html; charset=utf-8"]);
    for (const accept of ["*/*", "application/json", "image/png"]) {
      const other = await send(running, method, "/ui/login", { accept }, cookiesOf(40_000));
      expect([other.status, other.headers.get("content-type")]).toEqual([431, "application/json"]);
    }
  });

  test("the page is in the language of the browser, with the name of the service", async () => {
    const german = await open(40_000, { "accept-language": "de-DE,de;q=0.9,en;q=0.8" });
    expect(german.headers.get("content-language")).toBe("de");
    expect(german.body).toContain('<html lang="de">');
    expect(german.body).toContain("<h1>Ihr Browser sendet zu viele Cookies</h1>");
    expect(german.body).toMatch(/<title>Zu viele Cookies · [^<]+<\/title>/);
    expect(german.body).toContain('können Sie es <a href="/ui/login">noch einmal versuchen</a>.');
  });

  // A provider posts its answer by a form of its page: the person saw JSON.
  test("a form that a page posts gets the page as well", async () => {
    const headers = { accept: page, "content-type": "application/x-www-form-urlencoded" };
    const answer = await send(running, "POST", "/oidc/callback/acme", headers, cookiesOf(40_000));
    expect([answer.status, answer.headers.get("content-type")]).toEqual([431, "text/html; charset=utf-8"]);
    expect(answer.body).toContain('<a href="/oidc/callback/acme">');
  });

  test("the admin listener, which has no such button, answers with JSON", async () => {
    const answer = await send(admin, "GET", "/health/alive", { accept: page }, cookiesOf(40_000));
    expect([answer.status, answer.headers.get("content-type")]).toEqual([431, "application/json"]);
  });

  test("an application reads the reason and the request id, if its origin is allowed", async () => {
    const call = (origin: string) =>
      send(running, "POST", unary, { origin, "content-type": "application/json" }, cookiesOf(40_000));
    const allowed = await call(allowedOrigin);
    expect(allowed.status).toBe(431);
    expect(allowed.headers.get("access-control-allow-origin")).toBe(allowedOrigin);
    expect(allowed.headers.get("access-control-allow-credentials")).toBe("true");
    expect(allowed.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    expect(JSON.parse(allowed.body)).toMatchObject({
      code: "resource_exhausted",
      details: [{ debug: { reason: "HEADERS_TOO_LARGE", metadata: { limitBytes: "32768" } } }, {}, {}],
    });
    expect((await call(foreignOrigin)).headers.get("access-control-allow-origin")).toBeNull();
  });

  test("the admin listener has the same limits", async () => {
    const ask = (bytes: number) => send(admin, "GET", "/health/alive", {}, cookiesOf(bytes));
    expect((await ask(31_000)).status).toBe(200);
    expect((await ask(40_000)).status).toBe(431);
  });
});

describe("the button that deletes the cookies of the site", () => {
  const press = (
    headers: Record<string, string>,
    bytes: number,
    to = "%2Fui%2Flogin%3Fa%3Db",
    method = "POST",
  ) =>
    overHttp1(
      running,
      method,
      `/clear-cookies?to=${to}`,
      { "content-length": "0", ...headers },
      cookiesOf(bytes),
    );
  const own = { "sec-fetch-site": "same-origin" };

  test("deletes them and leads back", async () => {
    const { status, headers } = await press(own, 40_000);
    expect([status, headers.get("location")]).toEqual([303, "/ui/login?a=b"]);
    expect(headers.get("clear-site-data")).toBe('"cookies"');
    const older = await press({ origin: "http://localhost" }, 40_000);
    expect(older.headers.get("clear-site-data")).toBe('"cookies"');
  });

  // Security rule (SR-COOKIE-3): no foreign page signs people out, and nobody is signed out who can use the pages.
  test.each<[string, Record<string, string>, number, string]>([
    ["another site's page", { "sec-fetch-site": "cross-site" }, 40_000, "POST"],
    ["a sibling host's page", { "sec-fetch-site": "same-site", origin: "http://localhost" }, 40_000, "POST"],
    ["another origin", { origin: foreignOrigin }, 40_000, "POST"],
    ["nobody", {}, 40_000, "POST"],
    ["a link", own, 40_000, "GET"],
    ["cookies that can be read", own, 1_000, "POST"],
  ])("does nothing for %s", async (_name, headers, bytes, method) => {
    const answer = await press(headers, bytes, undefined, method);
    expect(answer.status).toBe(303);
    expect(answer.headers.get("clear-site-data")).toBeNull();
  });

  // Security rule (SR-PAGES-2): it leads nowhere else.
  test.each(["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example", "%2Fa%0D%0Ax:y", ""])(
    "does not lead to %s",
    async (to) => {
      expect((await press(own, 40_000, to)).headers.get("location")).toBe("/");
    },
  );
});

test("what the parser itself refuses has a request id and a reason as well", async () => {
  const answer = await overHttp1(running, "GET", "/ui/login", { accept: page }, cookiesOf(400_000));
  expect(answer.status).toBe(431);
  expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  expect(answer.body).toContain("HEADERS_TOO_LARGE");
});
