import { Code, type ConnectError } from "@connectrpc/connect";
import { codeToHttpStatus, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import type { BodyLimits, Exchange, ResponseHeaders } from "../../net/exchange.ts";
import { retryAfterSeconds } from "../errors.ts";
import { type Codec, malformed } from "./decode.ts";
import {
  type AnswerHead,
  acceptedEncodings,
  decompress,
  isCompressed,
  parseConnectTimeout,
  type Wire,
} from "./wire.ts";

/** Connect's unary calls by POST, https://connectrpc.com/docs/protocol#unary-request. */
export const connectPost: Readonly<Record<Codec, Wire>> = {
  json: createWire("json", readFromBody),
  proto: createWire("proto", readFromBody),
};

/** Connect's unary calls by GET, https://connectrpc.com/docs/protocol#unary-get-request. */
export const connectGet: Readonly<Record<Codec, Wire>> = {
  json: createWire("json", readFromQuery),
  proto: createWire("proto", readFromQuery),
};

/** The codec that a GET names; undefined if it names none that is known. */
export function codecOfQuery(query: string): Codec | undefined {
  const encoding = new URLSearchParams(query).get("encoding");
  return encoding === "json" || encoding === "proto" ? encoding : undefined;
}

function createWire(codec: Codec, readMessage: Wire["readMessage"]): Wire {
  const contentType = `application/${codec}`;
  return {
    protocol: "connect",
    codec,
    timeoutMs: (exchange) => parseConnectTimeout(exchange.header("connect-timeout-ms")),
    readMessage,
    succeed(exchange, head, body) {
      const headers = withTrailers(head);
      headers["content-type"] = contentType;
      exchange.respond({ status: 200, headers, body });
    },
    fail(exchange, head, error, httpStatus) {
      const headers = withTrailers(head);
      headers["content-type"] = "application/json";
      addErrorHeaders(headers, error);
      // errorToJsonBytes adds the readable `debug` form of each detail, which people with curl read.
      const body = errorToJsonBytes(error, undefined);
      exchange.respond({ status: httpStatus ?? codeToHttpStatus(error.code), headers, body });
    },
  };
}

function readFromBody(exchange: Exchange, limits: BodyLimits): Uint8Array | Promise<Uint8Array> {
  checkVersion(exchange.header("connect-protocol-version"), "1", "Connect-Protocol-Version");
  const compressed = isCompressed(exchange.header("content-encoding"));
  const body = exchange.readBody(limits);
  return compressed ? decompressed(body, limits.maxBytes) : body;
}

async function decompressed(body: Uint8Array | Promise<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  return decompress(await body, maxBytes);
}

async function readFromQuery(exchange: Exchange, { maxBytes }: BodyLimits): Promise<Uint8Array> {
  const query = new URLSearchParams(exchange.query);
  checkVersion(query.get("connect") ?? undefined, "v1", "connect");
  const compressed = isCompressed(query.get("compression") ?? undefined);
  const text = query.get("message");
  if (text === null) throw malformed("A GET needs the query parameter message.");
  const message = query.get("base64") === "1" ? decodeBase64(text) : Buffer.from(text);
  return compressed ? decompress(message, maxBytes) : message;
}

function checkVersion(version: string | undefined, expected: string, name: string): void {
  if (version !== undefined && version !== expected)
    throw malformed(`${name} must be ${expected}, or absent.`);
}

function decodeBase64(text: string): Buffer {
  // Both alphabets, with or without padding. Buffer.from would skip over what is neither.
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw malformed("The query parameter message is not base64.");
  return Buffer.from(text, "base64");
}

function withTrailers({ headers, trailers }: AnswerHead): ResponseHeaders {
  for (const [name, value] of Object.entries(trailers)) headers[`trailer-${name}`] = value;
  return headers;
}

function addErrorHeaders(headers: ResponseHeaders, error: ConnectError): void {
  error.metadata.forEach((value, name) => {
    headers[name] ??= value;
  });
  // RFC 9110, section 15.5.2: a 401 names a way to authenticate.
  if (error.code === Code.Unauthenticated) headers["www-authenticate"] = "Bearer";
  if (error.code === Code.Unimplemented) headers["accept-encoding"] = acceptedEncodings;
  const seconds = retryAfterSeconds(error);
  if (seconds !== undefined) headers["retry-after"] = String(seconds);
}
