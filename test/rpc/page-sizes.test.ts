import { toBinary } from "@bufbuild/protobuf";
import { createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  IdentityService,
  IdentityView,
  ListIdentitiesResponseSchema,
} from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";

/** What gRPC clients refuse unless they are told otherwise. */
const grpcLimit = 4 * 1024 * 1024;

let app: TestApp;
const made: string[] = [];

beforeAll(async () => {
  app = await startTestApp();
  const client = app.client(IdentityService);
  // As text the first is larger, as Protobuf the second.
  const notes = "n".repeat(16 * 1024 - 20);
  const zeros = { a: new Array(900).fill(0), b: new Array(900).fill(0) };
  for (let batch = 0; batch < 20; batch++) {
    const requests = Array.from({ length: 10 }, () => ({
      traits: { email: freshEmail() },
      publicMetadata: zeros,
      adminMetadata: { notes },
    }));
    const { results } = await client.batchCreateIdentities({ requests });
    for (const { result } of results) {
      if (result.case === "identity") made.push(result.value.id);
    }
  }
});

afterAll(() => app.stop());

describe("a list of large items", () => {
  test("is received page by page by a gRPC client with its own limit, and nothing is left out", async () => {
    const authorise: Interceptor = (next) => (request) => {
      request.header.set("authorization", `Bearer ${app.apiKey}`);
      return next(request);
    };
    const transport = createGrpcTransport({
      baseUrl: app.adminUrl,
      interceptors: [authorise],
      readMaxBytes: grpcLimit,
    });
    const client = createClient(IdentityService, transport);
    const sizes: number[] = [];
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await client.listIdentities({ pageSize: 500, pageToken, view: IdentityView.FULL });
      sizes.push(toBinary(ListIdentitiesResponseSchema, page).length);
      seen.push(...page.identities.map(({ id }) => id));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(made).toHaveLength(200);
    expect(seen).toEqual(made.toSorted().reverse());
    expect(sizes.length).toBeGreaterThan(1);
    // Full as far as it goes: more pages than are needed cost round trips.
    expect(sizes[0]).toBeGreaterThan(grpcLimit / 2);
  });

  test("of small ones is as long as was asked for", async () => {
    const { identities, nextPageToken } = await app.client(IdentityService).listIdentities({ pageSize: 50 });
    expect(identities).toHaveLength(50);
    expect(nextPageToken).not.toBe("");
  });
});
