import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { text } from "node:stream/consumers";
import { getOption, hasOption } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { access, RateClass } from "../../gen/ostiary/access/v1/access_pb.js";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { Client } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { VerificationService } from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import {
  IdentityService,
  type SendRecoveryMessagesResponse,
} from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { createOstiaryAdmin } from "../../sdk/typescript/src/index.ts";
import { freshEmail } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { tokenOf } from "../support/links.ts";
import { administer } from "../support/postgres.ts";
import { type Protocol, protocols, transportOf } from "../transport/harness.ts";

const links = {
  tenant_defaults: {
    link: { enabled: true },
    flows: {
      recovery: { ui_url: "https://app.example.com/recover" },
      verification: { ui_url: "https://app.example.com/verify" },
    },
  },
};
const nobody = "01890000-0000-7000-8000-000000000000";
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp({ config: links });
});

afterAll(() => app.stop());

function identities(protocol: Protocol = "gRPC binary", bearer = app.apiKey, server = app) {
  const headers = { authorization: `Bearer ${bearer}` };
  return createClient(IdentityService, transportOf(protocol, server.adminUrl, headers));
}

interface Account {
  readonly id: string;
  readonly email: string;
}

async function account(verified: boolean): Promise<Account> {
  const email = freshEmail();
  const { identity } = await app.client(IdentityService).createIdentity({
    traits: { email },
    verifiedAddresses: verified ? [email] : [],
  });
  return { email, id: identity?.id ?? "" };
}

const accounts = (count: number, verified = true) =>
  Promise.all(Array.from({ length: count }, () => account(verified)));

interface Ids {
  readonly requestId?: string;
  readonly identityIds: string[];
}

async function* messages(...given: readonly Ids[]) {
  yield* given;
}

/** A stream whose messages come when the test says so. */
function openStream() {
  const ready: Ids[] = [];
  let ended = false;
  let wake = () => {};
  async function* stream() {
    for (;;) {
      for (let next = ready.shift(); next !== undefined; next = ready.shift()) yield next;
      if (ended) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
  return {
    stream: stream(),
    send: (...identityIds: string[]) => {
      ready.push({ identityIds });
      wake();
    },
    end: () => {
      ended = true;
      wake();
    },
  };
}

/** Each identity with where its message goes, or why there is none. */
function outcomeOf({ identityId, result }: SendRecoveryMessagesResponse): [string, string | undefined] {
  return [identityId, result.case === "sent" ? result.value.address : result.value?.errorInfo?.reason];
}

async function collect<T>(stream: AsyncIterable<T>): Promise<{ results: T[]; failed: unknown }> {
  const results: T[] = [];
  try {
    for await (const result of stream) results.push(result);
    return { results, failed: undefined };
  } catch (error) {
    return { results, failed: error };
  }
}

const reasonOf = async (error: unknown) => (await refusal(Promise.reject(error))).reason;
const sentTo = async (email: string) => (await app.messages(email)).map(({ template }) => template);
const halfDuplex = (protocol: Protocol) => protocol.includes("HTTP/1.1");

describe.each(protocols)("over %s", (protocol) => {
  test("links go to a stream of identities, with a result for each in their order", async () => {
    const [ada, bob, cyd] = await accounts(3);
    const unverified = await account(false);
    const stream = identities(protocol).sendRecoveryMessages(
      messages(
        { identityIds: [ada?.id ?? "", nobody] },
        { identityIds: [unverified.id, bob?.id ?? "", cyd?.id ?? ""] },
      ),
    );
    const { results, failed } = await collect(stream);
    expect(failed).toBeUndefined();
    expect(results.map(outcomeOf)).toEqual([
      [ada?.id, ada?.email],
      [nobody, "IDENTITY_NOT_FOUND"],
      [unverified.id, "ADDRESS_NOT_USABLE"],
      [bob?.id, bob?.email],
      [cyd?.id, cyd?.email],
    ]);
    expect(results[0]?.result.case === "sent" && results[0].result.value.expireTime).toBeDefined();
    const error = results[2]?.result.case === "error" ? results[2].result.value : undefined;
    expect(error).toMatchObject({
      message: expect.stringContaining("address"),
      errorInfo: { domain: "ostiary" },
    });
    expect(error?.remedy?.description).not.toBe("");
    for (const { email } of [ada, bob, cyd] as Account[])
      expect(await sentTo(email)).toEqual(["recovery_link"]);
    expect(await sentTo(unverified.email)).toEqual([]);
  });

  test("verification links go to addresses that wait for one", async () => {
    const [ada] = await accounts(1, false);
    const verified = await account(true);
    const stream = identities(protocol).sendVerificationMessages(
      messages({ identityIds: [verified.id, ada?.id ?? ""] }),
    );
    const { results } = await collect(stream);
    expect(results.map(({ result }) => result.case)).toEqual(["error", "sent"]);
    expect(await sentTo(ada?.email ?? "")).toEqual(["verification_link"]);
  });

  test("a stream of nothing, of a malformed id, and without a scope", async () => {
    expect(await collect(identities(protocol).sendRecoveryMessages(messages()))).toEqual({
      results: [],
      failed: undefined,
    });
    const { id } = await account(true);
    const broken = identities(protocol).sendRecoveryMessages(
      messages({ identityIds: [id] }, { identityIds: [id, "not an id"] }),
    );
    const { results, failed } = await collect(broken);
    // What was asked for before it is answered first.
    expect(results.map(outcomeOf).map(([of]) => of)).toEqual([id]);
    expect(await refusal(Promise.reject(failed))).toMatchObject({
      code: "InvalidArgument",
      reason: "REQUEST_INVALID",
      fields: ["identityIds.1"],
    });
    const { secret } = await app
      .client(ApiKeyService)
      .createApiKey({ name: "narrow", scopes: ["identity:read", "identity:update"] });
    const refused = await collect(
      identities(protocol, secret).sendRecoveryMessages(messages({ identityIds: [id] })),
    );
    expect(await refusal(Promise.reject(refused.failed))).toMatchObject({
      code: "PermissionDenied",
      reason: "API_KEY_SCOPE_MISSING",
      metadata: { scope: "identity:recover" },
    });
  });

  test.skipIf(halfDuplex(protocol))("a result comes while the stream stays open", async () => {
    const [ada, bob] = await accounts(2);
    const { stream, send, end } = openStream();
    const results = identities(protocol).sendRecoveryMessages(stream)[Symbol.asyncIterator]();
    for (const { id, email } of [ada, bob] as Account[]) {
      send(id);
      const { value } = await results.next();
      expect(outcomeOf(value)).toEqual([id, email]);
    }
    end();
    expect(await results.next()).toMatchObject({ done: true });
  });
});

describe("a stream that is sent again with the same request id", () => {
  test("sends nobody a second message, in whatever order and messages its ids come", async () => {
    const people = await accounts(6);
    const [first, ...rest] = people.map(({ id }) => id) as [string, ...string[]];
    const requestId = randomUUID();
    const before = await collect(
      identities().sendRecoveryMessages(messages({ requestId, identityIds: [first, ...rest.slice(0, 2)] })),
    );
    app.clock.advance(1000);
    const again = await collect(
      identities().sendRecoveryMessages(
        messages(
          { requestId, identityIds: [...rest].reverse() },
          { requestId, identityIds: [first.toUpperCase(), first] },
        ),
      ),
    );
    expect(again.results.map(({ result }) => result.case)).toEqual(Array(7).fill("sent"));
    expect(again.results.at(-1)).toEqual(before.results[0]);
    for (const { email } of people) expect(await sentTo(email)).toEqual(["recovery_link"]);
    // The control: without one, or with another one, a second message goes out and kills the first link.
    await collect(identities().sendRecoveryMessages(messages({ identityIds: [first] })));
    await collect(
      identities().sendRecoveryMessages(messages({ requestId: randomUUID(), identityIds: [first] })),
    );
    expect(await sentTo(people[0]?.email ?? "")).toHaveLength(3);
  });

  test("tries again what failed, and keeps the two kinds of messages apart", async () => {
    const { id, email } = await account(false);
    const requestId = randomUUID();
    const ids = { requestId, identityIds: [id] };
    const failed = await collect(identities().sendRecoveryMessages(messages(ids)));
    expect(failed.results.map(outcomeOf)).toEqual([[id, "ADDRESS_NOT_USABLE"]]);
    await collect(identities().sendVerificationMessages(messages(ids)));
    const link = (await app.messages(email)).at(-1);
    await confirmVerification(tokenOf(link?.url ?? ""));
    app.clock.advance(1000);
    const { results } = await collect(identities().sendRecoveryMessages(messages(ids)));
    expect(results.map(outcomeOf)).toEqual([[id, email]]);
    expect(await sentTo(email)).toEqual(["verification_link", "recovery_link"]);
  });

  test("sends nobody two if both run at the same moment", async () => {
    const people = await accounts(8);
    const ids = { requestId: randomUUID(), identityIds: people.map(({ id }) => id) };
    const turned = { ...ids, identityIds: [...ids.identityIds].reverse() };
    const streams = [ids, turned, ids, turned].map((one) =>
      collect(identities().sendRecoveryMessages(messages(one))),
    );
    for (const { results, failed } of await Promise.all(streams)) {
      expect(failed).toBeUndefined();
      expect(results.map(({ result }) => result.case)).toEqual(Array(8).fill("sent"));
    }
    for (const { email } of people) expect(await sentTo(email)).toEqual(["recovery_link"]);
  });

  test("after its connection was lost in the middle", async () => {
    const people = await accounts(12);
    const ids = { requestId: randomUUID(), identityIds: people.map(({ id }) => id) };
    const lost = new AbortController();
    const first = identities().sendRecoveryMessages(messages(ids), { signal: lost.signal });
    let answered = 0;
    await expect(async () => {
      for await (const _result of first) if (++answered === 2) lost.abort();
    }).rejects.toThrow();
    const { results } = await collect(identities().sendRecoveryMessages(messages(ids)));
    expect(results.map(outcomeOf)).toEqual(people.map(({ id, email }) => [id, email]));
    for (const { email } of people) expect(await sentTo(email)).toEqual(["recovery_link"]);
  });
});

describe("what ends a stream", () => {
  // Security rule: a stream does not outlive what opened it.
  test("is that its key was revoked, also while it waits for its client", async () => {
    const { id } = await account(true);
    const keys = app.client(ApiKeyService);
    const { secret, apiKey } = await keys.createApiKey({ name: "bulk", scopes: ["identity:recover"] });
    const { stream, send } = openStream();
    const results = identities("gRPC binary", secret).sendRecoveryMessages(stream)[Symbol.asyncIterator]();
    send(id);
    expect(outcomeOf((await results.next()).value)[0]).toBe(id);
    await keys.revokeApiKey({ apiKeyId: apiKey?.id ?? "" });
    expect(await reasonOf(await results.next().catch((error: unknown) => error))).toBe("API_KEY_REVOKED");
    const end = { code: "unauthenticated", reason: "API_KEY_REVOKED" };
    await vi.waitFor(() => expect(logged("SendRecoveryMessages")).toMatchObject(end));
  });

  test("is its client's cancellation, and nothing of it goes on", async () => {
    const ids = Array.from({ length: 1000 }, () => nobody);
    app.statements.length = 0;
    const gone = new AbortController();
    const stream = identities().sendRecoveryMessages(
      messages({ identityIds: ids }, { identityIds: ids }, { identityIds: ids }),
      { signal: gone.signal },
    );
    await expect(async () => {
      for await (const _result of stream) gone.abort();
    }).rejects.toThrow();
    await vi.waitFor(() => expect(logged("SendRecoveryMessages")).toMatchObject({ code: "canceled" }));
    const looked = app.statements.length;
    expect(looked).toBeLessThan(1000);
    // Whatever comes later would come before this, which goes the same way.
    await collect(identities().sendRecoveryMessages(messages({ identityIds: [nobody] })));
    expect(app.statements.length).toBeLessThanOrEqual(looked + 8);
  });

  test("is the server's stop, after what came before it was answered", async () => {
    const other = await startTestApp({ config: links });
    const { stream, send } = openStream();
    const client = identities("gRPC binary", other.apiKey, other);
    const results = client.sendRecoveryMessages(stream)[Symbol.asyncIterator]();
    send(nobody);
    expect(outcomeOf((await results.next()).value)).toEqual([nobody, "IDENTITY_NOT_FOUND"]);
    const stopped = other.stop();
    expect(await refusal(results.next())).toMatchObject({ code: "Unavailable", reason: "SERVER_STOPPING" });
    await stopped;
  });

  test("is that links are switched off, or lead nowhere", async () => {
    const off = await startTestApp();
    const nowhere = await startTestApp({
      config: { server: { ui: { enabled: false } }, tenant_defaults: { link: { enabled: true } } },
    });
    try {
      const reasons = [];
      for (const server of [off, nowhere]) {
        const client = identities("gRPC binary", server.apiKey, server);
        // An open stream: the answer does not wait for its first message.
        for (const call of [client.sendRecoveryMessages, client.sendVerificationMessages]) {
          const results: AsyncIterable<unknown> = call(openStream().stream);
          reasons.push(await reasonOf((await collect(results)).failed));
        }
      }
      expect(reasons).toEqual(["LINKS_DISABLED", "LINKS_DISABLED", "UI_URL_MISSING", "UI_URL_MISSING"]);
    } finally {
      await off.stop();
      await nowhere.stop();
    }
  });

  test.each([
    ["cannot be read", () => envelope('{"identityIds":['), "REQUEST_MALFORMED"],
    ["is larger than a message may be", () => envelope(" ".repeat(1024 * 1024 + 1)), "REQUEST_TOO_LARGE"],
  ])("is a message that %s, in the middle", async (_name, broken, reason) => {
    const session = connect(app.adminUrl);
    const call = openCall(session);
    call.write(envelope(JSON.stringify({ identityIds: [nobody] })));
    const [first] = await once(call, "data");
    expect(String(first)).toContain("IDENTITY_NOT_FOUND");
    call.write(broken());
    expect(await text(call)).toContain(`"reason":"${reason}"`);
    session.close();
  });

  test("is a message of more than a thousand ids", async () => {
    const ids = Array.from({ length: 1001 }, () => nobody);
    const { results, failed } = await collect(
      identities().sendRecoveryMessages(messages({ identityIds: ids })),
    );
    expect(results).toEqual([]);
    expect(await refusal(Promise.reject(failed))).toMatchObject({
      reason: "REQUEST_INVALID",
      fields: ["identityIds"],
    });
  });
});

describe.each(["fetch", "gRPC"])("the SDK, over %s,", (kind) => {
  const admin = () =>
    kind === "gRPC"
      ? createOstiaryAdmin({ transport: createGrpcTransport({ baseUrl: app.adminUrl }), apiKey: app.apiKey })
      : createOstiaryAdmin({ baseUrl: app.adminUrl, apiKey: app.apiKey });

  test("takes a stream of any length, and gives a result for each", async () => {
    const people = await accounts(3);
    let taken = 0;
    async function* ids() {
      for (let index = 0; index < 250; index++) {
        taken++;
        yield people[index]?.id ?? nobody;
      }
    }
    const { results, failed } = await collect(
      admin().sendRecoveryMessages(ids(), { requestId: randomUUID() }),
    );
    expect(failed).toBeUndefined();
    expect(results.slice(0, 4).map(outcomeOf)).toEqual([
      ...people.map(({ id, email }) => [id, email]),
      [nobody, "IDENTITY_NOT_FOUND"],
    ]);
    expect([results.length, taken]).toEqual([250, 250]);

    const [first] = await accounts(1, false);
    taken = 0;
    for await (const { result } of admin().sendVerificationMessages([first?.id ?? ""])) {
      expect(result.case).toBe("sent");
    }
    for await (const _result of admin().sendRecoveryMessages(ids())) break;
    expect(taken).toBe(100);
  });

  test("throws what stops all of it", async () => {
    const stranger = createOstiaryAdmin({ baseUrl: app.adminUrl, apiKey: "ost_key_nobody" });
    const { failed } = await collect(stranger.sendRecoveryMessages([nobody]));
    expect(await reasonOf(failed)).toBe("API_KEY_MALFORMED");
    const stopped = AbortSignal.abort();
    const { results, failed: aborted } = await collect(
      admin().sendRecoveryMessages([nobody], { signal: stopped }),
    );
    expect([results.length, aborted instanceof Error]).toEqual([0, true]);
  });
});

test("a client that never reads is not worked for, until it does", async () => {
  app.statements.length = 0;
  const session = connect(app.adminUrl);
  const call = openCall(session);
  const ids = Array.from({ length: 1000 }, () => nobody);
  for (let message = 0; message < 3; message++) call.write(envelope(JSON.stringify({ identityIds: ids })));
  call.end();
  await once(call, "response");
  const atRest = await standstill(() => app.statements.length);
  // What fits into the windows of the stream and the server's buffer.
  expect(atRest).toBeGreaterThan(0);
  expect(atRest).toBeLessThan(1000);
  let answers = 0;
  call.setEncoding("utf8").on("data", (chunk: string) => {
    answers += chunk.split('"identityId"').length - 1;
  });
  await once(call, "end");
  expect(answers).toBeGreaterThan(2_900);
  session.close();
});

test("what a stream begins is recorded with who did it, and counts as a write", async () => {
  const people = await accounts(2);
  await collect(identities().sendRecoveryMessages(messages({ identityIds: people.map(({ id }) => id) })));
  const rows = await administer(app.databaseUrl, (query) =>
    query<{ actor: string; delivery: string }>(
      `SELECT actor ->> 'kind' AS actor, data ->> 'delivery' AS delivery FROM ostiary.event
        WHERE type = 'recovery.started_by_operator' AND identity_id = ANY ($1)`,
      [people.map(({ id }) => id)],
    ),
  );
  expect(rows).toEqual(Array(2).fill({ actor: "api_key", delivery: "sent" }));
  const { sendRecoveryMessages, sendVerificationMessages } = IdentityService.method;
  for (const method of [sendRecoveryMessages, sendVerificationMessages]) {
    expect(hasOption(method, access) && getOption(method, access).rateClass).toBe(RateClass.ADMIN_WRITE);
  }
});

/** The last line of the log about a method. */
function logged(method: string): object | undefined {
  return app.log.findLast(({ fields }) => "method" in fields && String(fields.method).endsWith(method))
    ?.fields;
}

/** A stream without a client's library, which would read by itself. */
function openCall(session: ClientHttp2Session): ClientHttp2Stream {
  return session.request({
    ":method": "POST",
    ":path": `/${IdentityService.typeName}/SendRecoveryMessages`,
    "content-type": "application/connect+json",
    authorization: `Bearer ${app.apiKey}`,
  });
}

function envelope(json: string): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(Buffer.byteLength(json), 1);
  return Buffer.concat([head, Buffer.from(json)]);
}

/** A number once it has not changed for a while. */
async function standstill(read: () => number): Promise<number> {
  let last = -1;
  await vi.waitFor(
    () => {
      const now = read();
      const moved = now !== last;
      last = now;
      if (moved) throw new Error("it still moves");
    },
    { interval: 300, timeout: 20_000 },
  );
  return last;
}

async function confirmVerification(linkToken: string): Promise<void> {
  const flows = app.client(VerificationService);
  const { flow } = await flows.createVerificationFlow({ client: Client.NATIVE, linkToken });
  const step = { case: "confirm", value: {} } as const;
  const { outcome } = await flows.submitVerificationFlow({ flowId: flow?.id ?? "", step });
  expect(outcome.case).toBe("completed");
}
