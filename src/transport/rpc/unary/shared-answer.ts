import { createHash } from "node:crypto";
import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type { ResponseHeaders } from "../../net/exchange.ts";
import type { Codec } from "./decode.ts";
import { encodeMessage } from "./encoded-answer.ts";
import type { EncodedMessage } from "./wire.ts";

/**
 * An answer that is the same for every caller. It is encoded once, and browsers and other caches may keep it for a while.
 *
 * Security rule (SR-PAGES-4): it must not depend on a credential, a cookie or an IP address, and no cookie is set with it.
 */
export class SharedAnswer<Desc extends DescMessage = DescMessage> {
  readonly message: MessageShape<Desc>;
  readonly etag: string;
  readonly #schema: Desc;
  readonly #maxAgeSeconds: number;
  readonly #encoded = new Map<Codec, EncodedMessage>();

  constructor(schema: Desc, message: MessageShape<Desc>, maxAgeSeconds: number) {
    this.message = message;
    this.#schema = schema;
    this.#maxAgeSeconds = maxAgeSeconds;
    // Each codec has a URL of its own, so one etag serves them all.
    const digest = createHash("sha256").update(toBinary(schema, message)).digest("base64url");
    this.etag = `"${digest.slice(0, 22)}"`;
  }

  /** The answer in a codec; always the same bytes. */
  encodedAs(codec: Codec): EncodedMessage {
    let encoded = this.#encoded.get(codec);
    if (encoded === undefined) {
      encoded = encodeMessage<DescMessage>(this.#schema, codec, this.message);
      this.#encoded.set(codec, encoded);
    }
    return encoded;
  }

  /** Adds the headers for caches, in place of the one that forbids them to keep anything. */
  addHeadersTo(headers: ResponseHeaders): void {
    headers.etag = this.etag;
    headers["cache-control"] = `public, max-age=${this.#maxAgeSeconds}`;
  }
}

/** Answers a unary call with a shared answer. The handler returns the result of this function. */
export function share<Desc extends DescMessage>(
  context: HandlerContext,
  answer: SharedAnswer<Desc>,
): MessageShape<Desc> {
  // The context of a unary call is the call itself (call.ts).
  if ("shared" in context) context.shared = answer;
  return answer.message;
}
