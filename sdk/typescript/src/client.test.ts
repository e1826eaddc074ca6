// SPDX-License-Identifier: Apache-2.0
import { create } from "@bufbuild/protobuf";
import { afterEach, describe, expect, test, vi } from "vitest";
import { CreateApiKeyRequestSchema } from "../../../gen/ostiary/access/v1/api_key_service_pb.js";
import { createOstiaryAdmin } from "./admin.ts";
import { createOstiary, type OstiaryOptions } from "./client.ts";
import { getTenantProfile } from "./tenant-profile.ts";

describe("the clients", () => {
  afterEach(() => vi.unstubAllGlobals());

  test.each<[string, OstiaryOptions["token"], string | null]>([
    ["a token", "ost_ses_1", "Bearer ost_ses_1"],
    ["a function", () => "ost_ses_2", "Bearer ost_ses_2"],
    ["a function that takes its time", async () => "ost_ses_3", "Bearer ost_ses_3"],
    ["a function that finds none", () => undefined, null],
    ["an empty token", "", null],
    ["no token", undefined, null],
  ])("send the credentials of %s", async (_, token, expected) => {
    const { sent, fetch } = recorder();
    await createOstiary({ baseUrl: "https://auth.example", fetch, token }).sessions.logout({});
    expect(sent[0]?.url).toBe("https://auth.example/ostiary.session.v1.SessionService/Logout");
    expect(new Headers(sent[0]?.init?.headers).get("authorization")).toBe(expected);
  });

  test("ask for the token at each call, for tokens that change", async () => {
    const { sent, fetch } = recorder();
    let count = 0;
    const ostiary = createOstiary({ baseUrl: "https://auth.example", fetch, token: () => `t${++count}` });
    await ostiary.sessions.logout({});
    await ostiary.sessions.logout({});
    const tokens = sent.map(({ init }) => new Headers(init?.headers).get("authorization"));
    expect(tokens).toEqual(["Bearer t1", "Bearer t2"]);
  });

  test("leave alone what the caller says for one call", async () => {
    const { sent, fetch } = recorder();
    const ostiary = createOstiary({ baseUrl: "https://auth.example", fetch, token: "t" });
    await ostiary.sessions.logout({}, { headers: { authorization: "Bearer other" } });
    expect(new Headers(sent[0]?.init?.headers).get("authorization")).toBe("Bearer other");
  });

  test("do not send anything when the token cannot be found", async () => {
    const { sent, fetch } = recorder();
    const token = () => Promise.reject(new Error("the store is locked"));
    const ostiary = createOstiary({ baseUrl: "https://auth.example", fetch, token });
    await expect(ostiary.sessions.logout({})).rejects.toThrow("the store is locked");
    expect(sent).toEqual([]);
  });

  test("of operators send the API key", async () => {
    const { sent, fetch } = recorder();
    await createOstiaryAdmin({
      baseUrl: "https://admin.example",
      fetch,
      apiKey: "ost_key_1",
    }).apiKeys.listApiKeys({});
    expect(new Headers(sent[0]?.init?.headers).get("authorization")).toBe("Bearer ost_key_1");
  });

  test("of operators give a random request id to calls that take one, each another", async () => {
    const { sent, fetch } = recorder();
    const admin = createOstiaryAdmin({ baseUrl: "https://admin.example", fetch, apiKey: "ost_key_1" });
    const request = { name: "one", scopes: ["identity:read"] };
    await admin.apiKeys.createApiKey(request);
    await admin.apiKeys.createApiKey(request);
    await admin.identities.batchCreateIdentities({ requests: [{}] });
    await admin.apiKeys.createApiKey(create(CreateApiKeyRequestSchema, { ...request, requestId: "mine" }));
    await admin.apiKeys.listApiKeys({});
    const bodies = sent.map(({ init }) => JSON.parse(new TextDecoder().decode(init?.body as Uint8Array)));
    const uuid = expect.stringMatching(/^[0-9a-f-]{36}$/);
    expect(bodies).toEqual([
      { ...request, requestId: uuid },
      { ...request, requestId: uuid },
      { requestId: uuid, requests: [{}] },
      { ...request, requestId: "mine" },
      {},
    ]);
    expect(new Set(bodies.map(({ requestId }) => requestId)).size).toBe(5);
    expect(request).not.toHaveProperty("requestId");
  });

  test("send cookies from a web page, unless they have a token or are told otherwise", async () => {
    vi.stubGlobal("document", {});
    const credentials = async (options: Partial<OstiaryOptions>) => {
      const { sent, fetch } = recorder();
      const all = { baseUrl: "https://auth.example", fetch, ...options } as OstiaryOptions;
      await createOstiary(all).sessions.logout({});
      return sent[0]?.init?.credentials;
    };
    expect(await credentials({})).toBe("include");
    expect(await credentials({ token: "t" })).toBe("omit");
    expect(await credentials({ credentials: "same-origin" })).toBe("same-origin");
  });

  test("do not mention cookies elsewhere, where some runtimes throw at the word", async () => {
    const { sent, fetch } = recorder();
    await createOstiary({ baseUrl: "https://auth.example", fetch }).sessions.logout({});
    expect(sent[0]?.init).not.toHaveProperty("credentials");
  });

  test("ask for the tenant's profile by GET and without a token, so that a browser can keep the answer", async () => {
    const { sent, fetch } = recorder({ profile: { defaultSchemaId: "person" } });
    const ostiary = createOstiary({ baseUrl: "https://auth.example", fetch, token: "t" });
    expect((await getTenantProfile(ostiary)).defaultSchemaId).toBe("person");
    await ostiary.sessions.logout({});
    expect(sent.map(({ init }) => init?.method)).toEqual(["GET", "POST"]);
    expect(new URL(sent[0]?.url ?? "").pathname).toBe("/ostiary.flow.v1.FlowService/GetTenantProfile");
    expect(new Headers(sent[0]?.init?.headers).get("authorization")).toBeNull();
  });

  // Security rule (SR-SDK-2): a redirect must not carry tokens and passwords to another host.
  test("follow no redirects", async () => {
    const { sent, fetch } = recorder();
    await createOstiary({ baseUrl: "https://auth.example", fetch, token: "t" }).sessions.logout({});
    expect(sent[0]?.init?.redirect).toBe("error");
  });
});

function recorder(answer: object = {}) {
  const sent: { url: string; init: RequestInit | undefined }[] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    sent.push({ url: String(input), init });
    return Response.json(answer);
  };
  return { sent, fetch };
}
