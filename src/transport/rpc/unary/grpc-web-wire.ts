import { trailerFlag } from "@connectrpc/connect/protocol-grpc-web";
import type { BodyLimits, Exchange, ResponseHeaders } from "../../net/exchange.ts";
import { type Codec, malformed } from "./decode.ts";
import { encloseMessage, envelopeHeaderBytes, readEnvelopedBody } from "./envelope.ts";
import { statusTrailers } from "./grpc-status.ts";
import { readGrpcMessage } from "./grpc-wire.ts";
import { acceptedEncodings, parseGrpcTimeout, type Wire } from "./wire.ts";

/** gRPC-Web, https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md: trailers come at the end of the body. */
export const grpcWeb: Readonly<Record<Codec, Wire>> = {
  json: createWire("json", "application/grpc-web+json", false),
  proto: createWire("proto", "application/grpc-web+proto", false),
};

/** gRPC-Web for clients that can only read text: the same, in base64. */
export const grpcWebText: Readonly<Record<Codec, Wire>> = {
  json: createWire("json", "application/grpc-web-text+json", true),
  proto: createWire("proto", "application/grpc-web-text+proto", true),
};

function createWire(codec: Codec, contentType: string, text: boolean): Wire {
  const respond = (exchange: Exchange, headers: ResponseHeaders, body: Buffer) => {
    headers["content-type"] = contentType;
    headers["grpc-accept-encoding"] = acceptedEncodings;
    exchange.respond({ status: 200, headers, body: text ? Buffer.from(body.toString("base64")) : body });
  };
  return {
    protocol: "grpc-web",
    codec,
    timeoutMs: (exchange) => parseGrpcTimeout(exchange.header("grpc-timeout")),
    readMessage: (exchange, limits) =>
      readGrpcMessage(exchange, limits, text ? readTextBody : readEnvelopedBody),
    succeed(exchange, { headers, trailers }, message) {
      trailers["grpc-status"] = "0";
      respond(exchange, headers, Buffer.concat([encloseMessage(message), encloseTrailers(trailers)]));
    },
    fail(exchange, { headers, trailers }, error) {
      Object.assign(trailers, statusTrailers(error));
      respond(exchange, headers, encloseTrailers(trailers));
    },
  };
}

/** The frame that ends a body of gRPC-Web. */
export function encloseTrailers(trailers: ResponseHeaders): Buffer {
  const lines = Object.entries(trailers).flatMap(([name, value]) =>
    [value].flat().map((item) => `${name}: ${item}\r\n`),
  );
  return encloseMessage(Buffer.from(lines.join("")), trailerFlag);
}

async function readTextBody(exchange: Exchange, limits: BodyLimits): Promise<Uint8Array> {
  const { maxBytes } = limits;
  const overheadBytes = Math.ceil((maxBytes + envelopeHeaderBytes) / 3) * 4 + 4 - maxBytes;
  const body = await exchange.readBody({ ...limits, overheadBytes });
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1");
  // Padding only at the end of the frame, so that it is one piece and decoded in one pass. A character alone is no byte.
  const { length } = text.replace(/={1,2}$/, "");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || length % 4 === 1) throw malformed("The body is not base64.");
  return Buffer.from(text, "base64");
}
