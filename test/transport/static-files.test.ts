import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadStaticFiles } from "../../src/transport/pages/static-files.ts";
import { type Running, startListener } from "./harness.ts";

const page = "<!doctype html><title>page</title>";
const script = "console.log('a script')";
let folder: string;
let running: Running;
let publicUrl = "http://127.0.0.1:1";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "ostiary-static-"));
  const root = join(folder, "dist");
  mkdirSync(join(root, "assets"), { recursive: true });
  writeFileSync(join(folder, "secret.html"), "not for everyone");
  writeFileSync(join(root, ".inputs"), "not for everyone");
  writeFileSync(join(root, "notes.txt"), "not for everyone");
  writeFileSync(join(root, "index.html"), page);
  writeFileSync(join(root, "login.html"), page);
  writeFileSync(join(root, "icon.svg"), "<svg/>");
  const name = join(root, "assets/index-DW_Fft4K.js");
  writeFileSync(name, script);
  writeFileSync(`${name}.br`, brotliCompressSync(script));
  writeFileSync(`${name}.gz`, gzipSync(script));
  running = await startListener({ httpRoutes: loadStaticFiles(root, "ui", () => publicUrl) });
  publicUrl = running.baseUrl;
});

afterAll(async () => {
  await running.close();
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Asks with exactly this path and these headers. */
async function ask(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  const call = request({ port: running.port, host: "127.0.0.1", path, headers, method }).end();
  const [response] = await once(call, "response");
  const chunks: Buffer[] = await response.toArray();
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

describe("the files of the pages", () => {
  test.each([
    ["/ui", page, "text/html; charset=utf-8"],
    ["/ui/", page, "text/html; charset=utf-8"],
    ["/ui/login", page, "text/html; charset=utf-8"],
    ["/ui/login?flow=ost_flw_x", page, "text/html; charset=utf-8"],
    ["/ui/icon.svg", "<svg/>", "image/svg+xml"],
    ["/ui/assets/index-DW_Fft4K.js", script, "text/javascript; charset=utf-8"],
  ])("%s is served with its type", async (path, content, type) => {
    const { status, headers, body } = await ask(path);
    expect({ status, body: body.toString(), type: headers["content-type"] }).toEqual({
      status: 200,
      body: content,
      type,
    });
  });

  // Security rule (SR-PAGES-2): a path is looked up in a table and never becomes the name of a file.
  test.each([
    "/ui/../secret.html",
    "/ui/..%2fsecret.html",
    "/ui/%2e%2e/secret.html",
    "/ui/assets/../../../secret.html",
    "/ui/..\\secret.html",
    "/ui//login",
    "/ui/login/",
    "/ui/LOGIN",
    "/ui/login%00",
    "/ui/index.html",
    "/ui/assets",
    "/ui/assets/",
    "/ui/.inputs",
    "/ui/notes.txt",
    "/ui/assets/index-DW_Fft4K.js.br",
    "/ui/__proto__",
  ])("%s is not there", async (path) => {
    const { status, body } = await ask(path);
    expect(status).toBe(404);
    expect(body.toString()).toContain("METHOD_UNKNOWN");
  });

  test("are refused to everything but GET and HEAD", async () => {
    expect((await ask("/ui/login", {}, "POST")).status).toBe(405);
    const head = await ask("/ui/login", {}, "HEAD");
    expect(head).toMatchObject({ status: 200, headers: { "content-length": String(page.length) } });
    expect(head.body).toHaveLength(0);
  });

  test("are not on the admin listener, and not anywhere if they are not built", async () => {
    expect(loadStaticFiles(join(folder, "nowhere"), "ui", () => publicUrl)).toBeUndefined();
    const admin = await startListener({ name: "admin" });
    expect((await fetch(`${admin.baseUrl}/ui/login`)).status).toBe(404);
    await admin.close();
  });
});

describe("compression", () => {
  const path = "/ui/assets/index-DW_Fft4K.js";

  test.each([
    ["gzip, deflate, br, zstd", "br", brotliDecompressSync],
    ["gzip, br;q=0", "gzip", gunzipSync],
    ["GZIP;q=0.5", "gzip", gunzipSync],
    ["identity", undefined, (body: Buffer) => body],
    ["*", undefined, (body: Buffer) => body],
    ["gzip;q=0.000, br;q=0", undefined, (body: Buffer) => body],
  ])("for Accept-Encoding %s is %s", async (accepted, encoding, open) => {
    const { headers, body } = await ask(path, { "accept-encoding": accepted });
    expect(headers["content-encoding"]).toBe(encoding);
    expect(headers["content-length"]).toBe(String(body.length));
    expect(headers.vary).toContain("Accept-Encoding");
    expect(open(body).toString()).toBe(script);
  });
});

describe("caches", () => {
  test("keep what has its content in its name, and ask about the rest", async () => {
    expect((await ask("/ui/assets/index-DW_Fft4K.js")).headers["cache-control"]).toContain("immutable");
    expect((await ask("/ui/login")).headers["cache-control"]).toBe("no-cache");
  });

  test("are told that nothing has changed, over HTTP/1.1 and HTTP/2", async () => {
    const { etag = "" } = (await ask("/ui/login")).headers;
    const again = await ask("/ui/login", { "if-none-match": `"other", W/${etag}` });
    expect(again.status).toBe(304);
    expect(again.body).toHaveLength(0);
    expect(again.headers["content-length"]).toBeUndefined();
    expect((await ask("/ui/login", { "if-none-match": '"other"' })).status).toBe(200);

    const session = connect(running.baseUrl);
    const stream = session.request({ ":path": "/ui/login", "if-none-match": etag });
    const [headers] = await once(stream, "response");
    expect(headers[":status"]).toBe(304);
    expect(headers["content-length"]).toBeUndefined();
    stream.resume();
    session.close();
  });

  test("tell one encoding from another", async () => {
    const path = "/ui/assets/index-DW_Fft4K.js";
    const plain = (await ask(path)).headers.etag;
    expect((await ask(path, { "accept-encoding": "br" })).headers.etag).not.toBe(plain);
  });
});

describe("a page", () => {
  // Security rule (SR-PAGES-1): nothing inline, nothing from elsewhere, no frames, no text that becomes markup.
  test("may load files of its own server alone, and is framed by nobody", async () => {
    const { headers } = await ask("/ui/login");
    const policy = headers["content-security-policy"]?.toString().split("; ");
    expect(policy).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "require-trusted-types-for 'script'",
      ]),
    );
    expect(policy?.join()).not.toMatch(/unsafe|\*|http/);
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
    });
  });

  test("asked for at another name of this machine moves to its own address", async () => {
    const { status, headers } = await ask("/ui/login?return_to=x", { host: `localhost:${running.port}` });
    expect(status).toBe(307);
    expect(headers.location).toBe(`${running.baseUrl}/ui/login?return_to=x`);
  });

  // Security rule (SR-PAGES-2): the Host header decides nothing about where anybody is sent.
  test.each([
    ["evil.example", {}],
    ["localhost.evil.example", {}],
    ["localhost:1", {}],
    [undefined, { "x-forwarded-for": "192.0.2.1" }],
  ])("asked for at %s with %o is not moved anywhere", async (host, more) => {
    const answer = await ask("/ui/login", { host: host ?? `localhost:${running.port}`, ...more });
    expect(answer.status).toBe(200);
    expect(answer.headers.location).toBeUndefined();
  });
});
