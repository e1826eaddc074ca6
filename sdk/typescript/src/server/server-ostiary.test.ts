// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { createServerOstiary, type ServerOstiaryOptions } from "./server-ostiary.ts";

const request = {
  method: "GET",
  headers: { host: "app.example", cookie: "app=1; ostiary_session=2", "user-agent": "Test Browser" },
  socket: { remoteAddress: "192.0.2.1" },
};

describe("createServerOstiary", () => {
  test("forwards the user's cookies, agent and socket address, and no other header", async () => {
    const sent = await headersOf({
      request: {
        ...request,
        headers: {
          ...request.headers,
          origin: "https://x.example",
          "x-forwarded-for": "203.0.113.9",
          authorization: "Bearer t",
        },
      },
    });
    expect(sent.get("cookie")).toBe("ostiary_session=2");
    expect(sent.get("user-agent")).toBe("Test Browser");
    // Not what the request claims: the app says who is at the other end.
    expect(sent.get("x-forwarded-for")).toBe("192.0.2.1");
    expect(sent.has("origin")).toBe(false);
    expect(sent.has("authorization")).toBe(false);
  });

  test("forwards the address that the app gives before that of the socket", async () => {
    const sent = await headersOf({ request, clientAddress: "203.0.113.9" });
    expect(sent.get("x-forwarded-for")).toBe("203.0.113.9");
  });

  test("sends nothing about the user that is not known", async () => {
    const sent = await headersOf({ request: new Request("https://app.example/") });
    expect(["cookie", "x-forwarded-for"].filter((name) => sent.has(name))).toEqual([]);
  });

  // Security rule: nothing that is forwarded can begin another header.
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

    const appended: string[][] = [];
    ostiary.applyTo({ appendHeader: (name, value) => appended.push([name, value]) });
    expect(appended).toEqual([["set-cookie", ...expected]]);
  });
});

/** The headers of a call. */
async function headersOf(options: Pick<ServerOstiaryOptions, "request" | "clientAddress">): Promise<Headers> {
  const sent: Headers[] = [];
  const fetch: typeof globalThis.fetch = async (_input, init) => {
    sent.push(new Headers(init?.headers));
    return Response.json({});
  };
  await createServerOstiary({ baseUrl: "https://auth.example", fetch, ...options }).sessions.logout({});
  if (sent[0] === undefined) throw new Error("nothing was sent");
  return sent[0];
}
