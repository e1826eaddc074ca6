// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { comesFromAllowedOrigin } from "./origin.ts";
import { headOfFetch } from "./request-head.ts";

const allowed = new Set(["https://sister.example"]);

// Security rule (SR-SDK-7): a page of another site cannot make a person's browser change anything with their cookie.
describe("a changing request with a cookie", () => {
  test.each([
    [
      "the same origin, as the browser says",
      { "sec-fetch-site": "same-origin", origin: "https://app.example" },
    ],
    ["the person themselves", { "sec-fetch-site": "none" }],
    ["the same host", { origin: "https://app.example" }],
    [
      "the same host with the default port written out",
      { origin: "https://app.example", host: "app.example:443" },
    ],
    ["a listed origin", { "sec-fetch-site": "cross-site", origin: "https://sister.example" }],
    ["no browser", {}],
  ])("may come from %s", (_, headers) => {
    expect(allows("POST", headers)).toBe(true);
  });

  test.each([
    ["another site", { "sec-fetch-site": "cross-site", origin: "https://evil.example" }],
    ["a sibling host", { "sec-fetch-site": "same-site", origin: "https://other.app.example" }],
    ["another site, in a browser without Sec-Fetch-Site", { origin: "https://evil.example" }],
    ["another port", { origin: "https://app.example:8443" }],
    ["a sandboxed frame", { origin: "null" }],
    ["an origin that is none", { origin: "app.example" }],
    ["an origin that begins alike", { origin: "https://app.example.evil.example" }],
    ["a listed origin with more to it", { origin: "https://sister.example.evil.example" }],
    ["a page over http of an https site", { "sec-fetch-site": "cross-site", origin: "http://app.example" }],
    ["an unknown word of the browser", { "sec-fetch-site": "whatever" }],
  ])("must not come from %s", (_, headers) => {
    expect(allows("POST", headers)).toBe(false);
    expect(allows("DELETE", headers)).toBe(false);
    expect(allows("BREW", headers)).toBe(false);
  });

  test.each(["GET", "HEAD", "OPTIONS", "get"])(
    "may come from anywhere if its method %s changes nothing",
    (method) => {
      expect(allows(method, { "sec-fetch-site": "cross-site", origin: "https://evil.example" })).toBe(true);
    },
  );

  test("is what opens a WebSocket, whatever its method", () => {
    const headers = { upgrade: "WebSocket", connection: "upgrade" };
    expect(allows("GET", { ...headers, origin: "https://evil.example" })).toBe(false);
    expect(allows("GET", { ...headers, origin: "https://app.example" })).toBe(true);
  });
});

function allows(method: string, headers: Record<string, string>): boolean {
  const head = headOfFetch({ method, url: "https://app.example/", headers: new Headers(headers) });
  return comesFromAllowedOrigin(head, allowed);
}
