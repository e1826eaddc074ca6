import { randomUUID } from "node:crypto";
import { Code } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { VerificationService } from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { createOstiaryAdmin } from "../../sdk/typescript/src/index.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { type Account, links, makeAccounts, nobody, outcomeOf } from "../support/batches.ts";
import { refusal } from "../support/errors.ts";
import { tokenOf } from "../support/links.ts";
import { administer } from "../support/postgres.ts";

let app: TestApp;

beforeAll(async () => {
  app = await startTestApp({ config: links });
});

afterAll(() => app.stop());

const identities = () => app.client(IdentityService);
const accounts = (count: number, verified?: boolean) => makeAccounts(app, count, verified);
const sentTo = async (email: string) => (await app.messages(email)).map(({ template }) => template);

describe.each(protocols)("over %s", (protocol) => {
  const client = (bearer?: string) =>
    app.client(IdentityService, bearer === undefined ? { protocol } : { protocol, bearer });

  test("links go to a list of identities, with a result for each in their order", async () => {
    const [ada, bob, cyd] = (await accounts(3)) as [Account, Account, Account];
    const [unverified] = (await accounts(1, false)) as [Account];
    const { results } = await client().batchSendRecoveryMessages({
      identityIds: [ada.id, nobody, unverified.id, bob.id, cyd.id],
    });
    expect(results.map(outcomeOf)).toEqual([
      [ada.id, ada.email],
      [nobody, "IDENTITY_NOT_FOUND"],
      [unverified.id, "ADDRESS_NOT_USABLE"],
      [bob.id, bob.email],
      [cyd.id, cyd.email],
    ]);
    expect(results[0]?.result).toMatchObject({
      case: "sent",
      value: { expireTime: { nanos: expect.any(Number) } },
    });
    expect(results[2]?.result).toMatchObject({
      case: "error",
      value: {
        code: Code.FailedPrecondition,
        message: expect.stringContaining("address"),
        errorInfo: { domain: "ostiary" },
        remedy: { description: expect.stringContaining("verified") },
      },
    });
    for (const { email } of [ada, bob, cyd]) expect(await sentTo(email)).toEqual(["recovery_link"]);
    expect(await sentTo(unverified.email)).toEqual([]);
  });

  test("verification links go to addresses that wait for one", async () => {
    const [ada] = (await accounts(1, false)) as [Account];
    const [verified] = (await accounts(1, true)) as [Account];
    const { results } = await client().batchSendVerificationMessages({ identityIds: [verified.id, ada.id] });
    expect(results.map(({ result }) => result.case)).toEqual(["error", "sent"]);
    expect(await sentTo(ada.email)).toEqual(["verification_link"]);
  });

  test("no list, too long a list and a malformed id send nothing, and neither does a key without the scope", async () => {
    const [{ id, email }] = (await accounts(1)) as [Account];
    const tooMany = Array.from({ length: 1001 }, () => id);
    for (const [identityIds, field] of [
      [[], "identityIds"],
      [tooMany, "identityIds"],
      [[id, "not an id"], "identityIds.1"],
    ] as const) {
      const refused = client().batchSendRecoveryMessages({ identityIds: [...identityIds] });
      expect(await refusal(refused)).toMatchObject({ reason: "REQUEST_INVALID", fields: [field] });
    }
    const { secret } = await app
      .client(ApiKeyService)
      .createApiKey({ name: "narrow", scopes: ["identity:read", "identity:update"] });
    expect(await refusal(client(secret).batchSendRecoveryMessages({ identityIds: [id] }))).toMatchObject({
      code: "PermissionDenied",
      reason: "API_KEY_SCOPE_MISSING",
      metadata: { scope: "identity:recover" },
    });
    expect(await sentTo(email)).toEqual([]);
  });
});

describe("a list that is sent again with the same request id", () => {
  test("sends nobody a second message, in whatever order and calls its ids come", async () => {
    const people = await accounts(6);
    const [first, ...rest] = people.map(({ id }) => id) as [string, ...string[]];
    const requestId = randomUUID();
    const before = await identities().batchSendRecoveryMessages({
      requestId,
      identityIds: [first, ...rest.slice(0, 2)],
    });
    app.clock.advance(1000);
    const again = await identities().batchSendRecoveryMessages({
      requestId,
      identityIds: [...rest].reverse(),
    });
    const twice = await identities().batchSendRecoveryMessages({
      requestId,
      identityIds: [first.toUpperCase(), first],
    });
    const results = [...again.results, ...twice.results];
    expect(results.map(({ result }) => result.case)).toEqual(Array(7).fill("sent"));
    expect(results.at(-1)).toEqual(before.results[0]);
    for (const { email } of people) expect(await sentTo(email)).toEqual(["recovery_link"]);
    // The control: without one, or with another one, a second message goes out and kills the first link.
    await identities().batchSendRecoveryMessages({ identityIds: [first] });
    await identities().batchSendRecoveryMessages({ requestId: randomUUID(), identityIds: [first] });
    expect(await sentTo(people[0]?.email ?? "")).toHaveLength(3);
  });

  test("tries again what failed, and keeps the two kinds of messages apart", async () => {
    const [{ id, email }] = (await accounts(1, false)) as [Account];
    const ids = { requestId: randomUUID(), identityIds: [id] };
    const failed = await identities().batchSendRecoveryMessages(ids);
    expect(failed.results.map(outcomeOf)).toEqual([[id, "ADDRESS_NOT_USABLE"]]);
    await identities().batchSendVerificationMessages(ids);
    const link = (await app.messages(email)).at(-1);
    await confirmVerification(tokenOf(link?.url ?? ""));
    app.clock.advance(1000);
    const { results } = await identities().batchSendRecoveryMessages(ids);
    expect(results.map(outcomeOf)).toEqual([[id, email]]);
    expect(await sentTo(email)).toEqual(["verification_link", "recovery_link"]);
  });

  test("sends nobody two if both run at the same moment", async () => {
    const people = await accounts(8);
    const ids = { requestId: randomUUID(), identityIds: people.map(({ id }) => id) };
    const turned = { ...ids, identityIds: [...ids.identityIds].reverse() };
    const batches = [ids, turned, ids, turned].map((one) => identities().batchSendRecoveryMessages(one));
    for (const { results } of await Promise.all(batches)) {
      expect(results.map(({ result }) => result.case)).toEqual(Array(8).fill("sent"));
    }
    for (const { email } of people) expect(await sentTo(email)).toEqual(["recovery_link"]);
  });
});

test("a client that goes away is worked for no longer, and can send the rest again", async () => {
  const people = await accounts(3);
  const requestId = randomUUID();
  const identityIds = [...people.map(({ id }) => id), ...Array.from({ length: 900 }, () => nobody)];
  const gone = new AbortController();
  const linesBefore = app.log.length;
  app.statements.length = 0;
  const lost = identities().batchSendRecoveryMessages({ requestId, identityIds }, { signal: gone.signal });
  const sending = lost.catch((error: unknown) => error);
  await vi.waitUntil(() => app.statements.length > 0, { interval: 1, timeout: 20_000 });
  gone.abort();
  await sending;
  // A client that goes away is no failure of the server's.
  const ended = () =>
    app.log
      .slice(linesBefore)
      .find(({ message, fields }) => message === "call" && JSON.stringify(fields).includes("/BatchSend"));
  const call = await vi.waitUntil(ended, { timeout: 20_000 });
  expect(call.fields).toMatchObject({ code: "canceled", reason: "REQUEST_CANCELED" });
  expect(app.log.filter(({ message }) => message === "call failed")).toEqual([]);
  expect(app.statements.length).toBeLessThan(identityIds.length);
  // Nor does it go on unseen: batches take turns, and another one has them to itself.
  expect(await statementsFor(100)).toBe(await statementsFor(100));

  const { results } = await identities().batchSendRecoveryMessages({
    requestId,
    identityIds: identityIds.slice(0, 3),
  });
  expect(results.map(outcomeOf)).toEqual(people.map(({ id, email }) => [id, email]));
  for (const { email } of people) expect(await sentTo(email)).toEqual(["recovery_link"]);
});

/** How many statements are sent while a batch to this many identities runs of which none exists. */
async function statementsFor(count: number): Promise<number> {
  const before = app.statements.length;
  await identities().batchSendRecoveryMessages({ identityIds: Array.from({ length: count }, () => nobody) });
  return app.statements.length - before;
}

test("links that are switched off, or lead nowhere, stop all of it", async () => {
  const off = await startTestApp();
  const nowhere = await startTestApp({
    config: { server: { ui: { enabled: false } }, tenant_defaults: { link: { enabled: true } } },
  });
  try {
    const reasons = [];
    for (const server of [off, nowhere]) {
      const client = server.client(IdentityService);
      for (const call of [client.batchSendRecoveryMessages, client.batchSendVerificationMessages]) {
        reasons.push((await refusal(call({ identityIds: [nobody] }))).reason);
      }
    }
    expect(reasons).toEqual(["LINKS_DISABLED", "LINKS_DISABLED", "UI_URL_MISSING", "UI_URL_MISSING"]);
  } finally {
    await off.stop();
    await nowhere.stop();
  }
});

describe.each(["fetch", "gRPC"])("the SDK, over %s,", (kind) => {
  const admin = () =>
    kind === "gRPC"
      ? createOstiaryAdmin({ transport: createGrpcTransport({ baseUrl: app.adminUrl }), apiKey: app.apiKey })
      : createOstiaryAdmin({ baseUrl: app.adminUrl, apiKey: app.apiKey });

  test("takes ids of any number, and gives a result for each", async () => {
    const people = await accounts(3);
    let taken = 0;
    async function* ids() {
      for (let index = 0; index < 250; index++) {
        taken++;
        yield people[index]?.id ?? nobody;
      }
    }
    const results = await Array.fromAsync(admin().sendRecoveryMessages(ids(), { requestId: randomUUID() }));
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

  test("sends a list under one request id also where none was given", async () => {
    const [{ id, email }] = (await accounts(1)) as [Account];
    const twice = await Array.fromAsync(
      admin().sendRecoveryMessages([id, ...Array.from({ length: 99 }, () => nobody), id]),
    );
    expect(twice.at(-1)?.result).toEqual(twice[0]?.result);
    expect(await sentTo(email)).toEqual(["recovery_link"]);
  });

  test("throws what stops all of it", async () => {
    const stranger = createOstiaryAdmin({ baseUrl: app.adminUrl, apiKey: "ost_key_nobody" });
    const refused = Array.fromAsync(stranger.sendRecoveryMessages([nobody]));
    expect((await refusal(refused)).reason).toBe("API_KEY_MALFORMED");
    const stopped = Array.fromAsync(admin().sendRecoveryMessages([nobody], { signal: AbortSignal.abort() }));
    await expect(stopped).rejects.toThrow();
  });
});

test("what a batch begins is recorded with who did it", async () => {
  const people = await accounts(2);
  await identities().batchSendRecoveryMessages({ identityIds: people.map(({ id }) => id) });
  const rows = await administer(app.databaseUrl, (query) =>
    query<{ actor: string; delivery: string }>(
      `SELECT actor ->> 'kind' AS actor, data ->> 'delivery' AS delivery FROM ostiary.event
        WHERE type = 'recovery.started_by_operator' AND identity_id = ANY ($1)`,
      [people.map(({ id }) => id)],
    ),
  );
  expect(rows).toEqual(Array(2).fill({ actor: "api_key", delivery: "sent" }));
});

async function confirmVerification(linkToken: string): Promise<void> {
  const flows = app.client(VerificationService);
  const { flow } = await flows.createVerificationFlow({ client: ClientKind.NATIVE, linkToken });
  const step = { case: "confirmLink", value: {} } as const;
  const { outcome } = await flows.submitVerificationFlow({ flowId: flow?.id ?? "", step });
  expect(outcome.case).toBe("completed");
}
