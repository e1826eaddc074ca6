import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { matchesEtag } from "../net/etag.ts";
import type { Exchange, HttpHandler, ResponseHeaders } from "../net/exchange.ts";
import type { PageLook } from "./branding.ts";

/** A file that is served, with its compressed forms where the build has made them. */
interface StaticFile {
  readonly contentType: string;
  readonly isPage: boolean;
  /** Whether the name changes with the content, so that it can be kept for ever. */
  readonly immutable: boolean;
  readonly etag: string;
  readonly plain: Uint8Array;
  readonly brotli: Uint8Array | undefined;
  readonly gzip: Uint8Array | undefined;
}

/**
 * The routes of a folder of built pages: `x.html` at `/<base>/x`, `index.html` at `/<base>/` and without the slash, every
 * other file at its own path. Undefined if there is no such folder or no index in it.
 *
 * By hand, because sirv (3.0.2) serves whatever lies in the folder, ignores `q=0`, takes one etag in If-None-Match, and makes it
 * from the time of the file, which differs from machine to machine.
 *
 * Security rule (SR-PAGES-2): the folder is read once, and a path is looked up in the table that this makes. What a client sends
 * never becomes the name of a file, so that there is nothing to traverse.
 */
export function loadStaticFiles(
  folder: string,
  base: string,
  publicUrl: () => string,
  look: () => PageLook = () => plainLook,
): ReadonlyMap<string, HttpHandler> | undefined {
  if (!existsSync(join(folder, "index.html"))) return undefined;
  const routes = new Map<string, HttpHandler>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const extension = entry.name.slice(entry.name.lastIndexOf("."));
    const contentType = contentTypes[extension];
    if (!entry.isFile() || contentType === undefined) continue;
    const name = path.slice(join(folder, sep).length).replaceAll(sep, "/");
    const file = readFile(path, name, contentType);
    const handler = file.isPage ? servePage(file, publicUrl, look) : serveFile(file);
    for (const route of routesOf(name)) routes.set(`/${base}${route}`, handler);
    if (name === "index.html") routes.set(`/${base}${notFound}`, servePage(file, publicUrl, look, 404));
  }
  return routes;
}

const notFound = "/not-found";

/** Where the pages say that there is none: the script does, since it knows none of this name. */
export const notFoundPath = `/ui${notFound}`;

// Whatever else lies in the folder is not served; the compressed forms go out in the place of their originals.
const contentTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/**
 * What a page may do. Security rules (SR-PAGES-1): scripts and styles come as files from this server, nothing inline, nothing from
 * elsewhere but the pictures that the configuration names; no other page frames it, no form of it goes elsewhere; no text becomes
 * markup (Trusted Types).
 */
function pagePolicy(imageSources: readonly string[]): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    // A form may have an image within it, as the key of an authenticator app. Nothing in an image runs.
    ["img-src 'self' data:", ...imageSources].join(" "),
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
}

const plainLook: PageLook = { version: {}, dress: (html) => html, imageSources: [] };

function routesOf(name: string): readonly string[] {
  if (name === "index.html") return ["", "/"];
  return [`/${name.replace(/\.html$/, "")}`];
}

function readFile(path: string, name: string, contentType: string): StaticFile {
  const plain = readFileSync(path);
  const compressed = (extension: string) => {
    const file = `${path}${extension}`;
    return existsSync(file) ? readFileSync(file) : undefined;
  };
  return {
    contentType,
    isPage: name.endsWith(".html"),
    // As the build names them: assets/index-DW_Fft4K.css.
    immutable: /^assets\/.+-[\w-]{8,}\.\w+$/.test(name),
    etag: etagOf(plain),
    plain,
    brotli: compressed(".br"),
    gzip: compressed(".gz"),
  };
}

function etagOf(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("base64url").slice(0, 22);
}

function serveFile(file: StaticFile): HttpHandler {
  return (exchange, headers) => respondFile(exchange, headers, file);
}

/** A page as the branding has it now; compressed again when that has changed. */
function servePage(
  file: StaticFile,
  publicUrl: () => string,
  look: () => PageLook,
  status: 200 | 404 = 200,
): HttpHandler {
  const html = Buffer.from(file.plain).toString("utf8");
  let dressed: { readonly version: object; readonly file: StaticFile } | undefined;
  return (exchange, headers) => {
    const location = addressOfItsOwn(exchange, publicUrl());
    if (location !== undefined) {
      exchange.respond({ status: 307, headers: { ...headers, location } });
      return;
    }
    const current = look();
    if (dressed?.version !== current.version) {
      dressed = { version: current.version, file: withText(file, current.dress(html)) };
    }
    headers["content-security-policy"] = pagePolicy(current.imageSources);
    headers["cross-origin-opener-policy"] = "same-origin";
    headers["permissions-policy"] = "camera=(), geolocation=(), microphone=()";
    respondFile(exchange, headers, dressed.file, status);
  };
}

function withText(file: StaticFile, text: string): StaticFile {
  const plain = Buffer.from(text);
  return { ...file, plain, etag: etagOf(plain), brotli: brotliCompressSync(plain), gzip: gzipSync(plain) };
}

function respondFile(
  exchange: Exchange,
  headers: ResponseHeaders,
  file: StaticFile,
  status: 200 | 404 = 200,
): void {
  const { encoding, body } = choose(file, exchange);
  // Each encoding is a representation of its own (RFC 9110, section 8.8.3.3).
  const etag = `"${file.etag}${encoding === undefined ? "" : `-${encoding}`}"`;
  Object.assign(headers, headersOf(file), { etag }, status === 404 ? { "cache-control": "no-store" } : {});
  if (status === 200 && matchesEtag(exchange.header("if-none-match"), etag)) {
    exchange.respond({ status: 304, headers });
    return;
  }
  headers["content-type"] = file.contentType;
  if (encoding !== undefined) headers["content-encoding"] = encoding;
  exchange.respond({ status, headers, body });
}

/**
 * Where to go on if a page was asked for at another name of this machine than that of the public URL: it would be
 * of a foreign origin, and could call nothing. Security rule (SR-PAGES-2): the Host header decides whether, never where to.
 */
function addressOfItsOwn(exchange: Exchange, publicUrl: string): string | undefined {
  const own = new URL(publicUrl);
  const isOtherName =
    exchange.host !== undefined &&
    exchange.host !== own.host &&
    loopbackHost.test(exchange.host) &&
    loopbackHost.test(own.host) &&
    portOf(exchange.host) === portOf(own.host);
  // What comes through a proxy has the names that the proxy gives it.
  if (!isOtherName || exchange.header("x-forwarded-for") !== undefined) return undefined;
  return `${own.origin}${exchange.path}${exchange.query === "" ? "" : `?${exchange.query}`}`;
}

const loopbackHost = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;

function portOf(host: string): string {
  return /:\d+$/.exec(host)?.[0] ?? "";
}

function headersOf(file: StaticFile): ResponseHeaders {
  return {
    "cache-control": file.immutable ? "public, max-age=31536000, immutable" : "no-cache",
    vary: "Origin, Accept-Encoding",
    // Files of ours are for pages of ours.
    "cross-origin-resource-policy": "same-origin",
  };
}

function choose(
  file: StaticFile,
  exchange: Exchange,
): { readonly encoding: string | undefined; readonly body: Uint8Array } {
  const accepted = acceptedEncodings(exchange.header("accept-encoding"));
  if (file.brotli !== undefined && accepted.has("br")) return { encoding: "br", body: file.brotli };
  if (file.gzip !== undefined && accepted.has("gzip")) return { encoding: "gzip", body: file.gzip };
  return { encoding: undefined, body: file.plain };
}

/** The encodings that are named and not refused with `q=0`. */
function acceptedEncodings(header: string | undefined): ReadonlySet<string> {
  const accepted = new Set<string>();
  for (const item of (header ?? "").toLowerCase().split(",")) {
    const [name = "", ...parameters] = item.split(";").map((part) => part.trim());
    if (!parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))) accepted.add(name);
  }
  return accepted;
}
