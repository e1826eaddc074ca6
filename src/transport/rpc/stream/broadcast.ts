import {
  create,
  type DescMessage,
  type DescService,
  type MessageInitShape,
  type MessageShape,
  type Registry,
} from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { DomainError, domainError } from "../../../domain/errors.ts";
import type { NodePair } from "../../net/exchange.ts";
import type { ListenerLimits } from "../../net/protocol-servers.ts";
import { namesOf } from "../access.ts";
import type { Call } from "../call.ts";
import { toConnectError } from "../errors.ts";
import type { Pipeline } from "../pipeline.ts";
import type { Route } from "../routes.ts";
import { decodeMessage } from "../unary/decode.ts";
import { encodeMessage } from "../unary/encoded-answer.ts";
import { encloseMessage } from "../unary/envelope.ts";
import type { CallResult } from "../unary/serve.ts";
import { answerRefused } from "./refused.ts";
import { cutOff } from "./stream-client.ts";
import { type StreamWire, streamWireOf } from "./stream-wire.ts";

/** A message that many receive. It is encoded when the first of them needs it, once for each codec. */
export class SharedMessage<Desc extends DescMessage = DescMessage> {
  readonly #schema: Desc;
  readonly #message: MessageShape<Desc>;
  readonly #encoded = new Map<string, Buffer>();

  constructor(schema: Desc, message: MessageInitShape<Desc>) {
    this.#schema = schema;
    this.#message = create(schema, message);
  }

  /** The message in its envelope, which is the same in all protocols; always the same bytes. */
  encodedAs({ codec, isText }: Pick<StreamWire, "codec" | "isText">): Buffer {
    const key = isText ? `${codec} as text` : codec;
    let encoded = this.#encoded.get(key);
    if (encoded === undefined) {
      const enclosed = encloseMessage(encodeMessage<DescMessage>(this.#schema, codec, this.#message));
      encoded = isText ? Buffer.from(enclosed.toString("base64")) : enclosed;
      this.#encoded.set(key, encoded);
    }
    return encoded;
  }
}

/** The other end of a stream that is served here. */
export interface Receiver {
  /** Sends a message. Never throws, also once the receiver is gone. */
  send(message: SharedMessage): void;
}

/** Begins to send to a receiver; returns what ends it. The stream lasts until the receiver leaves or the server ends it. */
export type Broadcast = (receiver: Receiver) => () => void;

/** The names of a service's server streams. */
type ServerStreams<Service extends DescService> = {
  [Name in keyof Service["method"]]: Service["method"][Name]["methodKind"] extends "server_streaming"
    ? Name
    : never;
}[keyof Service["method"]];

/** What carries out the server streams of a service whose messages go to many. A method that is missing is a compile error. */
type BroadcastImpl<Service extends DescService> = {
  readonly [Name in ServerStreams<Service>]: (
    request: MessageShape<Service["method"][Name]["input"]>,
    call: Call,
  ) => Broadcast;
};

/** What carries out a service with such streams: its other methods are as everywhere. */
export type BroadcastingImpl<Service extends DescService> = BroadcastImpl<Service> &
  Omit<ServiceImpl<Service>, ServerStreams<Service>>;

interface Deps {
  readonly pipeline: Pipeline;
  readonly jsonTypes: Registry | undefined;
  readonly limits: Pick<
    ListenerLimits,
    "streamIdleTimeoutMs" | "streamAccessIntervalMs" | "streamBufferBytes"
  >;
  /** Ends all streams when the listener closes. */
  readonly shutdownSignal: AbortSignal;
}

/**
 * Serves streams whose messages go to many at once: each message is encoded once and written to each stream. Connect's handlers would
 * encode and wrap it for each. No stream has a timer of its own, except for a deadline that its caller has set.
 */
export class BroadcastServer {
  readonly #deps: Deps;
  readonly #streams = new Set<BroadcastStream>();
  #isLooking = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: Deps) {
    this.#deps = deps;
    const { shutdownSignal } = deps;
    shutdownSignal.addEventListener("abort", () => {
      for (const stream of [...this.#streams]) stream.end(shutdownSignal.reason);
    });
  }

  /** Resolves once the stream has ended, however it did. */
  async serve(call: Call, route: Route): Promise<CallResult> {
    const { pipeline, jsonTypes, limits, shutdownSignal } = this.#deps;
    const { exchange } = call;
    const { method, spec, closed, maxRequestBytes } = route;
    let stream: BroadcastStream;
    let begin: Broadcast;
    try {
      const wire = streamWireOf(exchange);
      if (wire === undefined)
        throw new Error("the dispatcher has let a content type through that is not known");
      const timeoutMs = wire.timeoutMs(exchange);
      call.begin(method, wire, timeoutMs);
      await pipeline.admit(call, route);
      const bytes = await wire.readMessage(exchange, { maxBytes: maxRequestBytes });
      const request = decodeMessage(method.input, wire.codec, bytes, jsonTypes, closed);
      pipeline.check(call, method, request);
      begin = (spec.impl as unknown as BroadcastMethod)(request, call);
      shutdownSignal.throwIfAborted();
      if (exchange.gone) throw domainError("REQUEST_CANCELED", {});
      stream = new BroadcastStream(call, route, wire, limits, timeoutMs);
    } catch (cause) {
      const error = toConnectError(cause, call.id);
      if (!exchange.gone) answerRefused(call, error);
      return error;
    }
    this.#streams.add(stream);
    this.#timer ??= setInterval(() => void this.#look(), limits.streamAccessIntervalMs);
    const leave = begin(stream);
    await stream.ended;
    leave();
    this.#streams.delete(stream);
    if (this.#streams.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    await stream.closed;
    return stream.error;
  }

  /**
   * Looks at all streams: whether their clients read, and whether each credential still counts, once for all streams that it has
   * opened.
   *
   * Security rule (SR-ACCESS-6): a stream does not outlive what opened it (test/rpc/session-feed.test.ts). Where the database is away
   * nobody can say, and nothing can happen that a stream would tell of.
   */
  async #look(): Promise<void> {
    const byCredential = new Map<string, BroadcastStream[]>();
    for (const stream of [...this.#streams]) {
      stream.lookAtReader();
      const { caller } = stream.call;
      const key = `${stream.route.path} ${caller.kind} ${namesOf(caller).id}`;
      const streams = byCredential.get(key);
      if (streams === undefined) byCredential.set(key, [stream]);
      else streams.push(stream);
    }
    if (this.#isLooking) return;
    this.#isLooking = true;
    for (const streams of byCredential.values()) {
      const [first] = streams;
      if (first === undefined) continue;
      try {
        await this.#deps.pipeline.admitAgain(first.call, first.route);
      } catch (error) {
        if (error instanceof DomainError && error.reason === "DATABASE_UNAVAILABLE") continue;
        for (const stream of streams) stream.end(error);
      }
    }
    this.#isLooking = false;
  }
}

/** A method of a `BroadcastImpl`. */
type BroadcastMethod = (request: MessageShape<DescMessage>, call: Call) => Broadcast;

/** One stream, while it is served. */
class BroadcastStream implements Receiver {
  readonly call: Call;
  readonly route: Route;
  /** Resolves once it takes nothing more. */
  readonly ended: Promise<void>;
  /** Resolves once nothing of it is under way. */
  readonly closed: Promise<void>;
  /** Why it has ended. */
  error: CallResult;
  readonly #wire: StreamWire;
  readonly #pair: NodePair;
  readonly #limits: Deps["limits"];
  readonly #deadline: NodeJS.Timeout | undefined;
  #isOpen = true;
  #noteEnd = () => {};
  /** When all that was written had been read last. */
  #readAt = performance.now();

  constructor(
    call: Call,
    route: Route,
    wire: StreamWire,
    limits: Deps["limits"],
    timeoutMs: number | undefined,
  ) {
    this.call = call;
    this.route = route;
    this.#wire = wire;
    this.#limits = limits;
    call.completeHeaders();
    this.#pair = call.exchange.toNode();
    const { response } = this.#pair;
    for (const [name, value] of Object.entries(call.headers)) response.setHeader(name, value);
    response.setHeader("content-type", wire.contentType);
    // nginx would gather messages before it passes them on.
    response.setHeader("x-accel-buffering", "no");
    response.on("error", () => {});
    this.ended = new Promise((resolve) => {
      this.#noteEnd = resolve;
    });
    this.closed = new Promise((resolve) => {
      call.exchange.onClosed(() => {
        this.#close(domainError("REQUEST_CANCELED", {}));
        resolve();
      });
    });
    if ("stream" in response) response.writeHead(200);
    else response.writeHead(200).flushHeaders();
    const late = () => this.end(domainError("REQUEST_TIMEOUT", {}));
    if (timeoutMs !== undefined) this.#deadline = setTimeout(late, timeoutMs);
  }

  send(message: SharedMessage): void {
    if (!this.#isOpen) return;
    const { response } = this.#pair;
    const { streamBufferBytes: limitBytes } = this.#limits;
    // Security rule (SR-LIMIT-13): what a client does not read waits in the memory of the server, so it has a bound.
    if (response.writableLength > limitBytes) {
      this.end(domainError("STREAM_READER_TOO_SLOW", { limitBytes: String(limitBytes) }));
      return;
    }
    write(response, message.encodedAs(this.#wire));
  }

  /** Tells the client why its stream ends, behind what it has not read yet. */
  end(cause: unknown): void {
    if (!this.#close(cause)) return;
    const { response } = this.#pair;
    if (this.error !== undefined) this.#wire.end(response, this.error);
    const timer = setTimeout(() => cutOff(this.#pair), this.#limits.streamIdleTimeoutMs);
    this.call.exchange.onClosed(() => clearTimeout(timer));
  }

  /** Gives the client up if it has read nothing for long of what waits for it. */
  lookAtReader(): void {
    if (!this.#isOpen) return;
    const now = performance.now();
    if (this.#pair.response.writableLength === 0) this.#readAt = now;
    else if (now - this.#readAt > this.#limits.streamIdleTimeoutMs) {
      this.#close(domainError("STREAM_IDLE", {}));
      cutOff(this.#pair);
    }
  }

  /** Takes nothing more; false if it was closed before. */
  #close(cause: unknown): boolean {
    if (!this.#isOpen) return false;
    this.#isOpen = false;
    this.#noteEnd();
    clearTimeout(this.#deadline);
    this.error = toConnectError(cause, this.call.id);
    return true;
  }
}

/** Both have the method, with types that have nothing in common. */
function write(response: NodePair["response"], bytes: Buffer): void {
  if ("stream" in response) response.write(bytes);
  else response.write(bytes);
}
