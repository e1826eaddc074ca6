import { Code, createClient } from "@connectrpc/connect";
import { compressionGzip, createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { SessionFeedService as FeedContract } from "../../gen/ostiary/session/v1/session_feed_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { domainError } from "../../src/domain/errors.ts";
import { newerContract, newerField, serviceOf } from "./contract-variants.ts";
import {
  detailOf,
  errorOf,
  goodToken,
  protocols,
  type Running,
  startListener,
  transportOf,
} from "./harness.ts";

const newer = newerContract(SessionService, FeedContract);
const [sessions, feed] = [serviceOf(newer, SessionService), serviceOf(newer, FeedContract)];

/** What comes after the check. */
function watchSessions(): never {
  throw domainError("FEATURE_OFF", { field: "" });
}

let running: Running;
let feeding: Running;
beforeAll(async () => {
  running = await startListener();
  feeding = await startListener({
    services: [{ service: FeedContract, implementation: { watchSessions }, broadcasts: true }],
  });
});
afterAll(() => Promise.all([running.close(), feeding.close()]));

/** A client of the newer contract, whose messages only the newer contract has types of. */
type Newer = Record<string, (request: object) => Promise<unknown>>;
const field = newerField.name;
const given = { [field]: "x" };
const known = { demand: { case: "assuranceLevel", value: 1 } };

async function refusedBy(call: Promise<unknown>) {
  const error = await errorOf(call);
  const violation = detailOf(error, BadRequestSchema)?.fieldViolations[0];
  return [Code[error.code], detailOf(error, ErrorInfoSchema)?.reason, violation?.field];
}

// Security rule (SR-SESSION-4): what an older server does not know must not let more through than was asked for.
describe.each(protocols)("a request of a newer client over %s", (protocol) => {
  const client = () =>
    createClient(
      sessions,
      transportOf(protocol, running.baseUrl, { authorization: `Bearer ${goodToken}` }),
    ) as unknown as Newer;
  const isJson = protocol.includes("JSON");
  // JSON names the field itself, binary the message that holds it.
  const at = (message: string) => {
    if (!isJson) return message;
    return message === "" ? field : `${message}.${field}`;
  };

  test.each<[string, string, object, string]>([
    ["in the request itself", "checkSession", { token: "x", ...given }, ""],
    [
      "in one of its demands, which is empty then",
      "checkSession",
      { token: "x", demands: [known, given] },
      "demands.1",
    ],
    [
      "beside what a demand says",
      "checkSession",
      { token: "x", demands: [{ ...known, ...given }] },
      "demands.0",
    ],
    [
      "deep in a demand",
      "checkSession",
      { token: "x", demands: [{ demand: { case: "freshness", value: { ...given } } }] },
      "demands.0.freshness",
    ],
    [
      "in a message that is closed by the one around it",
      "checkSession",
      { token: "x", atLeast: given },
      "atLeast",
    ],
    ["in the holder's own check", "getCurrentSession", given, ""],
    ["in a filter", "listOwnSessions", given, ""],
    [
      "in what is to be ended",
      "revokeOwnSession",
      { sessionId: "01890000-0000-7000-8000-000000000001", ...given },
      "",
    ],
  ])("is refused if the field is %s", async (_name, method, request, message) => {
    const { calls } = running.seen;
    const refused = await refusedBy(client()[method]?.(request) ?? Promise.resolve());
    expect(refused).toEqual(["InvalidArgument", "REQUEST_MALFORMED", at(message)]);
    expect(running.seen.calls).toBe(calls);
  });

  test("is served without the field", async () => {
    expect(await client().checkSession?.({ token: "x", demands: [known] })).toMatchObject({
      session: { id: "x" },
    });
  });

  test("is served with the field where the message is open, unless it is JSON", async () => {
    const call = client().logout?.(given) ?? Promise.reject();
    if (isJson) expect(await refusedBy(call)).toEqual(["InvalidArgument", "REQUEST_MALFORMED", field]);
    else await call;
  });

  test.each<[string, object]>([
    ["in the request", given],
    ["in a message within", { after: given }],
  ])("that opens a stream is refused if the field is %s", async (_name, request) => {
    const authorization = "Bearer ost_key_session:watch";
    const streams = createClient(feed, transportOf(protocol, feeding.baseUrl, { authorization }));
    const watch = (streams as unknown as Record<string, (of: object) => AsyncIterable<unknown>>)
      .watchSessions;
    const first = async (of: object) => watch?.(of)[Symbol.asyncIterator]().next();
    expect((await refusedBy(first(request)))[1]).toBe("REQUEST_MALFORMED");
    expect((await refusedBy(first({})))[1]).toBe("FEATURE_OFF");
  });
});

test.each([
  ["Connect", createConnectTransport],
  ["gRPC", createGrpcTransport],
])("a compressed request over %s is refused as well", async (_name, createTransport) => {
  const transport = createTransport({
    baseUrl: running.baseUrl,
    httpVersion: "2",
    useBinaryFormat: true,
    sendCompression: compressionGzip,
    compressMinBytes: 1,
  });
  const client = createClient(sessions, transport) as unknown as Newer;
  const refused = await refusedBy(
    client.checkSession?.({ token: "x", demands: [given] }) ?? Promise.resolve(),
  );
  expect(refused).toEqual(["InvalidArgument", "REQUEST_MALFORMED", "demands.0"]);
});
