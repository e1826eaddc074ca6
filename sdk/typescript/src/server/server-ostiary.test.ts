// SPDX-License-Identifier: Apache-2.0
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { getOption } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ClientKind } from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import {
  Listener,
  method as methodOption,
  service as serviceOption,
} from "../../../../gen/ostiary/option/v1/option_pb.js";
import { services } from "../../../../src/app-services.ts";
import { reasonOf } from "../errors.ts";
import { changesSomething } from "./may-act.ts";
import { createServerOstiary, type ServerOstiary, type ServerOstiaryOptions } from "./server-ostiary.ts";

const request = {
  method: "GET",
  headers: { host: "app.example", cookie: "app=1; ostiary_session=2", "user-agent": "Test Browser" },
  socket: { remoteAddress: "192.0.2.1" },
};

describe("createServerOstiary", () => {
  test("forwards the user's cookies, agent and socket address, and no other header", async () => {
    const headers = { ...request.headers, origin: "https://x.example", authorization: "Bearer t" };
    const sent = await headersOf({ request: { ...request, headers } });
    expect(sent.get("cookie")).toBe("ostiary_session=2");
    expect(sent.get("user-agent")).toBe("Test Browser");
    expect(sent.get("x-forwarded-for")).toBe("192.0.2.1");
    expect(sent.has("origin")).toBe(false);
    expect(sent.has("authorization")).toBe(false);
  });

  test("forwards the address that the app gives, not what the request claims nor that of the socket", async () => {
    const headers = { ...request.headers, "x-forwarded-for": "203.0.113.8" };
    const sent = await headersOf({ request: { ...request, headers }, clientAddress: "203.0.113.9" });
    expect(sent.get("x-forwarded-for")).toBe("203.0.113.9");
  });

  // Security rule (SR-SDK-7): with a key the list of trusted proxies does not matter, so no header of a proxy is sent.
  test("with an API key says for whom it calls in headers of its own", async () => {
    const sent = await headersOf({ request, clientAddress: "203.0.113.9", apiKey: "ost_key_default_1" });
    expect(sent.get("ostiary-api-key")).toBe("ost_key_default_1");
    expect(sent.get("ostiary-client-address")).toBe("203.0.113.9");
    expect(sent.get("ostiary-client-user-agent")).toBe("Test Browser");
    expect(sent.has("x-forwarded-for")).toBe(false);
    expect(sent.has("authorization")).toBe(false);
    const { "user-agent": _, ...headers } = request.headers;
    const silent = await headersOf({ request: { ...request, headers }, apiKey: "ost_key_default_1" });
    expect(silent.get("ostiary-client-address")).toBe("192.0.2.1");
    expect(silent.has("ostiary-client-user-agent")).toBe(false);
  });

  test("without an API key sends none of its headers", async () => {
    const sent = await headersOf({ request });
    expect([...sent.keys()].filter((name) => name.startsWith("ostiary"))).toEqual([]);
  });

  // Security rule (SR-SDK-7): an empty key is a mistake, not a choice to go without; and no error shows a key.
  test.each(["", " ", "ost_key\r\nx: 1", null, 1, ["ost_key_1"]])("refuses %j as an API key", (apiKey) => {
    const all = { baseUrl: "https://auth.example", request, apiKey } as unknown as ServerOstiaryOptions;
    expect(() => createServerOstiary(all)).toThrow(
      new TypeError("apiKey must be an API key, as ApiKeyService made it"),
    );
  });

  test("sends no cookie where there is none", async () => {
    const sent = await headersOf({
      request: new Request("https://app.example/"),
      clientAddress: "192.0.2.1",
    });
    expect(sent.has("cookie")).toBe(false);
  });

  // Security rule (SR-SDK-7): users never share an address by default; a stranger would use up the limits of all of them.
  test.each([
    ["a request of Fetch without an address", { request: new Request("https://app.example/") }],
    ["an empty address", { request, clientAddress: "" }],
    ["an address that is no text", { request, clientAddress: { address: "192.0.2.1" } }],
    ["null for an address", { request, clientAddress: null }],
  ])("refuses %s when it is called", (_, options) => {
    const all = { baseUrl: "https://auth.example", ...options } as unknown as ServerOstiaryOptions;
    expect(() => createServerOstiary(all)).toThrow(/clientAddress/);
  });

  // Not when it is called: a header that any stranger can send must not throw where an app may not catch it.
  test.each([
    ["x-forwarded-for", { ...request.headers, "x-forwarded-for": "203.0.113.9" }],
    ["x-real-ip", { ...request.headers, "x-real-ip": "203.0.113.9" }],
    ["forwarded", { ...request.headers, forwarded: "for=203.0.113.9" }],
    ["x-forwarded-host", { ...request.headers, "x-forwarded-host": "app.example" }],
  ])("does not take a proxy, which %s tells of, for the user", async (name, headers) => {
    const sent = headersOf({ request: { ...request, headers } });
    await expect(sent).rejects.toThrow(TypeError);
    await expect(sent).rejects.toThrow(name);
  });

  test("fails calls where the socket has no address", async () => {
    await expect(headersOf({ request: { ...request, socket: {} } })).rejects.toThrow(/clientAddress/);
  });

  // Security rule (SR-SDK-7): nothing that is forwarded can begin another header.
  test.each([
    ["user agent", { request: { ...request, headers: { "user-agent": "a\r\nauthorization: Bearer t" } } }],
    ["cookie", { request: { ...request, headers: { cookie: "ostiary_session=a\r\nauthorization: b" } } }],
    ["address", { request, clientAddress: "192.0.2.1\r\nauthorization: Bearer t" }],
  ])("sends nothing at all with a line break in the %s", async (_, options) => {
    await expect(headersOf(options)).rejects.toThrow(TypeError);
  });

  test("hands the cookies of answers and of errors to every kind of response", async () => {
    const fetch = async () =>
      new Response('{"code":"unauthenticated"}', {
        status: 401,
        headers: { "content-type": "application/json", "set-cookie": "ostiary_session=; Max-Age=0" },
      });
    const ostiary = createServerOstiary({ baseUrl: "https://auth.example", fetch, request });
    await expect(ostiary.sessions.getCurrentSession({})).rejects.toThrow();
    const expected = ["ostiary_session=; Max-Age=0"];
    expect(ostiary.setCookies).toEqual(expected);

    const headers = new Headers();
    ostiary.applyTo(headers);
    expect(headers.getSetCookie()).toEqual(expected);

    const response = new Response();
    ostiary.applyTo(response);
    expect(response.headers.getSetCookie()).toEqual(expected);

    const node = new ServerResponse(new IncomingMessage(new Socket()));
    ostiary.applyTo(node);
    expect([node.getHeader("set-cookie")].flat()).toEqual(expected);
    expect(node.getHeader("cache-control")).toBe("private, no-store");

    const answer: Response = ostiary.applyTo(Response.redirect("https://app.example/"));
    expect(answer.headers.getSetCookie()).toEqual(expected);

    const appended: string[][] = [];
    ostiary.applyTo({ appendHeader: (name, value) => appended.push([name, value]) });
    expect(appended).toEqual([
      ["set-cookie", ...expected],
      ["cache-control", "private, no-store"],
    ]);
  });

  // Security rule (SR-SDK-7): a link or a picture on any page must not act for the visitors of an app.
  describe("on a GET that another page has started, with a cookie", () => {
    const foreign: Readonly<Record<string, Record<string, string>>> = {
      "another site": { "sec-fetch-site": "cross-site" },
      "a sibling host": { "sec-fetch-site": "same-site" },
      "a foreign Origin": { origin: "https://evil.example" },
      "a sandboxed frame": { origin: "null", "sec-fetch-site": "cross-site" },
    };

    test.each(Object.entries(foreign))("of %s, refuses to act", async (_, more) => {
      const { ostiary, sent } = visited("GET", more);
      for (const act of actsOf(ostiary)) {
        expect(reasonOf(await act().catch((error: unknown) => error))).toBe("ORIGIN_NOT_ALLOWED");
      }
      expect(sent).toEqual([]);
    });

    test("makes the calls that a page needs to be drawn", async () => {
      const { ostiary, sent } = visited("GET", { "sec-fetch-site": "cross-site" });
      await ostiary.sessions.getCurrentSession({});
      await ostiary.sessions.listOwnSessions({});
      await ostiary.sessions.checkSession({ token: "t" });
      await ostiary.login.createLoginFlow({ client: ClientKind.BROWSER });
      await ostiary.settings.createSettingsFlow({ client: ClientKind.BROWSER });
      await ostiary.flows.getFlow({ flowId: "f" });
      expect(sent).toHaveLength(6);
    });

    test.each<[string, Record<string, string>]>([
      ["its own page", { "sec-fetch-site": "same-origin" }],
      ["nobody but the user, who typed the address", { "sec-fetch-site": "none" }],
      ["a listed page", { "sec-fetch-site": "cross-site", origin: "https://sister.example" }],
      ["something that is no browser", {}],
    ])("acts if it was started by %s", async (_, more) => {
      const { ostiary, sent } = visited("GET", more);
      for (const act of actsOf(ostiary)) await act();
      expect(sent).toHaveLength(actsOf(ostiary).length);
    });

    test("knows of each call of the contract whether it acts", () => {
      const acts = services
        .filter((service) => getOption(service, serviceOption).listener === Listener.PUBLIC)
        .flatMap(({ methods }) => methods.filter(changesSomething))
        // Of services with a key of their own, in the name of nobody.
        .filter((method) => getOption(method, methodOption).access?.caller.case !== "apiKey");
      expect(acts.map(({ name }) => name).sort()).toEqual([
        "ExtendCurrentSession",
        "Logout",
        "RevokeOtherSessions",
        "RevokeOwnSession",
        "SubmitForm",
        "SubmitLoginFlow",
        "SubmitRecoveryFlow",
        "SubmitRegistrationFlow",
        "SubmitSettingsFlow",
        "SubmitVerificationFlow",
      ]);
    });
  });
});

/** Calls that change something, of each service that users have. */
function actsOf(ostiary: ServerOstiary): readonly (() => Promise<unknown>)[] {
  return [
    () => ostiary.sessions.logout({}),
    () => ostiary.sessions.revokeOwnSession({ sessionId: "s" }),
    () => ostiary.sessions.revokeOtherSessions({}),
    () => ostiary.sessions.extendCurrentSession({}),
    () => ostiary.flows.submitForm({ flowId: "f" }),
    () => ostiary.login.submitLoginFlow({ flowId: "f" }),
    () => ostiary.settings.submitSettingsFlow({ flowId: "f" }),
  ];
}

/** The app's clients for a request of a signed-in user, and the addresses that are called. */
function visited(method: string, more: Record<string, string>) {
  const sent: string[] = [];
  const fetch: typeof globalThis.fetch = async (input) => {
    sent.push(String(input));
    return Response.json({});
  };
  const headers = { cookie: "__Host-ostiary_session=2", ...more };
  const ostiary = createServerOstiary({
    baseUrl: "https://auth.example",
    fetch,
    request: new Request("https://app.example/page", { method, headers }),
    clientAddress: "192.0.2.1",
    allowedOrigins: ["https://sister.example"],
  });
  return { ostiary, sent };
}

/** The headers of a call. */
async function headersOf(
  options: Pick<ServerOstiaryOptions, "request" | "clientAddress" | "apiKey">,
): Promise<Headers> {
  const sent: Headers[] = [];
  const fetch: typeof globalThis.fetch = async (_input, init) => {
    sent.push(new Headers(init?.headers));
    return Response.json({});
  };
  const all = { baseUrl: "https://auth.example", fetch, ...options } as ServerOstiaryOptions;
  await createServerOstiary(all).sessions.getCurrentSession({});
  if (sent[0] === undefined) throw new Error("nothing was sent");
  return sent[0];
}
