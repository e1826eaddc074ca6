// mail/pwned: a mirror of the list of breached passwords that answers in all ways, asked at registrations.
import type { RequestListener } from "node:http";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { freshEmail } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { Caller, resultOf } from "../support/caller.ts";
import { digestOf, type RangeServer, startRangeServer } from "../support/range-server.ts";

const breached = "harbour of everybody";
const unknown = "violet harbour 92 kettle";

let mirror: RangeServer;
type Name = "lenient" | "strict";
/** Where the mirror is away, the one lets people pass and the other one does not. */
const servers = new Map<Name, { readonly app: TestApp; readonly caller: Caller }>();

beforeAll(async () => {
  mirror = await startRangeServer({});
  const outbound = {
    allowed_private_hosts: [`127.0.0.1:${mirror.port}`],
    breached_passwords: { url: mirror.url, timeout: "3s" },
  };
  for (const [name, when_unavailable] of [
    ["lenient", "accept"],
    ["strict", "refuse"],
  ] as const) {
    const password = { breach_check: { enabled: true, when_unavailable } };
    const app = await startTestApp({ config: { server: { outbound }, tenant_defaults: { password } } });
    servers.set(name, { app, caller: new Caller(app) });
  }
});

// What was known has ended by then, and so has the pause after failures.
beforeEach(() => {
  for (const { app } of servers.values()) app.clock.advance(7_200_000);
});

afterAll(async () => {
  for (const { app } of servers.values()) await app.stop();
  await mirror.stop();
});

/** The lines of a prefix: three hundred of others, and the breached password's if it is among them. */
function linesOf(url = "", count = "42"): string[] {
  const prefix = url.slice(-5);
  const others = Array.from(
    { length: 300 },
    (_, index) => `${digestOf(`${prefix} ${index}`).slice(5)}:${index % 9}`,
  );
  const digest = digestOf(breached);
  return [...others, ...(digest.startsWith(prefix) ? [`${digest.slice(5)}:${count}`] : [])].sort();
}

const text = (url: string | undefined) => linesOf(url).join("\r\n");
const ok =
  (change: (body: string) => string | Buffer, headers: Record<string, string> = {}): RequestListener =>
  (request, response) =>
    response.writeHead(200, headers).end(change(text(request.url)));
const fails =
  (status: number, headers: Record<string, string> = {}): RequestListener =>
  (request, response) =>
    response.writeHead(status, headers).end(text(request.url));
const half = (body: string) => body.slice(0, body.indexOf("\r\n", body.length / 2));

/** What becomes of a registration with a password. */
async function ask(name: Name, password: string): Promise<string | undefined> {
  const answer = await servers.get(name)?.caller.register(freshEmail(), password);
  return answer && resultOf(answer);
}

test.each<[string, RequestListener]>([
  ["as it should", ok((body) => body)],
  ["in lower case", ok((body) => body.toLowerCase())],
  ["with bare line feeds", ok((body) => body.replaceAll("\r", ""))],
  ["with empty lines at its end", ok((body) => `${body}\r\n\r\n`)],
  ["with a byte order mark", ok((body) => `\ufeff${body}`)],
  ["compressed", ok((body) => gzipSync(body), { "content-encoding": "gzip" })],
  [
    "in pieces",
    (request, response) => {
      const body = text(request.url);
      response.write(body.slice(0, 101));
      setImmediate(() => response.end(body.slice(101)));
    },
  ],
  ["as another type", ok((body) => body, { "content-type": "application/json" })],
  [
    "from elsewhere on the same host",
    (request, response) => {
      if (request.url?.startsWith("/range2/")) return response.end(text(request.url));
      response.writeHead(301, { location: `/range2/${request.url?.slice(-5)}` }).end();
    },
  ],
])("a list that comes %s is read: what is on it is refused, what is not is taken", async (_name, answer) => {
  mirror.answer(answer);
  for (const name of ["lenient", "strict"] as const) {
    expect(await ask(name, breached)).toBe("rejected PASSWORD_REJECTED");
    expect(await ask(name, unknown)).toBe("completed");
  }
});

test.each<[string, RequestListener]>([
  ["padding that has it", (request, response) => response.end(linesOf(request.url, "0").join("\r\n"))],
  ["those of another prefix", (_request, response) => response.end(text("/range/00000"))],
])("a list with %s refuses nothing", async (_name, answer) => {
  mirror.answer(answer);
  for (const name of ["lenient", "strict"] as const) expect(await ask(name, breached)).toBe("completed");
});

test.each<[string, RequestListener]>([
  ["a login page", ok(() => "<html><body>log in please</body></html>", { "content-type": "text/html" })],
  ["nothing", ok(() => "")],
  ["blanks within lines", ok((body) => body.replaceAll(":", ": "))],
  ["an object", ok(() => '{"found":0}', { "content-type": "application/json" })],
  ["500", fails(500)],
  ["503", fails(503)],
  ["429", fails(429, { "retry-after": "2" })],
  ["404", fails(404)],
  ["204", (_request, response) => response.writeHead(204).end()],
  [
    "bytes that are not compressed as they say",
    ok(() => "\u000b\u0002nonsense", { "content-encoding": "br" }),
  ],
  [
    "half of what it announces",
    (request, response) => {
      const body = text(request.url);
      response.writeHead(200, { "content-length": String(body.length) });
      response.write(half(body), () => response.socket?.destroy());
    },
  ],
  [
    "pieces without an end",
    (request, response) => {
      response.write(half(text(request.url)), () => response.socket?.destroy());
    },
  ],
  ["far too much", ok((body) => `${body}\r\n`.repeat(2_000))],
  ["a closed connection", (request) => request.socket.destroy()],
  ["a redirect in a circle", (request, response) => response.writeHead(302, { location: request.url }).end()],
  ["silence", () => {}],
  [
    "a drop now and then",
    (request, response) => {
      const body = text(request.url);
      response.writeHead(200, { "content-length": String(body.length) });
      const drops = body.match(/.{20}/gs) ?? [];
      const timer = setInterval(() => response.write(drops.shift() ?? ""), 100);
      response.on("close", () => clearInterval(timer));
    },
  ],
])(
  "%s is no list: it is decided as configured, and never as if the password were on none",
  async (_name, answer) => {
    mirror.answer(answer);
    const asked = await Promise.all([ask("strict", breached), ask("lenient", breached)]);
    expect(asked).toEqual(["503 BREACH_CHECK_UNAVAILABLE", "completed"]);
  },
);
