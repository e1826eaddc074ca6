import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { type ContextValues, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { domainError } from "../../../domain/errors.ts";
import type { Exchange, ResponseHeaders } from "../../net/exchange.ts";
import type { SharedAnswer } from "./shared-answer.ts";
import type { ProtocolName } from "./wire.ts";

/**
 * The HandlerContext of a unary call. Connect's own makes three Headers and two AbortControllers a call, which
 * together cost more than serving it; here each is made when a handler asks for it, and few ever do.
 */
export class UnaryContext implements HandlerContext {
  readonly method: DescMethod;
  readonly protocolName: ProtocolName;
  readonly values: ContextValues = createContextValues();
  readonly #exchange: Exchange;
  readonly #deadline: number | undefined;
  #abortController: AbortController | undefined;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #abortReason: unknown;

  constructor(
    exchange: Exchange,
    method: DescMethod,
    protocolName: ProtocolName,
    timeoutMs: number | undefined,
  ) {
    this.method = method;
    this.protocolName = protocolName;
    this.#exchange = exchange;
    this.#deadline = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
    // Handlers may take the context apart; a method on the prototype would lose its `this`.
    this.timeoutMs = () => (this.#deadline === undefined ? undefined : this.#deadline - performance.now());
  }

  readonly timeoutMs: () => number | undefined;

  /** The answer of the handler if it is the same for every caller. Set by share(). */
  shared: SharedAnswer | undefined;

  get service(): DescService {
    return this.method.parent;
  }

  get requestMethod(): string {
    return this.#exchange.method;
  }

  get url(): string {
    const { peer, host = "localhost", path, query } = this.#exchange;
    return `${peer.encrypted ? "https" : "http"}://${host}${path}${query === "" ? "" : `?${query}`}`;
  }

  get signal(): AbortSignal {
    if (this.#abortController === undefined) {
      this.#abortController = new AbortController();
      if (this.#abortReason !== undefined) this.#abortController.abort(this.#abortReason);
      else this.#exchange.onGone(() => this.abort(domainError("REQUEST_CANCELED", {})));
    }
    return this.#abortController.signal;
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= this.#exchange.allHeaders();
    return this.#requestHeader;
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  /** Tells the handler that nobody waits for it any more. */
  abort(reason: unknown): void {
    this.#abortReason ??= reason;
    this.#abortController?.abort(reason);
  }

  /** Adds the headers that the handler set. */
  copyHeadersTo(target: ResponseHeaders): void {
    this.#responseHeader?.forEach((value, name) => {
      if (name !== "set-cookie") target[name] = value;
    });
    const cookies = this.#responseHeader?.getSetCookie() ?? [];
    if (cookies.length > 0) addCookies(target, cookies);
  }

  /** The trailers that the handler set. */
  trailers(): ResponseHeaders {
    const trailers: ResponseHeaders = {};
    this.#responseTrailer?.forEach((value, name) => {
      trailers[name] = value;
    });
    return trailers;
  }
}

/** Adds Set-Cookie headers, which unlike all others cannot be joined. */
export function addCookies(target: ResponseHeaders, cookies: readonly string[]): void {
  const before = target["set-cookie"];
  target["set-cookie"] = before === undefined ? [...cookies] : [before].flat().concat(cookies);
}
