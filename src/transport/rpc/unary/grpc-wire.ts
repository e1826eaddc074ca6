import type { BodyLimits, Exchange } from "../../net/exchange.ts";
import type { Codec } from "./decode.ts";
import { encloseMessage, openEnvelope, readEnvelopedBody } from "./envelope.ts";
import { statusTrailers } from "./grpc-status.ts";
import { acceptedEncodings, isCompressed, parseGrpcTimeout, type Wire } from "./wire.ts";

/** gRPC over HTTP/2, https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. */
export const grpc: Readonly<Record<Codec, Wire>> = {
  json: createWire("json", "application/grpc+json"),
  proto: createWire("proto", "application/grpc+proto"),
};

/** As gRPC names itself without a codec; some clients want to be answered in the same words. */
export const grpcUnnamed: Wire = createWire("proto", "application/grpc");

/** The message of a gRPC or gRPC-Web body. */
export function readGrpcMessage(
  exchange: Exchange,
  limits: BodyLimits,
  read: Wire["readMessage"],
): Uint8Array | Promise<Uint8Array> {
  const compressed = isCompressed(exchange.header("grpc-encoding"));
  const open = (body: Uint8Array) => openEnvelope(body, compressed, limits.maxBytes);
  const body = read(exchange, limits);
  return body instanceof Promise ? body.then(open) : open(body);
}

function createWire(codec: Codec, contentType: string): Wire {
  return {
    protocol: "grpc",
    codec,
    timeoutMs: (exchange) => parseGrpcTimeout(exchange.header("grpc-timeout")),
    readMessage: (exchange, limits) => readGrpcMessage(exchange, limits, readEnvelopedBody),
    succeed(exchange, { headers, trailers }, message) {
      headers["content-type"] = contentType;
      trailers["grpc-status"] = "0";
      exchange.respond({ status: 200, headers, body: encloseMessage(message), trailers });
    },
    fail(exchange, { headers, trailers }, error) {
      // Trailers-only: one block of headers that ends the stream.
      Object.assign(headers, trailers, statusTrailers(error));
      headers["content-type"] = contentType;
      headers["grpc-accept-encoding"] = acceptedEncodings;
      exchange.respond({ status: 200, headers });
    },
  };
}
