// SPDX-License-Identifier: Apache-2.0
import { createServer, IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { addCookies } from "./add-cookies.ts";

const cookies = ["ostiary_session=1; HttpOnly", "ostiary_device=2"];

// Security rule (SR-SDK-6): an answer with somebody's cookie is kept by no cache.
describe("an answer that gets a cookie", () => {
  test.each([
    [undefined, "private, no-store"],
    ["", "private, no-store"],
    ["public, max-age=3600", "private, no-store"],
    ["s-maxage=60", "private, no-store"],
    ["private, max-age=60", "private, no-store"],
    ["no-cache", "private, no-store"],
    ["max-age=60, ext=no-store", "private, no-store"],
    ["no-store", "no-store"],
    ["No-Transform, No-Store", "No-Transform, No-Store"],
  ])("of which was said %j, is told of as %j", (before, after) => {
    const headers = new Headers(before === undefined ? {} : { "cache-control": before });
    expect(addCookies(headers, cookies)).toBe(headers);
    expect(headers.getSetCookie()).toEqual(cookies);
    expect(headers.get("cache-control")).toBe(after);

    const node = new ServerResponse(new IncomingMessage(new Socket()));
    if (before !== undefined) node.setHeader("Cache-Control", before);
    expect(addCookies(node, cookies)).toBe(node);
    expect(node.getHeader("set-cookie")).toEqual(cookies);
    expect(node.getHeader("cache-control")).toBe(after);
  });

  test.each([
    "CDN-Cache-Control",
    "Cloudflare-CDN-Cache-Control",
    "Vercel-CDN-Cache-Control",
    "Surrogate-Control",
    "Edge-Control",
    "X-Accel-Expires",
  ])("loses %s, which would have more weight with some caches", (name) => {
    const headers = new Headers({ [name]: "max-age=3600", etag: "1" });
    addCookies(headers, cookies);
    expect([...headers.keys()].sort()).toEqual(["cache-control", "etag", "set-cookie", "set-cookie"]);
  });

  test("stays as it is without a cookie", () => {
    const headers = new Headers({ "cache-control": "public", "surrogate-control": "max-age=1" });
    addCookies(headers, []);
    expect(headers.get("cache-control")).toBe("public");
    expect(headers.has("surrogate-control")).toBe(true);
  });
});

describe("a Response", () => {
  test("that can be changed is changed", () => {
    const response = new Response("page", { status: 201 });
    expect(addCookies(response, cookies)).toBe(response);
    expect(response.headers.getSetCookie()).toEqual(cookies);
  });

  test("that redirects, whose headers cannot be changed, becomes another one", () => {
    const answer = addCookies(Response.redirect("https://app.example/in", 303), cookies);
    if (!(answer instanceof Response)) throw new Error("no response");
    expect(answer.status).toBe(303);
    expect(answer.headers.get("location")).toBe("https://app.example/in");
    expect(answer.headers.getSetCookie()).toEqual(cookies);
    expect(answer.headers.get("cache-control")).toBe("private, no-store");
  });

  test("that was fetched becomes another one, with the same body", async () => {
    const server = createServer((_request, response) => response.writeHead(203, { etag: "1" }).end("page"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const fetched = await fetch(`http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`);
    const answer = addCookies(fetched, cookies);
    if (!(answer instanceof Response)) throw new Error("no response");
    expect([answer.status, answer.headers.get("etag"), await answer.text()]).toEqual([203, "1", "page"]);
    expect(answer.headers.getSetCookie()).toEqual(cookies);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});
