import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import {
  type Account,
  collect,
  links,
  makeAccounts,
  messages,
  nobody,
  openStream,
  outcomeOf,
  reasonOf,
  streamClient,
} from "../support/streams.ts";

let app: TestApp;

beforeAll(async () => {
  app = await startTestApp({ config: links });
});

afterAll(() => app.stop());

describe("what ends a stream", () => {
  // Security rule: a stream does not outlive what opened it.
  test("is that its key was revoked, also while it waits for its client", async () => {
    const [{ id }] = (await makeAccounts(app, 1, true)) as [Account];
    const keys = app.client(ApiKeyService);
    const { secret, apiKey } = await keys.createApiKey({ name: "bulk", scopes: ["identity:recover"] });
    const { stream, send } = openStream();
    const results = streamClient(app, undefined, secret).sendRecoveryMessages(stream)[Symbol.asyncIterator]();
    send(id);
    expect(outcomeOf((await results.next()).value)[0]).toBe(id);
    await keys.revokeApiKey({ apiKeyId: apiKey?.id ?? "" });
    expect(await reasonOf(await results.next().catch((error: unknown) => error))).toBe("API_KEY_REVOKED");
    const end = { code: "unauthenticated", reason: "API_KEY_REVOKED" };
    await vi.waitFor(() => expect(logged("SendRecoveryMessages")).toMatchObject(end), { timeout: 10_000 });
  });

  test("is its client's cancellation, and nothing of it goes on", async () => {
    const ids = Array.from({ length: 1000 }, () => nobody);
    app.statements.length = 0;
    const gone = new AbortController();
    const stream = streamClient(app).sendRecoveryMessages(
      messages({ identityIds: ids }, { identityIds: ids }, { identityIds: ids }),
      { signal: gone.signal },
    );
    await expect(async () => {
      for await (const _result of stream) gone.abort();
    }).rejects.toThrow();
    await vi.waitFor(() => expect(logged("SendRecoveryMessages")).toMatchObject({ code: "canceled" }), {
      timeout: 10_000,
    });
    const looked = app.statements.length;
    expect(looked).toBeLessThan(1000);
    // Whatever comes later would come before this, which goes the same way.
    await collect(streamClient(app).sendRecoveryMessages(messages({ identityIds: [nobody] })));
    expect(app.statements.length).toBeLessThanOrEqual(looked + 8);
  });

  test("is the server's stop, after what came before it was answered", async () => {
    const other = await startTestApp({ config: links });
    const { stream, send } = openStream();
    const client = streamClient(other);
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
        const client = streamClient(server);
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
      streamClient(app).sendRecoveryMessages(messages({ identityIds: ids })),
    );
    expect(results).toEqual([]);
    expect(await refusal(Promise.reject(failed))).toMatchObject({
      reason: "REQUEST_INVALID",
      fields: ["identityIds"],
    });
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
