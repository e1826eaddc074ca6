import type { ConnectError } from "@connectrpc/connect";
import { endStreamFlag, endStreamToJson } from "@connectrpc/connect/protocol-connect";
import type { BodyLimits, Exchange, NodePair } from "../../net/exchange.ts";
import type { Codec } from "../unary/decode.ts";
import { encloseMessage, openEnvelope, readEnvelopedBody } from "../unary/envelope.ts";
import { statusTrailers } from "../unary/grpc-status.ts";
import { encloseTrailers } from "../unary/grpc-web-wire.ts";
import { wireOf } from "../unary/negotiate.ts";
import { isCompressed, type ProtocolName, parseConnectTimeout } from "../unary/wire.ts";

/** One way of writing a server stream on HTTP: a protocol and a codec. Messages are in the same envelope in all of them. */
export interface StreamWire {
  readonly protocol: ProtocolName;
  readonly codec: Codec;
  /** Whether everything is sent as base64, for clients of gRPC-Web that can only read text. */
  readonly isText: boolean;
  readonly contentType: string;
  /** The caller's deadline in milliseconds; undefined without one. Throws REQUEST_MALFORMED. */
  timeoutMs(exchange: Exchange): number | undefined;
  /** Reads the one message of the request, decompressed but not decoded. */
  readMessage(exchange: Exchange, limits: BodyLimits): Uint8Array | Promise<Uint8Array>;
  /** Ends the answer with an error. */
  end(response: NodePair["response"], error: ConnectError): void;
}

/** The protocol and codec of a request to a server stream; undefined: it has none of ours. */
export function streamWireOf(exchange: Exchange): StreamWire | undefined {
  const type = exchange.header("content-type") ?? "";
  const [, connectCodec] = /^application\/connect\+(proto|json)\s*(?:;|$)/i.exec(type) ?? [];
  if (connectCodec !== undefined)
    return connectWireOf(connectCodec.toLowerCase() === "json" ? "json" : "proto");
  const wire = wireOf(type);
  if (wire === undefined || wire.protocol === "connect") return undefined;
  const isText = /^application\/grpc-web-text/i.test(type);
  const { protocol, codec } = wire;
  return {
    protocol,
    codec,
    isText,
    contentType: type,
    timeoutMs: (of) => wire.timeoutMs(of),
    readMessage: (of, limits) => wire.readMessage(of, limits),
    end(response, error) {
      const trailers = statusTrailers(error);
      if (protocol === "grpc-web") {
        const frame = encloseTrailers(trailers);
        response.end(isText ? frame.toString("base64") : frame);
        return;
      }
      // gRPC is served over HTTP/2 alone.
      if ("stream" in response) response.addTrailers(trailers);
      response.end();
    },
  };
}

function connectWireOf(codec: Codec): StreamWire {
  return {
    protocol: "connect",
    codec,
    isText: false,
    contentType: `application/connect+${codec}`,
    timeoutMs: (exchange) => parseConnectTimeout(exchange.header("connect-timeout-ms")),
    async readMessage(exchange, limits) {
      const isPacked = isCompressed(exchange.header("connect-content-encoding"));
      return openEnvelope(await readEnvelopedBody(exchange, limits), isPacked, limits.maxBytes);
    },
    end(response, error) {
      response.end(
        encloseMessage(JSON.stringify(endStreamToJson(new Headers(), error, undefined)), endStreamFlag),
      );
    },
  };
}
