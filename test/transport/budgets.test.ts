import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type Settings } from "node:http2";
import { createConnection, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { createClient } from "@connectrpc/connect";
import { afterEach, describe, expect, test, vi } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { Health } from "../../gen/grpc/health/v1/health_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { domainError } from "../../src/domain/errors.ts";
import {
  type BudgetSettings,
  type Budgets,
  createBudgets,
  watchBudgets,
} from "../../src/transport/budgets.ts";
import { Metrics } from "../../src/transport/metrics/metrics.ts";
import { renderPrometheus } from "../../src/transport/metrics/prometheus.ts";
import { sessionCookieName } from "../../src/transport/net/cookies.ts";
import {
  detailOf,
  errorOf,
  goodCookie,
  goodToken,
  identityClient,
  protocols,
  type Running,
  sessionClient,
  startListener,
  testAccess,
  testTenant,
  transportOf,
  unknownKey,
} from "./harness.ts";
import { open } from "./raw.ts";

const check = "/ostiary.session.v1.SessionService/CheckSession";
const good = '{"token":"a"}';
const callBytes = 16 * 1024;
const plenty = { total: 1_000, share: 1_000 };

let running: Running;
let budgets: Budgets;
const opened: { destroy(): void }[] = [];

async function start(
  settings: Partial<BudgetSettings>,
  options: Parameters<typeof startListener>[0] = {},
): Promise<void> {
  const requestBytes = { total: 1_000 * callBytes, share: 1_000 * callBytes };
  budgets = createBudgets({ connections: plenty, streams: plenty, requestBytes, ...settings });
  running = await startListener({ budgets, ...options });
}

afterEach(async () => {
  for (const each of opened.splice(0)) each.destroy();
  await running.close();
});

function session(settings: Settings = {}): ClientHttp2Session {
  const client = connect(running.baseUrl, { settings });
  client.on("error", () => {});
  opened.push(client);
  return client;
}

/** A call over HTTP/2 whose body does not end. */
function unfinished(client: ClientHttp2Session, headers: Record<string, string> = {}, bytes = 10) {
  const type = { "content-type": "application/json" };
  const stream = client.request(
    { ":method": "POST", ":path": check, ...type, ...headers },
    { endStream: false },
  );
  stream.on("error", () => {}).resume();
  stream.write(Buffer.alloc(bytes, " "));
  return stream;
}

/** A client that never reads an answer. */
const readsNothing: Settings = { initialWindowSize: 0 };

const called = () =>
  eventually(() => expect(running.log.filter(({ message }) => message === "call")).not.toHaveLength(0));

/** The reason and scope of what a stream is refused with. */
async function refusalOf(stream: ClientHttp2Stream): Promise<string> {
  let text = "";
  stream.on("data", (chunk) => {
    text += String(chunk);
  });
  await once(stream, "close");
  return /"reason":"(\w+)"/.exec(text)?.[1] ?? text;
}

/** Waits as long as a busy machine may take. */
const eventually = (check: () => unknown) => vi.waitFor(check, { timeout: 10_000 });

const held = () => budgets.calls.strangers.bytes.held;
const holds = (calls: number) => eventually(() => expect(held()).toBe(calls * callBytes));

async function reasonOf(call: Promise<unknown>): Promise<string | undefined> {
  return detailOf(await errorOf(call), ErrorInfoSchema)?.reason;
}

describe("security rule (SR-LIMIT-13): what a call holds is given back, however it ends", () => {
  const http1 = async (text: string): Promise<Socket> => {
    const socket = await open(running.port);
    socket.on("error", () => {}).resume();
    opened.push(socket);
    socket.write(text);
    return socket;
  };
  const head = (length: number) =>
    `POST ${check} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;

  test.each<[string, () => Promise<unknown>]>([
    ["answered", async () => unfinished(session()).end(good)],
    ["answered, and never read", async () => unfinished(session(readsNothing)).end(good)],
    ["failed, and never read", async () => unfinished(session(readsNothing)).end("{")],
    [
      "reset by the client",
      async () => {
        const stream = unfinished(session());
        await holds(1);
        stream.close(8);
      },
    ],
    ["too large", async () => unfinished(session(), {}, 40 * 1024)],
    ["malformed", async () => unfinished(session()).end("{")],
    [
      "without its connection, over HTTP/2",
      async () => {
        const client = session();
        unfinished(client);
        await holds(1);
        client.destroy();
      },
    ],
    [
      "without its connection, over HTTP/1.1",
      async () => {
        const socket = await http1(`${head(100)}{`);
        await holds(1);
        socket.destroy();
      },
    ],
    ["answered, over HTTP/1.1", async () => http1(head(good.length) + good)],
    [
      "answered behind a pipelined call that is not, and then without its connection",
      async () => {
        const never = '{"token":"wait"}';
        const socket = await http1(`${head(never.length)}${never}${head(good.length)}${good}`);
        await holds(2);
        socket.destroy();
      },
    ],
    ["too late", async () => unfinished(session())],
    ["failed", async () => unfinished(session()).end('{"token":"crash"}')],
    ["past its deadline", async () => unfinished(session(), { "connect-timeout-ms": "20" })],
    [
      "a stream",
      async () =>
        unfinished(session(), {
          ":path": "/grpc.health.v1.Health/Watch",
          "content-type": "application/connect+json",
        }),
    ],
  ])("%s", async (_, call) => {
    await start({}, { limits: { headerTimeoutMs: 300, requestTimeoutMs: 300 } });
    await call();
    await called();
    await eventually(() => {
      expect(held()).toBe(0);
      expect(budgets.calls.strangers.streams.held).toBe(0);
      expect(budgets.calls.lookups.held).toBe(0);
    });
  });
});

describe("security rule (SR-LIMIT-13): a call holds its share as long as the server works for it", () => {
  const gate = () => Promise.withResolvers<void>();
  const servedBy = (handler: () => Promise<object>) => ({
    services: [{ service: SessionService, implementation: { checkSession: handler } }],
  });
  const pinged = (client: ClientHttp2Session) => new Promise((resolve) => client.ping(resolve));

  test("also past its deadline, until its handler has ended", async () => {
    const handled = gate();
    await start(
      {},
      servedBy(async () => {
        await handled.promise;
        return {};
      }),
    );
    const client = session();
    const stream = unfinished(client, { "connect-timeout-ms": "20" }).end(good);
    await once(stream, "close");
    await pinged(client);
    expect(held()).toBe(callBytes);
    handled.resolve();
    await holds(0);
  });

  test("also while the key of a server that calls for it is looked up, then for the client that it names", async () => {
    const lookedUp = gate();
    const access = testAccess(testTenant());
    const forwardingKey: typeof access.forwardingKey = async (...asked) => {
      await lookedUp.promise;
      return access.forwardingKey(...asked);
    };
    const share = { total: 10 * callBytes, share: 2 * callBytes };
    await start({ requestBytes: share }, { access: { ...access, forwardingKey } });
    const client = session();
    const from = (address: string) =>
      unfinished(client, {
        "ostiary-api-key": "ost_key_client:forward",
        "ostiary-client-address": address,
        "ostiary-client-user-agent": "test",
      });
    from("192.0.2.1");
    from("192.0.2.2");
    await holds(2);
    lookedUp.resolve();
    // The share of the server itself is free again.
    await eventually(() =>
      expect(budgets.calls.strangers.bytes.shortageOf("127.0.0.1", 2 * callBytes)).toBe(undefined),
    );
    from("192.0.2.3");
    await holds(3);
  });

  test("by the size of its message when that is larger than what was sent", async () => {
    const handled = gate();
    const createIdentity = async () => {
      await handled.promise;
      return {};
    };
    const services = [{ service: IdentityService, implementation: { createIdentity } }];
    await start({}, { name: "admin", services });
    const text = JSON.stringify({
      schemaId: "default",
      traits: { texts: Array(10).fill("a".repeat(4_000)) },
    });
    unfinished(
      session(),
      {
        ":path": "/ostiary.identity.v1.IdentityService/CreateIdentity",
        authorization: "Bearer ost_key_identity:create",
        "content-encoding": "gzip",
      },
      0,
    ).end(gzipSync(text));
    await eventually(() => expect(budgets.calls.known.bytes.held).toBe(text.length));
    handled.resolve();
    await eventually(() => expect(budgets.calls.known.bytes.held).toBe(0));
  });

  test("also when it is refused, until its answer was read", async () => {
    await start({});
    budgets.calls.known.bytes.take("others", 1_000 * callBytes);
    const path = "/ostiary.session.v1.SessionService/GetCurrentSession";
    unfinished(session(readsNothing), { ":path": path, authorization: `Bearer ${goodToken}` }).end("{}");
    await called();
    expect(held()).toBe(callBytes);
  });
});

test("security rule (SR-LIMIT-13): a path of the admin listener that asks for a key gives back what it held", async () => {
  await start({}, { name: "admin" });
  const headers = { "x-forwarded-for": "192.0.2.1" };
  expect((await fetch(`${running.baseUrl}/metrics`, { headers })).status).toBe(401);
  await holds(0);
});

describe("security rule (SR-LIMIT-12): strangers have a budget of request bytes", () => {
  const share = { total: 10 * callBytes, share: 2 * callBytes };

  test.each(protocols)("for each client IP, over %s", async (protocol) => {
    await start({ requestBytes: share });
    const client = session();
    unfinished(client);
    const last = unfinished(client);
    await holds(2);
    expect(await reasonOf(sessionClient(protocol, running.baseUrl).checkSession({ token: "a" }))).toBe(
      "RATE_LIMITED",
    );
    last.close();
    await holds(1);
    await sessionClient(protocol, running.baseUrl).checkSession({ token: "a" });
  });

  test("that counts what has arrived, not what is declared", async () => {
    await start(
      { requestBytes: { total: 10 * callBytes, share: 20 * 1024 } },
      { maxRequestBytes: 64 * 1024 },
    );
    const path = "/ostiary.session.v1.SessionService/CheckSession";
    const stream = unfinished(session(), { ":path": path }, callBytes - 1);
    await holds(1);
    expect(stream.closed).toBe(false);
    expect(running.seen.calls).toBe(0);
  });

  test("for the process, and another client IP is refused only then", async () => {
    await start({ requestBytes: { total: 3 * callBytes, share: 2 * callBytes } });
    const client = session();
    unfinished(client);
    unfinished(client);
    await holds(2);
    const fromElsewhere = () =>
      new Promise<string>((resolve, reject) => {
        const options = {
          method: "POST",
          localAddress: "127.0.0.2",
          headers: { "content-type": "application/json" },
        };
        const call = request(running.baseUrl + check, options, async (response: IncomingMessage) => {
          let text = "";
          for await (const chunk of response) text += String(chunk);
          resolve(text);
        });
        call.on("error", reject).end(good);
      });
    expect(await fromElsewhere()).not.toContain("reason");
    await holds(2);
    const other = connect(running.baseUrl, { localAddress: "127.0.0.3" } as object);
    opened.push(other);
    unfinished(other);
    await holds(3);
    expect(await fromElsewhere()).toContain('"reason":"SERVER_OVERLOADED"');
  });

  test("for each client that a trusted proxy names, on one connection; IPv6 by its /64", async () => {
    await start({ requestBytes: share }, { trustedProxies: ["127.0.0.1"] });
    const client = session();
    const from = (ip: string) => unfinished(client, { "x-forwarded-for": ip });
    from("2001:db8::1");
    from("2001:db8::2");
    await holds(2);
    expect(await refusalOf(from("2001:db8::3"))).toBe("RATE_LIMITED");
    expect(await refusalOf(from("2001:db8:0:1::3").end(good))).toBe('{"session":{"id":"a"}}');
  });

  test("for both listeners together", async () => {
    await start({ requestBytes: share });
    const admin = await startListener({ name: "admin", budgets });
    opened.push({ destroy: () => void admin.close() });
    const client = session();
    unfinished(client);
    unfinished(client);
    await holds(2);
    const health = createClient(Health, transportOf("gRPC binary", admin.baseUrl));
    expect(await reasonOf(health.check({}))).toBe("RATE_LIMITED");
  });

  test("and an HTTP/2 connection takes no more calls after fifty that had no room", async () => {
    await start({ requestBytes: share });
    const client = session();
    const goaway = once(client, "goaway");
    for (let index = 0; index < 52; index++) unfinished(client);
    await goaway;
    await holds(2);
  });
});

test("security rule (SR-LIMIT-12): the connection of a trusted proxy takes calls after fifty of one client that had no room", async () => {
  await start(
    { requestBytes: { total: 10 * callBytes, share: callBytes } },
    { trustedProxies: ["127.0.0.1"] },
  );
  const client = session();
  const from = (ip: string) => unfinished(client, { "x-forwarded-for": ip });
  from("192.0.2.1");
  await holds(1);
  const refusals = Array.from({ length: 52 }, () => refusalOf(from("192.0.2.1")));
  expect(new Set(await Promise.all(refusals))).toEqual(new Set(["RATE_LIMITED"]));
  expect(await refusalOf(from("192.0.2.2").end(good))).toBe('{"session":{"id":"a"}}');
});

describe("security rule (SR-LIMIT-14): a caller with a valid credential is served when strangers have used up their budget", () => {
  const none = { total: callBytes, share: callBytes };

  async function startUsedUp(name: "public" | "admin" = "public"): Promise<void> {
    await start({ requestBytes: none }, { name, trustedProxies: [] });
    const path = name === "public" ? check : "/grpc.health.v1.Health/Check";
    unfinished(session(), { ":path": path });
    await holds(1);
  }

  test.each(protocols)("over %s", async (protocol) => {
    await startUsedUp();
    const call = (headers: Record<string, string>) =>
      sessionClient(protocol, running.baseUrl, headers).checkSession({ token: "a" });
    expect(await reasonOf(call({}))).toBe("RATE_LIMITED");
    expect(await reasonOf(call({ authorization: "Bearer ost_ses_bad" }))).toBe("RATE_LIMITED");
    expect(await reasonOf(call({ authorization: `Bearer ${unknownKey}` }))).toBe("RATE_LIMITED");
    expect((await call({ authorization: `Bearer ${goodToken}` })).session?.id).toBe("a");
    expect((await call({ authorization: "Bearer ost_key_any:scope" })).session?.id).toBe("a");
    expect((await call({ cookie: `${sessionCookieName(testTenant())}=${goodCookie}` })).session?.id).toBe(
      "a",
    );
    await eventually(() => expect(budgets.calls.known.bytes.held).toBe(0));
  });

  test("for a method that asks for a session, or for a key", async () => {
    await startUsedUp();
    const own = sessionClient("gRPC binary", running.baseUrl, { authorization: `Bearer ${goodToken}` });
    expect((await own.getCurrentSession({})).session?.id).not.toBe("");
    await running.close();
    await startUsedUp("admin");
    const keyed = { authorization: "Bearer ost_key_identity:read" };
    const byKey = identityClient("Connect JSON, HTTP/1.1", running.baseUrl, keyed);
    expect(
      (await byKey.getIdentity({ identityId: "01890000-0000-7000-8000-000000000001" })).identity,
    ).toBeDefined();
  });

  test("and a stranger that is refused keeps no place in the look-ups", async () => {
    await startUsedUp();
    unfinished(session(readsNothing), { cookie: "a=b" }).end(good);
    await called();
    expect(budgets.calls.lookups.held).toBe(0);
  });

  test("and without the database it is told so", async () => {
    const access = testAccess(testTenant());
    const identify = () => Promise.reject(domainError("DATABASE_UNAVAILABLE", {}));
    await start({ requestBytes: none }, { access: { ...access, identify } });
    unfinished(session());
    await holds(1);
    const client = sessionClient("Connect JSON, HTTP/1.1", running.baseUrl, {
      authorization: `Bearer ${goodToken}`,
    });
    expect(await reasonOf(client.checkSession({ token: "a" }))).toBe("DATABASE_UNAVAILABLE");
  });

  test("but one identity has no more than its share of the budget of callers with credentials", async () => {
    await start({ requestBytes: { total: 4 * callBytes, share: callBytes } });
    const headers = {
      authorization: `Bearer ${goodToken}`,
      ":path": "/ostiary.session.v1.SessionService/GetCurrentSession",
    };
    unfinished(session(), headers);
    await eventually(() => expect(budgets.calls.known.bytes.held).toBe(callBytes));
    expect(await refusalOf(unfinished(session(), headers))).toBe("RATE_LIMITED");
  });
});

describe("security rule (SR-LIMIT-12): streams without a credential are few and end", () => {
  const watchWith = (protocol: (typeof protocols)[number], headers = {}) => {
    const end = new AbortController();
    opened.push({ destroy: () => end.abort() });
    const client = createClient(Health, transportOf(protocol, running.baseUrl, headers));
    const answers = client.watch({}, { signal: end.signal })[Symbol.asyncIterator]();
    return { first: answers.next(), next: () => answers.next(), end: () => end.abort() };
  };

  test.each(protocols)("over %s", async (protocol) => {
    await start({ streams: { total: 5, share: 1 } });
    const open = watchWith(protocol);
    await open.first;
    expect(await reasonOf(watchWith(protocol).first)).toBe("RATE_LIMITED");
    const known = watchWith(protocol, { authorization: "Bearer ost_key_any:scope" });
    expect((await known.first).value?.status).toBe(1);
    open.end();
    await eventually(() => expect(budgets.calls.strangers.streams.held).toBe(0));
    await watchWith(protocol).first;
  });

  test("after their lifetime", async () => {
    await start({}, { limits: { anonymousStreamLifetimeMs: 50 } });
    const watch = watchWith("gRPC binary");
    await watch.first;
    expect(await reasonOf(watch.next())).toBe("REQUEST_TIMEOUT");
  });
});

describe("security rule (SR-LIMIT-12): a new connection is taken in as long as there is one of a stranger to close", () => {
  const few = { total: 10, share: 3 };
  const idle = async (): Promise<{ socket: Socket; isClosed: () => boolean }> => {
    const socket = await open(running.port);
    opened.push(socket);
    let closed = false;
    socket
      .on("error", () => {})
      .on("close", () => (closed = true))
      .resume();
    return { socket, isClosed: () => closed };
  };
  const answered = async ({ socket }: { socket: Socket }, headers = "") => {
    const answer = once(socket, "data");
    socket.write(
      `POST ${check} HTTP/1.1\r\nhost: localhost\r\n${headers}content-type: application/json\r\ncontent-length: ${good.length}\r\n\r\n${good}`,
    );
    return String(await answer);
  };

  test("the longest idle first", async () => {
    await start({ connections: few });
    const [first, second, third] = [await idle(), await idle(), await idle()];
    await answered(first);
    const fourth = await idle();
    await eventually(() => expect(second.isClosed()).toBe(true));
    expect([first.isClosed(), third.isClosed(), fourth.isClosed()]).toEqual([false, false, false]);
    expect(budgets.connections.open).toBe(3);
    expect(await answered(fourth)).toContain("200 OK");
  });

  test("then one with a call under way; one with a valid credential last", async () => {
    await start({ connections: few, requestBytes: { total: 100 * callBytes, share: 100 * callBytes } });
    const known = connect(running.baseUrl);
    opened.push(known);
    const headers = {
      authorization: `Bearer ${goodToken}`,
      ":path": "/ostiary.session.v1.SessionService/GetCurrentSession",
    };
    await refusalOf(unfinished(known, headers).end("{}"));
    const busy = [session(), session()];
    for (const client of busy) unfinished(client);
    await holds(2);
    const closed = once(busy[0] as ClientHttp2Session, "close");
    const last = await idle();
    await closed;
    expect(await answered(last)).toContain("200 OK");
    expect(known.closed).toBe(false);
  });

  test.each([
    { name: "public", by: "a session", key: goodToken, path: "session.v1.SessionService/GetCurrentSession" },
    {
      name: "admin",
      by: "a key",
      key: "ost_key_identity:read",
      path: "identity.v1.IdentityService/GetIdentity",
    },
  ] as const)("one with a call of $by under way only for $by", async ({ name, key, path }) => {
    await start({ connections: few }, { name });
    const headers = { authorization: `Bearer ${key}`, ":path": `/ostiary.${path}` };
    const busy = [session(), session(), session()];
    for (const [index, client] of busy.entries()) {
      unfinished(client, headers);
      await eventually(() => expect(budgets.calls.known.bytes.held).toBe((index + 1) * callBytes));
    }
    const closed = once(busy[0] as ClientHttp2Session, "close");
    const last = await idle();
    if (name === "public") await closed;
    else await eventually(() => expect(last.isClosed()).toBe(true));
    expect(busy.map((client) => client.closed || client.destroyed)).toEqual([
      name === "public",
      false,
      false,
    ]);
  });

  test("and two from one port to two addresses of the server are two", async () => {
    await start({}, { host: "0.0.0.0" });
    const first = createConnection({ host: "127.0.0.1", port: running.port, localAddress: "127.0.0.1" });
    opened.push(first);
    await once(first.resume(), "connect");
    const from = { localAddress: "127.0.0.1", localPort: first.localPort };
    const second = createConnection({ host: "127.0.0.2", port: running.port, ...from });
    await once(second, "connect");
    await eventually(() => expect(budgets.connections.open).toBe(2));
    second.destroy();
    await eventually(() => expect(budgets.connections.open).toBe(1));
    const head = `POST ${check} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n`;
    first.write(`${head}content-length: 100\r\n\r\n{`);
    await holds(1);
  });

  test("for the process as for each client IP, and those of a trusted proxy count for the process alone", async () => {
    await start({ connections: { total: 4, share: 2 } }, { trustedProxies: ["127.0.0.1"] });
    const all = [];
    for (let index = 0; index < 4; index++) all.push(await idle());
    expect(all.map(({ isClosed }) => isClosed())).toEqual([false, false, false, false]);
    expect(budgets.connections.open).toBe(4);
    await idle();
    await eventually(() => expect(budgets.connections.closed).toBe(1));
    expect(budgets.connections.open).toBe(4);
  });

  test("and all of it is in the metrics", async () => {
    await start({ connections: few });
    await idle();
    await eventually(() => expect(budgets.connections.open).toBe(1));
    const metrics = new Metrics();
    watchBudgets(metrics, budgets);
    const page = renderPrometheus(metrics.read());
    expect(page).toContain("\nostiary_connections 1\n");
    expect(page).toContain("\nostiary_anonymous_streams 0\n");
    expect(page).toContain('\nostiary_request_memory_bytes{caller="anonymous"} 0\n');
    expect(page).toContain("\nostiary_budget_refusals_total 0\n");
  });
});
