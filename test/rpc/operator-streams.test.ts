import { randomUUID } from "node:crypto";
import { getOption, hasOption } from "@bufbuild/protobuf";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { VerificationService } from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { method as methodOption, RateClass } from "../../gen/ostiary/option/v1/option_pb.js";
import { createOstiaryAdmin } from "../../sdk/typescript/src/index.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { tokenOf } from "../support/links.ts";
import { administer } from "../support/postgres.ts";
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
import { type Protocol, protocols } from "../transport/harness.ts";

let app: TestApp;

beforeAll(async () => {
  app = await startTestApp({ config: links });
});

afterAll(() => app.stop());

const identities = (protocol?: Protocol, bearer?: string) => streamClient(app, protocol, bearer);
const accounts = (count: number, verified?: boolean) => makeAccounts(app, count, verified);
const sentTo = async (email: string) => (await app.messages(email)).map(({ template }) => template);
const halfDuplex = (protocol: Protocol) => protocol.includes("HTTP/1.1");

describe.each(protocols)("over %s", (protocol) => {
  test("links go to a stream of identities, with a result for each in their order", async () => {
    const [ada, bob, cyd] = await accounts(3);
    const [unverified] = (await accounts(1, false)) as [Account];
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
    const [verified] = (await accounts(1, true)) as [Account];
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
    const [{ id }] = (await accounts(1, true)) as [Account];
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
    const [{ id, email }] = (await accounts(1, false)) as [Account];
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
    expect(hasOption(method, methodOption) && getOption(method, methodOption).access?.rateClass).toBe(
      RateClass.ADMIN_WRITE,
    );
  }
});

async function confirmVerification(linkToken: string): Promise<void> {
  const flows = app.client(VerificationService);
  const { flow } = await flows.createVerificationFlow({ client: ClientKind.NATIVE, linkToken });
  const step = { case: "confirmLink", value: {} } as const;
  const { outcome } = await flows.submitVerificationFlow({ flowId: flow?.id ?? "", step });
  expect(outcome.case).toBe("completed");
}
